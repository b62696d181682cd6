output "versions" {
  description = "Function → the version that was published last."
  value       = { for name, function in aws_lambda_function.this : name => function.version }
}
