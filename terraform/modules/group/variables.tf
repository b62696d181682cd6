variable "protected" {
  description = "Whether the group is kept from being destroyed."
  type        = bool
}

variable "variables" {
  description = "What the templates may name (shared/account.tf)."
  type        = map(string)
}

