variable "project_id" {
  description = "The project that rights are given in."
  type        = string
}

variable "project_number" {
  description = "Its number: names of secrets in conditions have the number, not the id."
  type        = string
}

variable "members" {
  description = "Each app as an IAM member, by app."
  type        = map(string)
}

variable "tenant_secrets" {
  description = "By app: none, read, add or manage; as in the catalogue."
  type        = map(string)
}

variable "documents" {
  description = "Apps that read and write documents."
  type        = set(string)
}

variable "database_id" {
  description = "The database they read and write."
  type        = string
}

variable "metrics_readers" {
  description = "Apps that show how far subscriptions are behind."
  type        = set(string)
}

variable "dedicated_tenants" {
  description = "Tenants that have a host of their own."
  type        = set(string)
}

variable "deployers" {
  description = "Who may deploy, as IAM members."
  type        = set(string)
  default     = []
}
