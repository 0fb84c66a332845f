# A tenant's own agent host: own service, own identity, own bucket, own database. Its identity is named in no right on anything of another tenant, nor on what pooled
# tenants share.
locals {
  # Names of accounts have at most 30 characters, those of buckets 63; tenant ids may have 40.
  digest  = substr(sha256(var.tenant), 0, 8)
  account = "h-${substr(var.tenant, 0, 19)}-${local.digest}"
  service = "host-${var.tenant}"
  bucket  = "${var.project_id}-host-${local.digest}"
  url     = "https://${local.service}-${var.project_number}.${var.region}.run.app"
  labels  = merge(var.labels, { rockpool-tenant = var.tenant })
}

resource "google_service_account" "host" {
  project      = var.project_id
  account_id   = local.account
  display_name = "Rockpool host of ${var.tenant}"
}

resource "google_service_account_iam_member" "deployer" {
  for_each = var.deployers

  service_account_id = google_service_account.host.name
  role               = "roles/iam.serviceAccountUser"
  member             = each.value
}

module "database" {
  source = "../firestore"

  project_id        = var.project_id
  database_id       = "host-${var.tenant}"
  location          = var.location
  delete_protection = var.deletion_protection
  indexes           = var.indexes
  field_overrides   = var.field_overrides
  kms_key           = var.kms_key
}

module "bucket" {
  source = "../storage"

  project_id    = var.project_id
  name          = local.bucket
  location      = var.region
  users         = { host = google_service_account.host.member }
  account_names = { host = google_service_account.host.name }
  kms_key       = var.kms_key
  labels        = local.labels
}

resource "google_project_iam_member" "documents" {
  for_each = merge(var.document_members, { host = google_service_account.host.member })

  project = var.project_id
  role    = "roles/datastore.user"
  member  = each.value

  condition {
    title       = "database-of-${var.tenant}"
    description = "The database of this tenant, and no other of the project."
    expression  = "resource.name == \"projects/${var.project_id}/databases/${module.database.database_id}\""
  }
}

resource "google_project_iam_member" "secrets" {
  project = var.project_id
  role    = var.secret_reader_role
  member  = google_service_account.host.member

  condition {
    title       = "secrets-of-${var.tenant}"
    description = "Only secrets of this tenant."
    expression  = "resource.name.startsWith(\"projects/${var.project_number}/secrets/${var.tenant}_\")"
  }
}

resource "google_secret_manager_secret_iam_member" "model_keys" {
  for_each = var.secret_variables

  project   = var.project_id
  secret_id = each.value
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.host.member
}

resource "google_secret_manager_secret_iam_member" "collector" {
  count = var.collector == null ? 0 : 1

  project   = var.project_id
  secret_id = var.collector.config_secret
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.host.member
}

resource "google_project_iam_member" "traces" {
  project = var.project_id
  role    = "roles/cloudtrace.agent"
  member  = google_service_account.host.member
}

module "host" {
  source = "../cloud-run-app"

  project_id      = var.project_id
  region          = var.region
  name            = local.service
  app             = "agent-host"
  image           = var.image
  public          = false
  service_account = google_service_account.host.email
  scaling         = var.scaling
  variables = merge(var.variables, {
    ROCKPOOL_AGENT_HOST_URL     = local.url
    ROCKPOOL_BUCKET             = module.bucket.name
    ROCKPOOL_FIRESTORE_DATABASE = module.database.database_id
  })
  secret_variables    = var.secret_variables
  callers             = var.callers
  deployers           = var.deployers
  collector           = var.collector
  deletion_protection = var.deletion_protection
  labels              = local.labels

  # A copy that starts before its rights would not become ready.
  depends_on = [
    google_project_iam_member.documents,
    google_secret_manager_secret_iam_member.collector,
    google_secret_manager_secret_iam_member.model_keys,
  ]
}
