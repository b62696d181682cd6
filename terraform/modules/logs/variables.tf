variable "retention_days" {
  description = "Days that the log groups keep."
  type        = number
}

variable "variables" {
  description = "What the templates may name (shared/account.tf)."
  type        = map(string)
}

