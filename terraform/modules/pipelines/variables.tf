variable "definitions" {
  description = "Folder of the rendered definitions, one <pipeline>.json each."
  type        = string
}

variable "function_versions" {
  description = "Function → published version that the definitions name."
  type        = map(string)
}

variable "release" {
  description = "Version and commit of the release."
  type        = object({ version = string, git_commit = string })
}

variable "variables" {
  description = "What the templates may name (shared/account.tf)."
  type        = map(string)
}

