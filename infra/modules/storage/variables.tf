variable "project_id" {
  description = "The project of the bucket."
  type        = string
}

variable "name" {
  description = "Name of the bucket; the only one of its name in the world."
  type        = string
}

variable "location" {
  description = "Where files are kept."
  type        = string
}

variable "users" {
  description = "Who may read and write files, as IAM members by app."
  type        = map(string)
}

variable "account_names" {
  description = "Resource name of each user's service account, by app."
  type        = map(string)
}

variable "kms_key" {
  description = "Key that encrypts files; null for Google's own."
  type        = string
  default     = null
}

variable "labels" {
  description = "Labels of the bucket."
  type        = map(string)
  default     = {}
}
