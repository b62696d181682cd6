# The pipelines that a release has, from definitions that are complete but for the versions of this account's functions.

locals {
  versions = { for name, version in var.function_versions : "${name}_version" => version }
}

resource "aws_sagemaker_pipeline" "this" {
  for_each = toset([for file in fileset(var.definitions, "*.json") : trimsuffix(file, ".json")])

  pipeline_name         = "${var.variables.project}-${each.key}"
  pipeline_display_name = "${var.variables.project}-${each.key}"
  pipeline_description  = "Release ${var.release.version}, commit ${var.release.git_commit}"
  pipeline_definition   = templatefile("${var.definitions}/${each.key}.json", local.versions)
  role_arn              = "arn:aws:iam::${var.variables.account_id}:role/${var.variables.project}-pipeline"
}
