variable "archive" {
  description = "Path of the functions' archive."
  type        = string
}

variable "variables" {
  description = "What the templates may name (shared/account.tf)."
  type        = map(string)
}

