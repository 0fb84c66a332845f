# One identity an app, of the app's own name: the code derives the address from the name.
resource "google_service_account" "app" {
  for_each = var.apps

  project      = var.project_id
  account_id   = each.value
  display_name = "Rockpool ${each.value}"
}

locals {
  deployers = merge([for name in var.apps : { for deployer in var.deployers : "${name} ${deployer}" => { app = name, member = deployer } }]...)
}

# Whoever deploys an app has it run as its account.
resource "google_service_account_iam_member" "deployer" {
  for_each = local.deployers

  service_account_id = google_service_account.app[each.value.app].name
  role               = "roles/iam.serviceAccountUser"
  member             = each.value.member
}
