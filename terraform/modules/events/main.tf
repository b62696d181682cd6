# The rules of events/*.json that this account has, with their targets.

locals {
  folder = "${path.module}/../../../events"

  found = {
    for file in fileset(local.folder, "*.json") :
    trimsuffix(file, ".json") => jsondecode(templatefile("${local.folder}/${file}", var.variables))
  }

  rules = { for name, found in local.found : name => found.rule if contains(found.accounts, var.variables.environment) }

  targets = merge([
    for name in keys(local.rules) : {
      for target in local.found[name].targets : "${name}/${target.Id}" => merge(target, { rule = name })
    }
  ]...)

  functions = { for key, target in local.targets : key => split(":", target.Arn) if strcontains(target.Arn, ":function:") }
}

resource "aws_cloudwatch_event_rule" "this" {
  for_each = local.rules

  name                = each.value.Name
  description         = each.value.Description
  event_bus_name      = try(each.value.EventBusName, "default")
  event_pattern       = can(each.value.EventPattern) ? jsonencode(each.value.EventPattern) : null
  schedule_expression = try(each.value.ScheduleExpression, null)
}

resource "aws_cloudwatch_event_target" "this" {
  for_each = local.targets

  rule           = aws_cloudwatch_event_rule.this[each.value.rule].name
  event_bus_name = aws_cloudwatch_event_rule.this[each.value.rule].event_bus_name
  target_id      = each.value.Id
  arn            = each.value.Arn
  role_arn       = try(each.value.RoleArn, null)

  dynamic "sagemaker_pipeline_target" {
    for_each = try([each.value.SageMakerPipelineParameters.PipelineParameterList], [])

    content {
      dynamic "pipeline_parameter_list" {
        for_each = sagemaker_pipeline_target.value

        content {
          name  = pipeline_parameter_list.value.Name
          value = pipeline_parameter_list.value.Value
        }
      }
    }
  }

  dynamic "input_transformer" {
    for_each = try([each.value.InputTransformer], [])

    content {
      input_paths    = input_transformer.value.InputPathsMap
      input_template = input_transformer.value.InputTemplate
    }
  }

  retry_policy {
    maximum_retry_attempts       = each.value.RetryPolicy.MaximumRetryAttempts
    maximum_event_age_in_seconds = each.value.RetryPolicy.MaximumEventAgeInSeconds
  }

  dead_letter_config {
    arn = each.value.DeadLetterConfig.Arn
  }
}

resource "aws_lambda_permission" "this" {
  for_each = local.functions

  statement_id  = aws_cloudwatch_event_rule.this[local.targets[each.key].rule].name
  action        = "lambda:InvokeFunction"
  function_name = each.value[6]
  qualifier     = each.value[7]
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.this[local.targets[each.key].rule].arn
}
