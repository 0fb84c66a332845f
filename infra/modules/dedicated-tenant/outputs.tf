output "url" {
  description = "Address of the host; the audience of tokens for it too."
  value       = local.url
}

output "service" {
  description = "Name of its service."
  value       = module.host.name
}
