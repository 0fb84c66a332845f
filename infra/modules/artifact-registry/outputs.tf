output "repository" {
  description = "Where images are pushed: <region>-docker.pkg.dev/<project>/rockpool."
  value       = "${google_artifact_registry_repository.images.location}-docker.pkg.dev/${var.project_id}/${google_artifact_registry_repository.images.repository_id}"
}
