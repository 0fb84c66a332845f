output "secret_ids" {
  description = "Name of the secret that holds the value of each environment variable."
  value       = { for variable, secret in google_secret_manager_secret.secret : variable => secret.secret_id }
  depends_on  = [google_secret_manager_secret_iam_member.reader]
}
