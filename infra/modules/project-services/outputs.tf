output "services" {
  description = "APIs that are on; to depend on."
  value       = [for service in google_project_service.service : service.service]
}
