output "state_bucket" {
  description = "For terraform init -backend-config=\"bucket=…\" in an environment."
  value       = google_storage_bucket.state.name
}

output "deployer" {
  description = "Address of CI's account: DEPLOYER in CI's variables, and in deployers of an environment."
  value       = google_service_account.deployer.email
}

output "workload_identity_provider" {
  description = "WORKLOAD_IDENTITY_PROVIDER in CI's variables."
  value       = google_iam_workload_identity_pool_provider.github.name
}
