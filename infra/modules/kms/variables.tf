variable "project_id" {
  description = "The project of the key."
  type        = string
}

variable "location" {
  description = "Where the key is kept; it has to be where what it encrypts is."
  type        = string
}

variable "labels" {
  description = "Labels of the key."
  type        = map(string)
  default     = {}
}
