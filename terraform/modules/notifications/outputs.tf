output "topic_arn" {
  description = "ARN of the topic, once others may publish to it."
  value       = aws_sns_topic_policy.this.arn
}
