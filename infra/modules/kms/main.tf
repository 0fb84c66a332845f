locals {
  agents = {
    "artifactregistry.googleapis.com" = google_project_service_identity.agent["artifactregistry.googleapis.com"].member
    "firestore.googleapis.com"        = google_project_service_identity.agent["firestore.googleapis.com"].member
    "pubsub.googleapis.com"           = google_project_service_identity.agent["pubsub.googleapis.com"].member
    "secretmanager.googleapis.com"    = google_project_service_identity.agent["secretmanager.googleapis.com"].member
    "storage.googleapis.com"          = data.google_storage_project_service_account.agent.member
  }
}

resource "google_project_service_identity" "agent" {
  provider = google-beta
  for_each = toset([
    "artifactregistry.googleapis.com",
    "firestore.googleapis.com",
    "pubsub.googleapis.com",
    "secretmanager.googleapis.com",
  ])

  project = var.project_id
  service = each.value
}

data "google_storage_project_service_account" "agent" {
  project = var.project_id
}

resource "google_kms_key_ring" "rockpool" {
  project  = var.project_id
  location = var.location
  name     = "rockpool"
}

# Without this key nothing that was stored can be read again.
resource "google_kms_crypto_key" "data" {
  key_ring        = google_kms_key_ring.rockpool.id
  name            = "data"
  purpose         = "ENCRYPT_DECRYPT"
  rotation_period = "7776000s"
  labels          = var.labels

  lifecycle {
    prevent_destroy = true
  }
}

resource "google_kms_crypto_key_iam_member" "agent" {
  for_each = local.agents

  crypto_key_id = google_kms_crypto_key.data.id
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = each.value
}
