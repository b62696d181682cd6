variable "key_arn" {
  description = "ARN of a key that EventBridge, CloudWatch and Budgets may use."
  type        = string
}

variable "addresses" {
  description = "E-mail addresses that subscribe to the topic."
  type        = set(string)
}

variable "variables" {
  description = "What the templates may name (shared/account.tf)."
  type        = map(string)
}

