variable "layer" {
  description = "Which of the roles of policies/roles.json to make: those of bootstrap or of foundation."
  type        = string

  validation {
    condition     = contains(["bootstrap", "foundation"], var.layer)
    error_message = "The layer must be bootstrap or foundation."
  }
}

variable "in_vpc" {
  description = "Whether jobs run in a VPC, and their roles may make network interfaces there."
  type        = bool
}

variable "variables" {
  description = "What the templates may name (shared/account.tf)."
  type        = map(string)
}

