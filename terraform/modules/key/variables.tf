variable "purpose" {
  description = "What the key is for: last part of its alias, and of the name of its policy in policies/."
  type        = string
}

variable "variables" {
  description = "What the templates may name (shared/account.tf)."
  type        = map(string)
}

variable "deletion_days" {
  description = "Days that a deleted key can still be brought back."
  type        = number
}

variable "protected" {
  description = "Whether the key is kept from being destroyed."
  type        = bool
}

variable "signing" {
  description = "Whether the key signs (ECDSA, P-256) instead of encrypting."
  type        = bool
  default     = false
}
