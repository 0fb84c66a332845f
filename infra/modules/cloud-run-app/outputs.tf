output "name" {
  description = "Name of the service."
  value       = google_cloud_run_v2_service.app.name
}

output "uri" {
  description = "One of the addresses it answers at."
  value       = google_cloud_run_v2_service.app.uri
}
