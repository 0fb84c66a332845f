variable "project_id" {
  description = "The project that holds the platform, and nothing else."
  type        = string
}

variable "region" {
  description = "Where everything runs and is kept."
  type        = string
  default     = "europe-west1"
}

variable "firestore_location" {
  description = "Where documents are kept, when not in the region: eur3 or nam5. It can never be changed."
  type        = string
  default     = null

  validation {
    condition     = var.firestore_location == null || !var.customer_managed_key
    error_message = "The key of yours is kept in the region, so documents have to be there too: leave firestore_location out, or customer_managed_key."
  }
}

variable "database_id" {
  description = "Name of the Firestore database."
  type        = string
  default     = "(default)"
}

variable "public_url" {
  description = "https URL of your own under which channels reach the ingress; null for Cloud Run's."
  type        = string
  default     = null
}

variable "tenants_file" {
  description = "Path of tenants.yaml: tenants whose host.mode is dedicated get a host of their own. Null: no tenant does."
  type        = string
  default     = null
}

variable "secrets_with_value" {
  description = "Environment variables whose secret has a value by now, such as ANTHROPIC_API_KEY. A service that names an empty secret does not start."
  type        = set(string)
  default     = []
}

variable "deployers" {
  description = "Who may push images and deploy, as IAM members: the account of CI."
  type        = set(string)
  default     = []
}

variable "scaling" {
  description = "What of an app's scaling differs from the catalogue, by app."
  type = map(object({
    cpu            = optional(number)
    memoryMib      = optional(number)
    concurrency    = optional(number)
    minInstances   = optional(number)
    maxInstances   = optional(number)
    timeoutSeconds = optional(number)
    cpuAllocation  = optional(string)
  }))
  default = {}
}

variable "delivery" {
  description = "push: the dispatcher scales to zero. pull: it needs minInstances 1 and cpuAllocation always."
  type        = string
  default     = "push"

  validation {
    condition     = var.delivery == "push" || (var.delivery == "pull" && try(var.scaling["dispatcher"].minInstances >= 1 && var.scaling["dispatcher"].cpuAllocation == "always", false))
    error_message = "delivery is push, or pull with scaling = { dispatcher = { minInstances = 1, cpuAllocation = \"always\" } }: nobody wakes a dispatcher that has to fetch."
  }
}

variable "log_level" {
  description = "Least severe level that apps write."
  type        = string
  default     = "info"
}

variable "turn_timeout_ms" {
  description = "Longest time one answer may take."
  type        = number
  default     = 300000
}

variable "promote_after_ms" {
  description = "A turn that works for so long and has more to do goes on as a job."
  type        = number
  default     = 90000
}

variable "collector_image" {
  description = "Image of an OpenTelemetry collector with the googlecloud exporter, to run beside each app; null for none."
  type        = string
  default     = null
}

variable "otlp_endpoint" {
  description = "OTLP/HTTP collector elsewhere that takes spans; null for none. Not used with collector_image."
  type        = string
  default     = null
}

variable "first_image" {
  description = "What services run until the first deployment. It has to answer any path on port 8080."
  type        = string
  default     = "us-docker.pkg.dev/cloudrun/container/hello"
}

variable "customer_managed_key" {
  description = "Encrypts messages, documents, files, the platform's secrets and images with a key of yours. It cannot be changed later for documents."
  type        = bool
  default     = false
}

variable "deletion_protection" {
  description = "Refuses to delete services and documents."
  type        = bool
  default     = true
}

variable "subnet_range" {
  description = "Addresses of the subnetwork."
  type        = string
  default     = "10.64.0.0/24"
}

variable "alert_emails" {
  description = "Who is told of alerts."
  type        = set(string)
  default     = []
}

variable "tokens_per_hour" {
  description = "Tokens that all tenants together may spend in an hour before somebody is told."
  type        = number
  default     = 2000000
}

variable "labels" {
  description = "Labels of everything that can have some."
  type        = map(string)
  default     = {}
}
