locals {
  readers = merge([for variable, members in var.readers : { for name, member in members : "${variable} ${name}" => { variable = variable, member = member } }]...)
}

# Only the place of the value: the value itself is added by a person and is never in Terraform's state.
resource "google_secret_manager_secret" "secret" {
  for_each = toset(keys(var.readers))

  project   = var.project_id
  secret_id = "env-${lower(replace(each.value, "_", "-"))}"
  labels    = var.labels

  replication {
    user_managed {
      replicas {
        location = var.region

        dynamic "customer_managed_encryption" {
          for_each = var.kms_key == null ? [] : [var.kms_key]

          content {
            kms_key_name = customer_managed_encryption.value
          }
        }
      }
    }
  }
}

resource "google_secret_manager_secret_iam_member" "reader" {
  for_each = local.readers

  project   = var.project_id
  secret_id = google_secret_manager_secret.secret[each.value.variable].secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = each.value.member
}
