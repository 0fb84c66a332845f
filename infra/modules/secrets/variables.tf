variable "project_id" {
  description = "The project of the secrets."
  type        = string
}

variable "region" {
  description = "The only region that values are stored in."
  type        = string
}

variable "readers" {
  description = "By environment variable: who may read its value, as IAM members by app."
  type        = map(map(string))
}

variable "kms_key" {
  description = "Key that encrypts values; null for Google's own."
  type        = string
  default     = null
}

variable "labels" {
  description = "Labels of the secrets."
  type        = map(string)
  default     = {}
}
