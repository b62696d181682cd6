variable "monthly_usd" {
  description = "What the account may cost in a month, in US dollars."
  type        = number

  validation {
    condition     = var.monthly_usd >= 1
    error_message = "The budget must be at least 1 US dollar."
  }
}

variable "topic_arn" {
  description = "ARN of the topic that is told."
  type        = string
}

variable "variables" {
  description = "What the templates may name (shared/account.tf)."
  type        = map(string)
}

