output "urls" {
  description = "Address of each app."
  value       = module.rockpool.urls
}

output "public_url" {
  description = "Where channels deliver."
  value       = module.rockpool.public_url
}

output "repository" {
  description = "Where images are pushed."
  value       = module.rockpool.repository
}

output "secret_ids" {
  description = "Name of the secret that holds the value of each environment variable."
  value       = module.rockpool.secret_ids
}

output "dedicated_hosts" {
  description = "Address of each dedicated tenant's host, by tenant."
  value       = module.rockpool.dedicated_hosts
}
