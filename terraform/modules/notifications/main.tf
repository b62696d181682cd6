# The topic that tells people, and the queue of events that could not be delivered.

locals {
  folder = "${path.module}/../../../policies"
}

resource "aws_sns_topic" "this" {
  name              = "${var.variables.project}-notifications"
  kms_master_key_id = var.key_arn
}

resource "aws_sns_topic_policy" "this" {
  arn    = aws_sns_topic.this.arn
  policy = jsonencode(jsondecode(templatefile("${local.folder}/topic-notifications.json", var.variables)))
}

resource "aws_sns_topic_subscription" "this" {
  for_each = var.addresses

  topic_arn = aws_sns_topic.this.arn
  protocol  = "email"
  endpoint  = each.value
}

resource "aws_sqs_queue" "dead_letters" {
  name                      = "${var.variables.project}-dead-letters"
  kms_master_key_id         = var.key_arn
  message_retention_seconds = 1209600
}

resource "aws_sqs_queue_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.id
  policy    = jsonencode(jsondecode(templatefile("${local.folder}/queue-dead-letters.json", var.variables)))
}
