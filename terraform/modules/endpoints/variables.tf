variable "subnet_ids" {
  description = "Subnets that the jobs run in; all of one VPC."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) > 0
    error_message = "Endpoints need the subnets that jobs run in."
  }
}

variable "security_group_ids" {
  description = "Security groups of the jobs; they must let HTTPS through among themselves."
  type        = list(string)
}

variable "variables" {
  description = "What the templates may name (shared/account.tf)."
  type        = map(string)
}

