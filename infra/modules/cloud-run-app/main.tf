locals {
  collector = var.collector == null ? [] : [var.collector]
}

resource "google_cloud_run_v2_service" "app" {
  project             = var.project_id
  location            = var.region
  name                = var.name
  description         = "Rockpool ${var.app}"
  ingress             = var.public ? "INGRESS_TRAFFIC_ALL" : "INGRESS_TRAFFIC_INTERNAL_ONLY"
  deletion_protection = var.deletion_protection
  labels              = merge(var.labels, { rockpool-app = var.app })

  template {
    service_account                  = var.service_account
    timeout                          = "${var.scaling.timeoutSeconds}s"
    max_instance_request_concurrency = var.scaling.concurrency
    execution_environment            = "EXECUTION_ENVIRONMENT_GEN2"
    labels                           = merge(var.labels, { rockpool-app = var.app })

    scaling {
      min_instance_count = var.scaling.minInstances
      max_instance_count = var.scaling.maxInstances
    }

    containers {
      name  = "app"
      image = var.image

      ports {
        container_port = 8080
      }

      resources {
        cpu_idle          = var.scaling.cpuAllocation == "request"
        startup_cpu_boost = true
        limits = {
          cpu    = tostring(var.scaling.cpu)
          memory = "${var.scaling.memoryMib}Mi"
        }
      }

      dynamic "env" {
        for_each = var.variables

        content {
          name  = env.key
          value = env.value
        }
      }

      dynamic "env" {
        for_each = var.secret_variables

        content {
          name = env.key

          value_source {
            secret_key_ref {
              secret  = env.value
              version = "latest"
            }
          }
        }
      }

      startup_probe {
        period_seconds    = 1
        timeout_seconds   = 1
        failure_threshold = 120

        http_get {
          path = "/readyz"
        }
      }

      liveness_probe {
        period_seconds    = 15
        timeout_seconds   = 5
        failure_threshold = 4

        http_get {
          path = "/healthz"
        }
      }
    }

    # The app does not wait for it: a first span that comes too early is sent again.
    dynamic "containers" {
      for_each = local.collector

      content {
        name  = "collector"
        image = containers.value.image
        args  = ["--config=/etc/rockpool-collector/config.yaml"]

        resources {
          cpu_idle = var.scaling.cpuAllocation == "request"
          limits = {
            cpu    = "1"
            memory = "256Mi"
          }
        }

        startup_probe {
          period_seconds    = 1
          timeout_seconds   = 1
          failure_threshold = 30

          http_get {
            path = "/"
            port = 13133
          }
        }

        volume_mounts {
          name       = "collector"
          mount_path = "/etc/rockpool-collector"
        }
      }
    }

    dynamic "volumes" {
      for_each = local.collector

      content {
        name = "collector"

        secret {
          secret = volumes.value.config_secret

          items {
            path    = "config.yaml"
            version = volumes.value.config_version
          }
        }
      }
    }

    dynamic "vpc_access" {
      for_each = var.network == null ? [] : [var.network]

      content {
        egress = "PRIVATE_RANGES_ONLY"

        network_interfaces {
          network    = vpc_access.value.network
          subnetwork = vpc_access.value.subnetwork
        }
      }
    }
  }

  # Terraform decides how the app runs; which image runs, and who gets the traffic, is the deployment's.
  lifecycle {
    ignore_changes = [client, client_version, traffic, template[0].containers[0].image, template[0].revision]
  }
}

resource "google_cloud_run_v2_service_iam_member" "caller" {
  for_each = var.callers

  project  = var.project_id
  location = var.region
  name     = google_cloud_run_v2_service.app.name
  role     = "roles/run.invoker"
  member   = each.value
}

resource "google_cloud_run_v2_service_iam_member" "anyone" {
  count = var.public ? 1 : 0

  project  = var.project_id
  location = var.region
  name     = google_cloud_run_v2_service.app.name
  role     = "roles/run.invoker"
  member   = "allUsers"
}

resource "google_cloud_run_v2_service_iam_member" "deployer" {
  for_each = var.deployers

  project  = var.project_id
  location = var.region
  name     = google_cloud_run_v2_service.app.name
  role     = "roles/run.developer"
  member   = each.value
}
