variable "project_id" {
  description = "The project of the jobs."
  type        = string
}

variable "region" {
  description = "Region that the jobs run in."
  type        = string
}

variable "triggers" {
  description = "What is posted to, when, and in whose name."
  type = map(object({
    app             = string
    name            = string
    path            = string
    cron            = string
    deadlineSeconds = number
    url             = string
    email           = string
  }))
}
