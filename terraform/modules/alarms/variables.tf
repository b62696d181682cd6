variable "variables" {
  description = "What the templates may name (shared/account.tf)."
  type        = map(string)
}

