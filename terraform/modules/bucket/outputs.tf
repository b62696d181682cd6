output "name" {
  description = "Name of the bucket, once it may hold objects."
  value       = aws_s3_bucket_server_side_encryption_configuration.this.bucket
}
