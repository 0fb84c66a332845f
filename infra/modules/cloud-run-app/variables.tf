variable "project_id" {
  description = "The project of the service."
  type        = string
}

variable "region" {
  description = "Region of the service."
  type        = string
}

variable "name" {
  description = "Name of the service."
  type        = string
}

variable "app" {
  description = "The app whose image it runs; several services may run one app."
  type        = string
}

variable "image" {
  description = "Image of the first revision, before the first deployment."
  type        = string
}

variable "public" {
  description = "Whether requests from the internet reach it. Without that, only the project's own network, Pub/Sub, Tasks and Scheduler do."
  type        = bool
}

variable "service_account" {
  description = "Address of the service account it runs as."
  type        = string
}

variable "scaling" {
  description = "How many copies run, and what each is given; as in the catalogue."
  type = object({
    cpu            = number
    memoryMib      = number
    concurrency    = number
    minInstances   = number
    maxInstances   = number
    timeoutSeconds = number
    cpuAllocation  = string
  })
}

variable "variables" {
  description = "Environment variables."
  type        = map(string)
}

variable "secret_variables" {
  description = "Environment variables whose values are secrets, as names of secrets that have a value."
  type        = map(string)
  default     = {}
}

variable "callers" {
  description = "Who may send it requests, as IAM members by app."
  type        = map(string)
}

variable "deployers" {
  description = "Who may deploy it, as IAM members."
  type        = set(string)
  default     = []
}

variable "network" {
  description = "The network through which it reaches internal services; null for an app that calls none."
  type        = object({ network = string, subnetwork = string })
  default     = null
}

variable "collector" {
  description = "The OpenTelemetry collector beside the app; null for none."
  type        = object({ image = string, config_secret = string, config_version = string })
  default     = null
}

variable "deletion_protection" {
  description = "Refuses to delete the service."
  type        = bool
  default     = true
}

variable "labels" {
  description = "Labels of the service."
  type        = map(string)
  default     = {}
}
