# The log groups of functions and jobs, made before either writes, so that none is kept for ever.

locals {
  folder    = "${path.module}/../../.."
  functions = jsondecode(templatefile("${local.folder}/functions/functions.json", var.variables)).functions

  groups = toset(concat(
    [for name in keys(local.functions) : "/aws/lambda/${var.variables.project}-${replace(name, "_", "-")}"],
    [for kind in ["ProcessingJobs", "TrainingJobs", "TransformJobs"] : "/aws/sagemaker/${kind}"],
  ))
}

resource "aws_cloudwatch_log_group" "this" {
  for_each = local.groups

  name              = each.key
  retention_in_days = var.retention_days
}
