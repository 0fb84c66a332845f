variable "project_id" {
  description = "The project that is watched."
  type        = string
}

variable "alert_emails" {
  description = "Who is told of alerts. Nobody: they are seen in the console only."
  type        = set(string)
  default     = []
}

variable "receiving_subscription" {
  description = "The subscription whose messages are acknowledged at once, because they only have to be written down."
  type        = string
}

variable "ack_latency_seconds" {
  description = "How long that may take for 95 % of messages."
  type        = number
  default     = 10
}

variable "backlog_age_seconds" {
  description = "How old the oldest message that waits may be."
  type        = number
  default     = 600
}

variable "turn_latency_seconds" {
  description = "How long 95 % of answers may take, from the message on."
  type        = number
  default     = 120
}

variable "error_ratio" {
  description = "Share of a service's requests that may end with 5xx."
  type        = number
  default     = 0.05
}

variable "tokens_per_hour" {
  description = "Tokens that all tenants together may spend in an hour."
  type        = number
  default     = 2000000
}

variable "labels" {
  description = "Labels of alert policies."
  type        = map(string)
  default     = {}
}
