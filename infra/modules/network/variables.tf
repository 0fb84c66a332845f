variable "project_id" {
  description = "The project of the network."
  type        = string
}

variable "region" {
  description = "Region of the subnetwork: where the services run."
  type        = string
}

variable "subnet_range" {
  description = "Addresses of instances that call internal services; a /24 is enough for about 120 of them."
  type        = string
}

variable "labels" {
  description = "Labels of the zone."
  type        = map(string)
  default     = {}
}
