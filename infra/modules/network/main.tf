# Requests from one Cloud Run service to another count as internal only when they come through a network of the project. run.app is resolved to the private
# addresses of Google's APIs, which private-ranges-only egress routes through the network; everything else leaves as before, without NAT.
locals {
  private_addresses = ["199.36.153.8", "199.36.153.9", "199.36.153.10", "199.36.153.11"]
}

resource "google_compute_network" "network" {
  project                 = var.project_id
  name                    = "rockpool"
  auto_create_subnetworks = false
}

resource "google_compute_subnetwork" "apps" {
  project                  = var.project_id
  region                   = var.region
  name                     = "rockpool-apps"
  network                  = google_compute_network.network.id
  ip_cidr_range            = var.subnet_range
  private_ip_google_access = true
}

resource "google_dns_managed_zone" "run" {
  project     = var.project_id
  name        = "rockpool-run-app"
  dns_name    = "run.app."
  description = "Services of this project reach each other without leaving the network."
  visibility  = "private"
  labels      = var.labels

  private_visibility_config {
    networks {
      network_url = google_compute_network.network.id
    }
  }
}

resource "google_dns_record_set" "run" {
  project      = var.project_id
  managed_zone = google_dns_managed_zone.run.name
  name         = "*.run.app."
  type         = "A"
  ttl          = 300
  rrdatas      = local.private_addresses
}
