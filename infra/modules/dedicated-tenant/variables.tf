variable "project_id" {
  description = "The project of the host."
  type        = string
}

variable "project_number" {
  description = "Its number."
  type        = string
}

variable "region" {
  description = "Region of the host and its files."
  type        = string
}

variable "location" {
  description = "Where its documents are kept."
  type        = string
}

variable "tenant" {
  description = "Id of the tenant."
  type        = string
}

variable "image" {
  description = "Image of the first revision, before the first deployment."
  type        = string
}

variable "scaling" {
  description = "How many copies run, and what each is given."
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
  description = "Environment variables of the pooled host; those that name its own things are replaced."
  type        = map(string)
}

variable "secret_variables" {
  description = "The platform's model keys, as names of secrets by environment variable."
  type        = map(string)
}

variable "callers" {
  description = "Who may send it requests, as IAM members by app."
  type        = map(string)
}

variable "document_members" {
  description = "Apps of the platform that read and write the tenant's documents too, as IAM members by app."
  type        = map(string)
}

variable "secret_reader_role" {
  description = "Id of the role that reads secrets of tenants."
  type        = string
}

variable "indexes" {
  description = "Composite indexes, as firestore.indexes.json has them."
  type = list(object({
    collectionGroup = string
    queryScope      = string
    fields          = list(object({ fieldPath = string, order = string }))
  }))
}

variable "field_overrides" {
  description = "Indexes and expiry of single fields, as firestore.indexes.json has them."
  type = list(object({
    collectionGroup = string
    fieldPath       = string
    ttl             = optional(bool, false)
    indexes         = list(object({ order = string, queryScope = string }))
  }))
}

variable "collector" {
  description = "The OpenTelemetry collector beside the host; null for none."
  type        = object({ image = string, config_secret = string, config_version = string })
  default     = null
}

variable "deployers" {
  description = "Who may deploy it, as IAM members."
  type        = set(string)
  default     = []
}

variable "deletion_protection" {
  description = "Refuses to delete the service and the database."
  type        = bool
  default     = true
}

variable "kms_key" {
  description = "Key that encrypts documents and files; null for Google's own."
  type        = string
  default     = null
}

variable "labels" {
  description = "Labels of everything that can have some."
  type        = map(string)
  default     = {}
}
