variable "purpose" {
  description = "What the bucket is for: the name of its policy in policies/ ends with it."
  type        = string
}

variable "name" {
  description = "Name of the bucket."
  type        = string
}

variable "key_arn" {
  description = "ARN of the key that encrypts its objects."
  type        = string
}

variable "sends_events" {
  description = "Whether EventBridge is told of its objects."
  type        = bool
  default     = false
}

variable "keeps_all_versions" {
  description = "Whether overwritten versions stay for good, instead of as long as policies/lifecycle.json says."
  type        = bool
  default     = false
}

variable "protected" {
  description = "Whether the bucket is kept from being destroyed; otherwise it goes with all it holds."
  type        = bool
}

variable "variables" {
  description = "What the templates may name (shared/account.tf)."
  type        = map(string)
}

