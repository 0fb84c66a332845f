variable "project_id" {
  description = "The project of topics and subscriptions."
  type        = string
}

variable "region" {
  description = "The only region that messages are stored in."
  type        = string
}

variable "topics" {
  description = "Topics of the catalogue, by name."
  type = map(object({
    ordered     = bool
    description = string
  }))
}

variable "subscriptions" {
  description = "Subscriptions of the catalogue, by name."
  type = map(object({
    topic               = string
    app                 = string
    deadLetter          = string
    ordered             = bool
    filter              = string
    maxDeliveryAttempts = number
    minimumBackoff      = string
    maximumBackoff      = string
    ackDeadlineSeconds  = number
  }))
}

variable "delivery" {
  description = "push: Pub/Sub calls the app, which may scale to zero. pull: the app fetches, and needs an instance that always runs."
  type        = string
  default     = "push"

  validation {
    condition     = contains(["push", "pull"], var.delivery)
    error_message = "delivery is push or pull."
  }
}

variable "endpoints" {
  description = "URL of each app, by app. It is the audience of push tokens too."
  type        = map(string)
}

variable "emails" {
  description = "Address of each app's service account, by app."
  type        = map(string)
}

variable "account_names" {
  description = "Resource name of each app's service account, by app."
  type        = map(string)
}

variable "members" {
  description = "Each app as an IAM member, by app."
  type        = map(string)
}

variable "publishers" {
  description = "By topic: who may publish to it, as IAM members by app."
  type        = map(map(string))
}

variable "operators" {
  description = "Who may read, put back and remove dead letters, as IAM members by app."
  type        = map(string)
}

variable "kms_key" {
  description = "Key that encrypts messages; null for Google's own."
  type        = string
  default     = null
}

variable "labels" {
  description = "Labels of topics and subscriptions."
  type        = map(string)
  default     = {}
}
