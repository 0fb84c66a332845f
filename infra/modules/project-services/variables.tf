variable "project_id" {
  description = "The project whose APIs are switched on."
  type        = string
}

variable "services" {
  description = "Names of APIs, such as run.googleapis.com."
  type        = set(string)
}
