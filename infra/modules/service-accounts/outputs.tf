output "emails" {
  description = "Address of each app's service account, by app."
  value       = { for name, account in google_service_account.app : name => account.email }
}

output "names" {
  description = "Full resource name of each app's service account, by app."
  value       = { for name, account in google_service_account.app : name => account.name }
}

output "members" {
  description = "Each app as an IAM member, by app."
  value       = { for name, account in google_service_account.app : name => account.member }
}
