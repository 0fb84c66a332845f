variable "project_id" {
  description = "The project of the queues."
  type        = string
}

variable "region" {
  description = "Region of the queues."
  type        = string
}

variable "queues" {
  description = "Queues of the catalogue, by name."
  type = map(object({
    maxDispatchesPerSecond  = number
    maxConcurrentDispatches = number
    maxAttempts             = number
    maxRetryDuration        = string
    minBackoff              = string
    maxBackoff              = string
  }))
}

variable "creators" {
  description = "By queue: who may create tasks in it, as IAM members by app."
  type        = map(map(string))
}

variable "members" {
  description = "Each app as an IAM member, by app."
  type        = map(string)
}

variable "account_names" {
  description = "Resource name of each app's service account, by app."
  type        = map(string)
}
