variable "project_id" {
  description = "An empty project with billing."
  type        = string
}

variable "region" {
  description = "Where the state is kept."
  type        = string
  default     = "europe-west1"
}

variable "github_repository_id" {
  description = "Number of the repository that deploys: gh api repos/OWNER/NAME --jq .id"
  type        = string

  validation {
    condition     = can(regex("^[0-9]+$", var.github_repository_id))
    error_message = "The id of a repository is a number; its name is not safe, because names can be taken over."
  }
}

variable "deployed_branch" {
  description = "The only branch that is deployed from."
  type        = string
  default     = "main"
}
