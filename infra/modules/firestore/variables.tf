variable "project_id" {
  description = "The project of the database."
  type        = string
}

variable "database_id" {
  description = "Name of the database; (default) has a free tier."
  type        = string
}

variable "location" {
  description = "Where documents are kept: a region, or eur3 or nam5 for several. It can never be changed."
  type        = string
}

variable "delete_protection" {
  description = "Refuses to delete the database, whoever asks."
  type        = bool
  default     = true
}

variable "backup_retention_days" {
  description = "How long the backup of each day is kept, besides the 7 days that any minute can be read back from."
  type        = number
  default     = 14
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

variable "kms_key" {
  description = "Key that encrypts documents; null for Google's own. It can never be changed."
  type        = string
  default     = null
}
