# What the apps say of themselves in their log, as metrics. The agent host writes one line a turn that ended; its fields are numbers, never content.
locals {
  turns = "resource.type=\"cloud_run_revision\" AND jsonPayload.message=\"turn ended\""

  turn_metrics = {
    turn_latency = {
      description = "From the receipt of a message to the end of its answer, in milliseconds."
      field       = "durationMs"
      unit        = "ms"
      scale       = 10
    }
    turn_input_tokens = {
      description = "Tokens that models read in a turn."
      field       = "inputTokens"
      unit        = "1"
      scale       = 1
    }
    turn_output_tokens = {
      description = "Tokens that models wrote in a turn."
      field       = "outputTokens"
      unit        = "1"
      scale       = 1
    }
    turn_cost = {
      description = "What a turn cost in US dollars, where the price of the model is known."
      field       = "costUsd"
      unit        = "1"
      scale       = 0.0001
    }
  }
}

resource "google_logging_metric" "turn" {
  for_each = local.turn_metrics

  project         = var.project_id
  name            = "rockpool/${each.key}"
  description     = each.value.description
  filter          = "${local.turns} AND jsonPayload.${each.value.field}>=0"
  value_extractor = "EXTRACT(jsonPayload.${each.value.field})"

  label_extractors = {
    tenant = "EXTRACT(jsonPayload.tenantId)"
  }

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "DISTRIBUTION"
    unit        = each.value.unit

    labels {
      key        = "tenant"
      value_type = "STRING"
    }
  }

  bucket_options {
    exponential_buckets {
      num_finite_buckets = 40
      growth_factor      = 1.5
      scale              = each.value.scale
    }
  }
}

resource "google_logging_metric" "errors" {
  project     = var.project_id
  name        = "rockpool/errors"
  description = "Lines of the apps' logs that are errors."
  filter      = "resource.type=\"cloud_run_revision\" AND jsonPayload.service:* AND severity>=ERROR"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"
  }
}
