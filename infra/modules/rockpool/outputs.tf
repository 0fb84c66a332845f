output "urls" {
  description = "Address of each app. Only those of ingress and console answer to the internet."
  value       = local.urls
}

output "public_url" {
  description = "Where channels deliver."
  value       = local.values["ROCKPOOL_PUBLIC_URL"]
}

output "repository" {
  description = "Where images are pushed."
  value       = module.artifact_registry.repository
}

output "secret_ids" {
  description = "Name of the secret that holds the value of each environment variable."
  value       = module.secrets.secret_ids
}

output "dedicated_hosts" {
  description = "Address of each dedicated tenant's host, by tenant."
  value       = { for tenant, host in module.dedicated_tenant : tenant => host.url }
}
