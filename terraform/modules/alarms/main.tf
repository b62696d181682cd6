# The alarms of events/alarms/*.json that this account has.

locals {
  folder = "${path.module}/../../../events/alarms"

  found = {
    for file in fileset(local.folder, "*.json") :
    trimsuffix(file, ".json") => jsondecode(templatefile("${local.folder}/${file}", var.variables))
  }

  alarms = { for name, found in local.found : name => found.alarm if contains(found.accounts, var.variables.environment) }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = each.value.AlarmName
  alarm_description   = each.value.AlarmDescription
  namespace           = each.value.Namespace
  metric_name         = each.value.MetricName
  dimensions          = { for dimension in each.value.Dimensions : dimension.Name => dimension.Value }
  statistic           = each.value.Statistic
  period              = each.value.Period
  evaluation_periods  = each.value.EvaluationPeriods
  threshold           = each.value.Threshold
  comparison_operator = each.value.ComparisonOperator
  treat_missing_data  = each.value.TreatMissingData
  alarm_actions       = each.value.AlarmActions
}
