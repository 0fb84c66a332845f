# The whole platform in one project. What there is of it the code says, in catalogue.json and firestore.indexes.json; here is only how that becomes resources.
locals {
  catalogue = jsondecode(file("${path.module}/../../catalogue.json"))
  firestore = jsondecode(file("${path.module}/../../firestore.indexes.json"))
  apps      = local.catalogue.apps

  labels = merge(var.labels, { managed-by = "terraform", part-of = "rockpool" })
  number = data.google_project.project.number
  bucket = "${var.project_id}-rockpool"

  # Cloud Run's own name for a service that does not exist yet, so that services can be told of each other before they are made.
  urls    = { for name in keys(local.apps) : name => "https://${name}-${local.number}.${var.region}.run.app" }
  members = module.service_accounts.members

  # Whoever calls an app, and the app itself where Pub/Sub and Scheduler call it in its name.
  callers = {
    for name, app in local.apps : name => {
      for caller, spec in local.apps : caller => local.members[caller]
      if contains(spec.calls, name) || (caller == name && length(spec.consumes) + length(spec.triggers) > 0)
    }
  }

  values = tomap({
    GOOGLE_CLOUD_PROJECT        = var.project_id
    OTEL_EXPORTER_OTLP_ENDPOINT = var.collector_image == null ? var.otlp_endpoint : "http://127.0.0.1:4318"
    ROCKPOOL_AGENT_HOST_URL     = local.urls["agent-host"]
    ROCKPOOL_BUCKET             = local.bucket
    ROCKPOOL_BUS_DELIVERY       = var.delivery
    ROCKPOOL_DISPATCHER_URL     = local.urls["dispatcher"]
    ROCKPOOL_ENGINE             = "google"
    ROCKPOOL_FIRESTORE_DATABASE = var.database_id
    ROCKPOOL_LOG_LEVEL          = var.log_level
    ROCKPOOL_PROMOTE_AFTER_MS   = tostring(var.promote_after_ms)
    ROCKPOOL_PUBLIC_URL         = var.public_url == null ? local.urls["ingress"] : var.public_url
    ROCKPOOL_REGION             = var.region
    ROCKPOOL_SCHEDULER_URL      = local.urls["scheduler"]
    ROCKPOOL_TURN_TIMEOUT_MS    = tostring(var.turn_timeout_ms)
  })
  variables = {
    for name, app in local.apps : name => { for variable in app.variables : variable => local.values[variable] if local.values[variable] != null }
  }
  secret_variables = {
    for name, app in local.apps : name => {
      for variable in app.secretVariables : variable => module.secrets.secret_ids[variable] if contains(var.secrets_with_value, variable)
    }
  }
  scaling = {
    for name, app in local.apps : name => merge(app.scaling, { for key, value in try(var.scaling[name], {}) : key => value if value != null })
  }

  tenants   = try(yamldecode(var.tenants_file == null ? "{}" : file(var.tenants_file)).tenants, {})
  dedicated = { for tenant, spec in local.tenants : tenant => spec if try(spec.host.mode, "pooled") == "dedicated" }

  collector = var.collector_image == null ? null : {
    image          = var.collector_image
    config_secret  = google_secret_manager_secret.collector[0].secret_id
    config_version = google_secret_manager_secret_version.collector[0].version
  }
}

data "google_project" "project" {
  project_id = var.project_id
}

module "project_services" {
  source = "../project-services"

  project_id = var.project_id
  services = toset([
    "artifactregistry.googleapis.com",
    "cloudkms.googleapis.com",
    "cloudscheduler.googleapis.com",
    "cloudtasks.googleapis.com",
    "cloudtrace.googleapis.com",
    "compute.googleapis.com",
    "dns.googleapis.com",
    "firestore.googleapis.com",
    "iam.googleapis.com",
    "iamcredentials.googleapis.com",
    "logging.googleapis.com",
    "monitoring.googleapis.com",
    "pubsub.googleapis.com",
    "run.googleapis.com",
    "secretmanager.googleapis.com",
    "storage.googleapis.com",
  ])
}

module "kms" {
  source = "../kms"
  count  = var.customer_managed_key ? 1 : 0

  project_id = var.project_id
  location   = var.region
  labels     = local.labels

  depends_on = [module.project_services]
}

module "artifact_registry" {
  source = "../artifact-registry"

  project_id = var.project_id
  region     = var.region
  kms_key    = one(module.kms[*].key)
  writers    = var.deployers
  labels     = local.labels

  depends_on = [module.project_services]
}

module "service_accounts" {
  source = "../service-accounts"

  project_id = var.project_id
  apps       = toset(keys(local.apps))
  deployers  = var.deployers

  depends_on = [module.project_services]
}

module "iam" {
  source = "../iam"

  project_id        = var.project_id
  project_number    = local.number
  members           = local.members
  tenant_secrets    = { for name, app in local.apps : name => app.tenantSecrets }
  documents         = toset([for name, app in local.apps : name if app.documents])
  database_id       = module.firestore.database_id
  metrics_readers   = toset([for name, app in local.apps : name if app.watchesBus])
  dedicated_tenants = toset(keys(local.dedicated))
  deployers         = var.deployers
}

module "network" {
  source = "../network"

  project_id   = var.project_id
  region       = var.region
  subnet_range = var.subnet_range
  labels       = local.labels

  depends_on = [module.project_services]
}

module "pubsub" {
  source = "../pubsub"

