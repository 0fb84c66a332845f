locals {
  # Who may publish to which topic, and consume which subscription, as one entry each.
  publishers  = merge([for topic, members in var.publishers : { for name, member in members : "${topic} ${name}" => { topic = topic, member = member } }]...)
  subscribers = { for name, subscription in var.subscriptions : name => var.members[subscription.app] }
  operators = merge([for name, subscription in var.subscriptions : { for operator, member in var.operators :
  "${name} ${operator}" => { subscription = name, member = member } }]...)
}

# Pub/Sub's own account: it moves dead letters, and speaks for the push accounts.
resource "google_project_service_identity" "pubsub" {
  provider = google-beta

  project = var.project_id
  service = "pubsub.googleapis.com"
}

resource "google_pubsub_topic" "topic" {
  for_each = var.topics

  project                    = var.project_id
  name                       = each.key
  kms_key_name               = var.kms_key
  message_retention_duration = "604800s"
  labels                     = var.labels

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }
}

resource "google_pubsub_topic" "dead" {
  for_each = var.subscriptions

  project      = var.project_id
  name         = each.value.deadLetter
  kms_key_name = var.kms_key
  labels       = var.labels

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }
}

# Without a subscription of its own a dead letter would be gone the moment it is written. 31 days is the longest Pub/Sub keeps one.
resource "google_pubsub_subscription" "dead" {
  for_each = var.subscriptions

  project                    = var.project_id
  name                       = each.value.deadLetter
  topic                      = google_pubsub_topic.dead[each.key].id
  ack_deadline_seconds       = 60
  message_retention_duration = "2678400s"
  labels                     = var.labels

  expiration_policy {
    ttl = ""
  }
}

resource "google_pubsub_subscription" "subscription" {
  for_each = var.subscriptions

  project                    = var.project_id
  name                       = each.key
  topic                      = google_pubsub_topic.topic[each.value.topic].id
  ack_deadline_seconds       = each.value.ackDeadlineSeconds
  message_retention_duration = "2678400s"
  enable_message_ordering    = each.value.ordered
  filter                     = each.value.filter
  labels                     = var.labels

  expiration_policy {
    ttl = ""
  }

  retry_policy {
    minimum_backoff = each.value.minimumBackoff
    maximum_backoff = each.value.maximumBackoff
  }

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead[each.key].id
    max_delivery_attempts = each.value.maxDeliveryAttempts
  }

  dynamic "push_config" {
    for_each = var.delivery == "push" ? [var.endpoints[each.value.app]] : []

    content {
      push_endpoint = "${push_config.value}/pubsub/${each.key}"

      oidc_token {
        service_account_email = var.emails[each.value.app]
        audience              = push_config.value
      }
    }
  }

  # A dead letter that may not be moved is delivered for ever.
  depends_on = [google_pubsub_topic_iam_member.dead_letters]
}

resource "google_pubsub_topic_iam_member" "dead_letters" {
  for_each = var.subscriptions

  project = var.project_id
  topic   = google_pubsub_topic.dead[each.key].name
  role    = "roles/pubsub.publisher"
  member  = google_project_service_identity.pubsub.member
}

resource "google_pubsub_subscription_iam_member" "dead_letters" {
  for_each = var.subscriptions

  project      = var.project_id
  subscription = google_pubsub_subscription.subscription[each.key].name
  role         = "roles/pubsub.subscriber"
  member       = google_project_service_identity.pubsub.member
}

# Pub/Sub signs the token of a push in the name of the app that receives it.
resource "google_service_account_iam_member" "push_token" {
  for_each = toset([for subscription in var.subscriptions : subscription.app])

  service_account_id = var.account_names[each.value]
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = google_project_service_identity.pubsub.member
}

resource "google_pubsub_topic_iam_member" "publisher" {
  for_each = local.publishers

  project = var.project_id
  topic   = google_pubsub_topic.topic[each.value.topic].name
  role    = "roles/pubsub.publisher"
  member  = each.value.member
}

resource "google_pubsub_subscription_iam_member" "subscriber" {
  for_each = local.subscribers

  project      = var.project_id
  subscription = google_pubsub_subscription.subscription[each.key].name
  role         = "roles/pubsub.subscriber"
  member       = each.value
}

# What can never succeed is put with the dead letters at once, by the app that found it out.
resource "google_pubsub_topic_iam_member" "gives_up" {
  for_each = local.subscribers

  project = var.project_id
  topic   = google_pubsub_topic.dead[each.key].name
  role    = "roles/pubsub.publisher"
  member  = each.value
}

resource "google_pubsub_subscription_iam_member" "operator" {
  for_each = local.operators

  project      = var.project_id
  subscription = google_pubsub_subscription.dead[each.value.subscription].name
  role         = "roles/pubsub.subscriber"
  member       = each.value.member
}
