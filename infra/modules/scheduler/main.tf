resource "google_cloud_scheduler_job" "trigger" {
  for_each = var.triggers

  project          = var.project_id
  region           = var.region
  name             = "${each.value.app}-${each.value.name}"
  schedule         = each.value.cron
  time_zone        = "Etc/UTC"
  attempt_deadline = "${each.value.deadlineSeconds}s"

  # The next time comes soon enough; several at once would do the same work twice.
  retry_config {
    retry_count = 0
  }

  http_target {
    http_method = "POST"
    uri         = "${each.value.url}${each.value.path}"

    oidc_token {
      service_account_email = each.value.email
      audience              = each.value.url
    }
  }
}
