locals {
  console     = "https://console.cloud.google.com"
  traces_link = "${local.console}/traces/list?project=${var.project_id}"
  logs_link   = "${local.console}/logs/query?project=${var.project_id}"
  channels    = [for channel in google_monitoring_notification_channel.email : channel.id]

  # A condition is a number that may not be passed for some time, or a sentence of PromQL.
  thresholds = {
    ack-latency = {
      title       = "Messages are taken in slowly"
      severity    = "WARNING"
      filter      = "metric.type=\"pubsub.googleapis.com/subscription/push_request_latencies\" AND resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=\"${var.receiving_subscription}\""
      aligner     = "ALIGN_PERCENTILE_95"
      reducer     = "REDUCE_MAX"
      limit       = var.ack_latency_seconds * 1000000
      duration    = "300s"
      explanation = "95 % of pushes to the dispatcher should be acknowledged within ${var.ack_latency_seconds} s. Look at a trace of one: a slow step is Firestore, or a cold start."
    }
    backlog-age = {
      title       = "Messages wait"
      severity    = "ERROR"
      filter      = "metric.type=\"pubsub.googleapis.com/subscription/oldest_unacked_message_age\" AND resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id!=monitoring.regex.full_match(\".*[.]dead\")"
      aligner     = "ALIGN_MAX"
      reducer     = "REDUCE_MAX"
      limit       = var.backlog_age_seconds
      duration    = "120s"
      explanation = "The oldest message waits for longer than ${var.backlog_age_seconds} s. The dispatcher is down, or no agent host takes conversations; the dispatcher's log says which. Nothing is lost meanwhile."
    }
    dead-letters = {
      title       = "There are dead letters"
      severity    = "ERROR"
      filter      = "metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\" AND resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=monitoring.regex.full_match(\".*[.]dead\")"
      aligner     = "ALIGN_MAX"
      reducer     = "REDUCE_SUM"
      limit       = 0
      duration    = "0s"
      explanation = "Messages were given up. `rockpool inbox` shows them, `rockpool inbox replay` puts them back. They are kept for 31 days."
    }
  }

  queries = {
    turn-latency = {
      title       = "Answers take long"
      severity    = "WARNING"
      query       = "histogram_quantile(0.95, sum by (le) (increase(logging_googleapis_com:user_rockpool_turn_latency_bucket{monitored_resource=\"cloud_run_revision\"}[15m]))) > ${var.turn_latency_seconds * 1000}"
      duration    = "300s"
      explanation = "95 % of messages should be answered within ${var.turn_latency_seconds} s. The spans of a trace say whether it is the model, a tool or the channel."
    }
    error-rate = {
      title       = "Requests fail"
      severity    = "ERROR"
      query       = "sum by (service_name) (rate(run_googleapis_com:request_count{monitored_resource=\"cloud_run_revision\",response_code_class=\"5xx\"}[5m])) / sum by (service_name) (rate(run_googleapis_com:request_count{monitored_resource=\"cloud_run_revision\"}[5m])) > ${var.error_ratio}"
      duration    = "300s"
      explanation = "More than ${var.error_ratio * 100} % of the requests of a service end with 5xx. Channels deliver again later. If it began with a deployment, roll back (docs/deploy.md)."
    }
    token-spend = {
      title       = "Many tokens are spent"
      severity    = "WARNING"
      query       = "sum(increase(logging_googleapis_com:user_rockpool_turn_input_tokens_sum{monitored_resource=\"cloud_run_revision\"}[1h])) + sum(increase(logging_googleapis_com:user_rockpool_turn_output_tokens_sum{monitored_resource=\"cloud_run_revision\"}[1h])) > ${var.tokens_per_hour}"
      duration    = "0s"
      explanation = "More than ${var.tokens_per_hour} tokens in an hour. The dashboard shows which tenant; suspend it (`suspended: true` in tenants.yaml) to stop it at once."
    }
  }
}

resource "google_monitoring_notification_channel" "email" {
  for_each = var.alert_emails

  project      = var.project_id
  display_name = "Rockpool ${each.value}"
  type         = "email"

  labels = {
    email_address = each.value
  }
}

resource "google_monitoring_alert_policy" "threshold" {
  for_each = local.thresholds

  project               = var.project_id
  display_name          = "Rockpool: ${each.value.title}"
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = local.channels
  user_labels           = var.labels

  conditions {
    display_name = each.value.title

    condition_threshold {
      filter          = each.value.filter
      comparison      = "COMPARISON_GT"
      threshold_value = each.value.limit
      duration        = each.value.duration

      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = each.value.aligner
        cross_series_reducer = each.value.reducer
        group_by_fields      = ["resource.label.subscription_id"]
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "${each.value.explanation}\n\n[Traces](${local.traces_link}) · [Logs](${local.logs_link})"
  }
}

resource "google_monitoring_alert_policy" "query" {
  for_each = local.queries

  project               = var.project_id
  display_name          = "Rockpool: ${each.value.title}"
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = local.channels
  user_labels           = var.labels

  conditions {
    display_name = each.value.title

    condition_prometheus_query_language {
      query               = each.value.query
      duration            = each.value.duration
      evaluation_interval = "60s"
      # A new metric has no data yet, and checking the query against it would fail the first apply.
      disable_metric_validation = true
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "${each.value.explanation}\n\n[Traces](${local.traces_link}) · [Logs](${local.logs_link})"
  }

  depends_on = [google_logging_metric.turn]
}
