output "secret_reader_role" {
  description = "Id of the role that reads secrets of tenants; to be given with a condition on their names."
  value       = google_project_iam_custom_role.secret_reader.id
}
