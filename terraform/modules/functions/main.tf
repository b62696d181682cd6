# The functions of functions/functions.json, all from one archive. Each change publishes a version, and versions stay:
# a running execution keeps the one that its definition names. The alias is what event rules call.

locals {
  all = jsondecode(templatefile("${path.module}/../../../functions/functions.json", var.variables))
}

resource "aws_lambda_function" "this" {
  for_each = local.all.functions

  function_name    = "${var.variables.project}-${replace(each.key, "_", "-")}"
  description      = each.value.description
  role             = "arn:aws:iam::${var.variables.account_id}:role/${var.variables.project}-${replace(each.key, "_", "-")}"
  runtime          = local.all.runtime
  handler          = each.value.handler
  timeout          = each.value.timeout
  memory_size      = each.value.memory
  filename         = var.archive
  source_code_hash = filebase64sha256(var.archive)
  publish          = true

  environment {
    variables = local.all.environment
  }

  dynamic "dead_letter_config" {
    for_each = try(each.value.dead_letters, false) ? [1] : []

    content {
      target_arn = "arn:aws:sqs:${var.variables.region}:${var.variables.account_id}:${var.variables.project}-dead-letters"
    }
  }
}

resource "aws_lambda_alias" "live" {
  for_each = local.all.functions

  name             = "live"
  function_name    = aws_lambda_function.this[each.key].function_name
  function_version = aws_lambda_function.this[each.key].version
}
