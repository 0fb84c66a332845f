locals {
  creators = merge([for queue, members in var.creators : { for name, member in members : "${queue} ${name}" => { queue = queue, member = member } }]...)
  apps     = toset(flatten([for members in var.creators : keys(members)]))
}

resource "google_cloud_tasks_queue" "queue" {
  for_each = var.queues

  project  = var.project_id
  location = var.region
  name     = each.key

  rate_limits {
    max_dispatches_per_second = each.value.maxDispatchesPerSecond
    max_concurrent_dispatches = each.value.maxConcurrentDispatches
  }

  # A task is dropped once both its attempts and its time are used up.
  retry_config {
    max_attempts       = each.value.maxAttempts
    max_retry_duration = each.value.maxRetryDuration
    min_backoff        = each.value.minBackoff
    max_backoff        = each.value.maxBackoff
    max_doublings      = 16
  }

  stackdriver_logging_config {
    sampling_ratio = 1
  }
}

resource "google_cloud_tasks_queue_iam_member" "enqueuer" {
  for_each = local.creators

  project  = var.project_id
  location = var.region
  name     = google_cloud_tasks_queue.queue[each.value.queue].name
  role     = "roles/cloudtasks.enqueuer"
  member   = each.value.member
}

# To call off what it created.
resource "google_cloud_tasks_queue_iam_member" "deleter" {
  for_each = local.creators

  project  = var.project_id
  location = var.region
  name     = google_cloud_tasks_queue.queue[each.value.queue].name
  role     = "roles/cloudtasks.taskDeleter"
  member   = each.value.member
}

resource "google_cloud_tasks_queue_iam_member" "viewer" {
  for_each = local.creators

  project  = var.project_id
  location = var.region
  name     = google_cloud_tasks_queue.queue[each.value.queue].name
  role     = "roles/cloudtasks.viewer"
  member   = each.value.member
}

# A task is delivered with a token of its creator, which the creator may only ask for as itself.
resource "google_service_account_iam_member" "task_token" {
  for_each = local.apps

  service_account_id = var.account_names[each.value]
  role               = "roles/iam.serviceAccountUser"
  member             = var.members[each.value]
}
