# Rights that no single resource can give: on documents, on secrets that the platform makes while it runs, and on lists. Everything else is granted on the resource.
locals {
  # The secret of a tenant is named <tenant>_<field>. No tenant's name has a _, and no secret of the platform's own has one.
  of_tenants = "resource.name.extract(\"/secrets/{tenant}_\") != \"\""
  # A pooled host runs no dedicated tenant's agent, so it has no business with that tenant's secrets.
  not_dedicated = join("", [for tenant in var.dedicated_tenants : " && !resource.name.startsWith(\"projects/${var.project_number}/secrets/${tenant}_\")"])
  conditions    = { for name in keys(var.members) : name => "${local.of_tenants}${name == "agent-host" ? local.not_dedicated : ""}" }
  roles = {
    read   = google_project_iam_custom_role.secret_reader.id
    add    = google_project_iam_custom_role.secret_adder.id
    manage = google_project_iam_custom_role.secret_keeper.id
  }
}

resource "google_project_iam_custom_role" "secret_reader" {
  project     = var.project_id
  role_id     = "rockpoolSecretReader"
  title       = "Rockpool: reads secrets of tenants"
  description = "All enabled versions of a secret, because two are valid while one is being replaced."
  permissions = [
    "secretmanager.secrets.get",
    "secretmanager.versions.access",
    "secretmanager.versions.get",
    "secretmanager.versions.list",
  ]
}

resource "google_project_iam_custom_role" "secret_adder" {
  project     = var.project_id
  role_id     = "rockpoolSecretAdder"
  title       = "Rockpool: reads secrets of tenants, and adds values"
  description = "For a key that is made when it is first needed."
  permissions = [
    "secretmanager.secrets.get",
    "secretmanager.versions.access",
    "secretmanager.versions.add",
    "secretmanager.versions.get",
    "secretmanager.versions.list",
  ]
}

resource "google_project_iam_custom_role" "secret_keeper" {
  project     = var.project_id
  role_id     = "rockpoolSecretKeeper"
  title       = "Rockpool: keeps secrets of tenants"
  description = "What an operator's command may do with the secrets of tenants."
  permissions = [
    "secretmanager.secrets.delete",
    "secretmanager.secrets.get",
    "secretmanager.versions.access",
    "secretmanager.versions.add",
    "secretmanager.versions.destroy",
    "secretmanager.versions.disable",
    "secretmanager.versions.get",
    "secretmanager.versions.list",
  ]
}

# To make one, or list them, is a right on the project: no condition on a name can hold there. Neither shows a value.
resource "google_project_iam_custom_role" "secret_creator" {
  project     = var.project_id
  role_id     = "rockpoolSecretCreator"
  title       = "Rockpool: makes secrets"
  description = "Makes a secret that does not exist; reads none."
  permissions = ["secretmanager.secrets.create"]
}

resource "google_project_iam_custom_role" "secret_lister" {
  project     = var.project_id
  role_id     = "rockpoolSecretLister"
  title       = "Rockpool: lists secrets"
  description = "Names of secrets; reads none."
  permissions = ["secretmanager.secrets.list"]
}

resource "google_project_iam_member" "tenant_secrets" {
  for_each = { for name, access in var.tenant_secrets : name => access if access != "none" }

  project = var.project_id
  role    = local.roles[each.value]
  member  = var.members[each.key]

  condition {
    title       = "secrets-of-tenants"
    description = "Only secrets that are named as those of tenants are."
    expression  = local.conditions[each.key]
  }
}

resource "google_project_iam_member" "secret_creator" {
  for_each = { for name, access in var.tenant_secrets : name => access if contains(["add", "manage"], access) }

  project = var.project_id
  role    = google_project_iam_custom_role.secret_creator.id
  member  = var.members[each.key]
}

resource "google_project_iam_member" "secret_lister" {
  for_each = { for name, access in var.tenant_secrets : name => access if access == "manage" }

  project = var.project_id
  role    = google_project_iam_custom_role.secret_lister.id
  member  = var.members[each.key]
}

# Rights on documents end at a database; below it the code decides.
resource "google_project_iam_member" "documents" {
  for_each = var.documents

  project = var.project_id
  role    = "roles/datastore.user"
  member  = var.members[each.value]

  condition {
    title       = "one-database"
    description = "The database of the platform, and no other of the project."
    expression  = "resource.name == \"projects/${var.project_id}/databases/${var.database_id}\""
  }
}

resource "google_project_iam_member" "traces" {
  for_each = var.members

  project = var.project_id
  role    = "roles/cloudtrace.agent"
  member  = each.value
}

# How far a subscription is behind is a metric.
resource "google_project_iam_member" "metrics" {
  for_each = var.metrics_readers

  project = var.project_id
  role    = "roles/monitoring.viewer"
  member  = var.members[each.value]
}

# A deployment looks for the services of its app: a dedicated tenant has one of its own.
resource "google_project_iam_member" "deployer_lists" {
  for_each = var.deployers

  project = var.project_id
  role    = "roles/run.viewer"
  member  = each.value
}
