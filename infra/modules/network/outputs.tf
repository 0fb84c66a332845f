output "network" {
  description = "Id of the network."
  value       = google_compute_network.network.id
}

output "subnetwork" {
  description = "Id of the subnetwork; to be ready, names have to resolve too."
  value       = google_compute_subnetwork.apps.id
  depends_on  = [google_dns_record_set.run]
}
