variable "project_id" {
  description = "The project the repository is made in."
  type        = string
}

variable "region" {
  description = "Where images are kept; best where they run."
  type        = string
}

variable "kms_key" {
  description = "Key that encrypts images; null for Google's own."
  type        = string
  default     = null
}

variable "writers" {
  description = "IAM members that may push images."
  type        = set(string)
  default     = []
}

variable "labels" {
  description = "Labels of the repository."
  type        = map(string)
  default     = {}
}
