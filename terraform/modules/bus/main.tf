# The bus on which the registry account tells of versions.

resource "aws_cloudwatch_event_bus" "this" {
  name = var.variables.project
}

resource "aws_cloudwatch_event_bus_policy" "this" {
  event_bus_name = aws_cloudwatch_event_bus.this.name
  policy         = jsonencode(jsondecode(templatefile("${path.module}/../../../policies/bus.json", var.variables)))
}
