locals {
  charts = [
    {
      title = "Webhooks a second, by answer"
      query = "sum by (response_code_class) (rate(run_googleapis_com:request_count{monitored_resource=\"cloud_run_revision\",service_name=\"ingress\"}[5m]))"
    },
    {
      title = "Time until a push is acknowledged, 95 %, µs"
      query = "histogram_quantile(0.95, sum by (le, subscription_id) (rate(pubsub_googleapis_com:subscription_push_request_latencies_bucket{monitored_resource=\"pubsub_subscription\"}[5m])))"
    },
    {
      title = "Age of the oldest message, s"
      query = "max by (subscription_id) (pubsub_googleapis_com:subscription_oldest_unacked_message_age{monitored_resource=\"pubsub_subscription\"})"
    },
    {
      title = "Messages that wait; dead letters end in .dead"
      query = "sum by (subscription_id) (pubsub_googleapis_com:subscription_num_undelivered_messages{monitored_resource=\"pubsub_subscription\"})"
    },
    {
      title = "From message to answer, 95 %, ms"
      query = "histogram_quantile(0.95, sum by (le) (rate(logging_googleapis_com:user_rockpool_turn_latency_bucket{monitored_resource=\"cloud_run_revision\"}[15m])))"
    },
    {
      title = "Share of requests that fail, by service"
      query = "sum by (service_name) (rate(run_googleapis_com:request_count{monitored_resource=\"cloud_run_revision\",response_code_class=\"5xx\"}[5m])) / sum by (service_name) (rate(run_googleapis_com:request_count{monitored_resource=\"cloud_run_revision\"}[5m]))"
    },
    {
      title = "Tokens an hour, by tenant"
      query = "sum by (tenant) (increase(logging_googleapis_com:user_rockpool_turn_input_tokens_sum{monitored_resource=\"cloud_run_revision\"}[1h])) + sum by (tenant) (increase(logging_googleapis_com:user_rockpool_turn_output_tokens_sum{monitored_resource=\"cloud_run_revision\"}[1h]))"
    },
    {
      title = "US dollars an hour, by tenant"
      query = "sum by (tenant) (increase(logging_googleapis_com:user_rockpool_turn_cost_sum{monitored_resource=\"cloud_run_revision\"}[1h]))"
    },
    {
      title = "Copies that run, by service"
      query = "sum by (service_name) (run_googleapis_com:container_instance_count{monitored_resource=\"cloud_run_revision\"})"
    },
    {
      title = "Time to start a copy, 95 %, ms"
      query = "histogram_quantile(0.95, sum by (le, service_name) (rate(run_googleapis_com:container_startup_latencies_bucket{monitored_resource=\"cloud_run_revision\"}[30m])))"
    },
    {
      title = "Errors in logs a minute"
      query = "sum(increase(logging_googleapis_com:user_rockpool_errors{monitored_resource=\"cloud_run_revision\"}[1m]))"
    },
  ]

  links = "**[Traces](${local.traces_link})**: one for each message, from its webhook to the last send. **[Logs](${local.logs_link})**: every line names its trace. **[Dead letters](${local.console}/cloudpubsub/subscription/list?project=${var.project_id})** end in `.dead`; `rockpool inbox` puts them back."
}

resource "google_monitoring_dashboard" "rockpool" {
  project = var.project_id

  dashboard_json = jsonencode({
    displayName = "Rockpool"
    mosaicLayout = {
      columns = 12
      tiles = concat(
        [{
          xPos   = 0
          yPos   = 0
          width  = 12
          height = 1
          widget = { title = "Where to look", text = { content = local.links, format = "MARKDOWN" } }
        }],
        [for index, chart in local.charts : {
          xPos   = 6 * (index % 2)
          yPos   = 1 + 4 * floor(index / 2)
          width  = 6
          height = 4
          widget = {
            title = chart.title
            xyChart = {
              dataSets = [{
                plotType        = "LINE"
                timeSeriesQuery = { prometheusQuery = chart.query }
              }]
            }
          }
        }]
      )
    }
  })
}