  project_id    = var.project_id
  region        = var.region
  topics        = local.catalogue.topics
  subscriptions = local.catalogue.subscriptions
  delivery      = var.delivery
  endpoints     = local.urls
  emails        = module.service_accounts.emails
  account_names = module.service_accounts.names
  members       = local.members
  publishers = {
    for topic in keys(local.catalogue.topics) : topic => { for name, app in local.apps : name => local.members[name] if contains(app.publishes, topic) }
  }
  operators = { for name, app in local.apps : name => local.members[name] if app.operatesBus }
  kms_key   = one(module.kms[*].key)
  labels    = local.labels

  depends_on = [module.project_services]
}

module "firestore" {
  source = "../firestore"

  project_id        = var.project_id
  database_id       = var.database_id
  location          = var.firestore_location == null ? var.region : var.firestore_location
  delete_protection = var.deletion_protection
  indexes           = local.firestore.indexes
  field_overrides   = local.firestore.fieldOverrides
  kms_key           = one(module.kms[*].key)

  depends_on = [module.project_services]
}

module "tasks" {
  source = "../tasks"

  project_id    = var.project_id
  region        = var.region
  queues        = local.catalogue.queues
  members       = local.members
  account_names = module.service_accounts.names
  creators = {
    for queue in keys(local.catalogue.queues) : queue => { for name, app in local.apps : name => local.members[name] if contains(app.createsTasksIn, queue) }
  }

  depends_on = [module.project_services]
}

module "storage" {
  source = "../storage"

  project_id    = var.project_id
  name          = local.bucket
  location      = var.region
  users         = { for name, app in local.apps : name => local.members[name] if app.blobs }
  account_names = module.service_accounts.names
  kms_key       = one(module.kms[*].key)
  labels        = local.labels

  depends_on = [module.project_services]
}

module "secrets" {
  source = "../secrets"

  project_id = var.project_id
  region     = var.region
  readers = {
    for variable in toset(flatten([for app in local.apps : app.secretVariables])) : variable => {
      for name, app in local.apps : name => local.members[name] if contains(app.secretVariables, variable)
    }
  }
  kms_key = one(module.kms[*].key)
  labels  = local.labels

  depends_on = [module.project_services]
}

# The collector's configuration holds no secret; a secret is how Cloud Run mounts a file.
resource "google_secret_manager_secret" "collector" {
  count = var.collector_image == null ? 0 : 1

  project   = var.project_id
  secret_id = "collector-config"
  labels    = local.labels

  replication {
    auto {}
  }

  depends_on = [module.project_services]
}

resource "google_secret_manager_secret_version" "collector" {
  count = var.collector_image == null ? 0 : 1

  secret      = google_secret_manager_secret.collector[0].id
  secret_data = file("${path.module}/collector.yaml")
}

resource "google_secret_manager_secret_iam_member" "collector" {
  for_each = toset([for name in keys(local.apps) : name if var.collector_image != null])

  project   = var.project_id
  secret_id = google_secret_manager_secret.collector[0].secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = local.members[each.key]
}

module "app" {
  source   = "../cloud-run-app"
  for_each = local.apps

  project_id          = var.project_id
  region              = var.region
  name                = each.key
  app                 = each.key
  image               = var.first_image
  public              = each.value.public
  service_account     = module.service_accounts.emails[each.key]
  scaling             = local.scaling[each.key]
  variables           = local.variables[each.key]
  secret_variables    = local.secret_variables[each.key]
  callers             = local.callers[each.key]
  deployers           = var.deployers
  network             = length(each.value.calls) > 0 ? { network = module.network.network, subnetwork = module.network.subnetwork } : null
  collector           = local.collector
  deletion_protection = var.deletion_protection
  labels              = local.labels

  # A copy that starts before its rights would not become ready.
  depends_on = [module.iam, module.secrets, module.storage, google_secret_manager_secret_iam_member.collector]
}

module "scheduler" {
  source = "../scheduler"

  project_id = var.project_id
  region     = var.region
  triggers = merge([
    for name, app in local.apps : {
      for trigger in app.triggers : "${name}-${trigger.name}" => merge(trigger, { app = name, url = local.urls[name], email = module.service_accounts.emails[name] })
    }
  ]...)

  depends_on = [module.app]
}

module "dedicated_tenant" {
  source   = "../dedicated-tenant"
  for_each = local.dedicated

  project_id          = var.project_id
  project_number      = local.number
  region              = var.region
  location            = var.firestore_location == null ? var.region : var.firestore_location
  tenant              = each.key
  image               = var.first_image
  scaling             = local.scaling["agent-host"]
  variables           = local.variables["agent-host"]
  secret_variables    = local.secret_variables["agent-host"]
  callers             = local.callers["agent-host"]
  document_members    = { for name, app in local.apps : name => local.members[name] if app.documents && name != "agent-host" }
  secret_reader_role  = module.iam.secret_reader_role
  indexes             = local.firestore.indexes
  field_overrides     = local.firestore.fieldOverrides
  deployers           = var.deployers
  deletion_protection = var.deletion_protection
  kms_key             = one(module.kms[*].key)
  labels              = local.labels

  depends_on = [module.project_services]
}

module "monitoring" {
  source = "../monitoring"

  project_id             = var.project_id
  alert_emails           = var.alert_emails
  receiving_subscription = "inbound-messages.dispatcher"
  tokens_per_hour        = var.tokens_per_hour
  labels                 = local.labels

  depends_on = [module.project_services]
}
