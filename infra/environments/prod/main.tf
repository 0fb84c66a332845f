# One ingress is always warm, because channels wait for an answer; everything else starts when it is needed. Nothing that holds data can be deleted by mistake.
module "rockpool" {
  source = "../../modules/rockpool"

  project_id           = var.project_id
  region               = var.region
  public_url           = var.public_url
  tenants_file         = var.tenants_file
  secrets_with_value   = var.secrets_with_value
  deployers            = var.deployers
  alert_emails         = var.alert_emails
  collector_image      = var.collector_image
  tokens_per_hour      = var.tokens_per_hour
  customer_managed_key = true
  deletion_protection  = true
  labels               = { environment = "prod" }

  scaling = {
    ingress = { minInstances = 1 }
  }
}
