variable "project_id" {
  description = "The project of this environment; it holds nothing else."
  type        = string
}

variable "region" {
  description = "Where everything runs and is kept."
  type        = string
  default     = "europe-west1"
}

variable "public_url" {
  description = "https URL of your own under which channels reach the ingress; null for Cloud Run's."
  type        = string
  default     = null
}

variable "tenants_file" {
  description = "Path of tenants.yaml, for tenants that have a host of their own; null for none."
  type        = string
  default     = null
}

variable "secrets_with_value" {
  description = "Environment variables whose secret has a value by now, such as ANTHROPIC_API_KEY."
  type        = set(string)
  default     = []
}

variable "deployers" {
  description = "Who may push images and deploy, as IAM members: serviceAccount:<the deployer of bootstrap>."
  type        = set(string)
  default     = []
}

variable "alert_emails" {
  description = "Who is told of alerts."
  type        = set(string)
  default     = []
}

variable "collector_image" {
  description = "Image of an OpenTelemetry collector with the googlecloud exporter, to run beside each app; null for none."
  type        = string
  default     = null
}

variable "tokens_per_hour" {
  description = "Tokens that all tenants together may spend in an hour before somebody is told."
  type        = number
  default     = 2000000
}
