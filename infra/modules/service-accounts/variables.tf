variable "project_id" {
  description = "The project of the accounts."
  type        = string
}

variable "apps" {
  description = "Names of the apps."
  type        = set(string)
}

variable "deployers" {
  description = "Who may deploy services that run as these accounts, as IAM members."
  type        = set(string)
  default     = []
}
