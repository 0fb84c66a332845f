# To try things in: everything scales to zero and may be deleted.
module "rockpool" {
  source = "../../modules/rockpool"

  project_id          = var.project_id
  region              = var.region
  public_url          = var.public_url
  tenants_file        = var.tenants_file
  secrets_with_value  = var.secrets_with_value
  deployers           = var.deployers
  alert_emails        = var.alert_emails
  collector_image     = var.collector_image
  tokens_per_hour     = var.tokens_per_hour
  log_level           = "debug"
  deletion_protection = false
  labels              = { environment = "dev" }

  scaling = {
    ingress    = { maxInstances = 2 }
    dispatcher = { maxInstances = 2 }
    agent-host = { maxInstances = 2 }
    scheduler  = { maxInstances = 1 }
    console    = { maxInstances = 1 }
  }
}
