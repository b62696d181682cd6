# The release that an account runs, as `make apply/ENV` laid it out. The roots of release/dev and release/prod link here.

variable "release" {
  description = "Folder with the release's manifest.json, functions.zip and definitions/; null where there is none."
  type        = string
  default     = null
}

locals {
  manifest = var.release == null ? null : jsondecode(file("${var.release}/manifest.json"))
}

output "release" {
  description = "Version of the deployed release."
  value       = try(local.manifest.version, null)
}

output "function_versions" {
  description = "Function → published version that the deployed pipelines call."
  value       = try(module.functions[0].versions, {})
}
