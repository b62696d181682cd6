variable "protected" {
  description = "Whether repositories that hold images are kept from being destroyed."
  type        = bool
}

variable "variables" {
  description = "What the templates may name (shared/account.tf)."
  type        = map(string)
}

