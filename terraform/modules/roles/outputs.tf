output "arns" {
  description = "Name of the role (without the project's) → its ARN."
  value       = { for name, role in aws_iam_role.this : name => role.arn }
}
