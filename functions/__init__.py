"""The Lambda handlers: plain functions over boto3, run by AWS Lambda's python3.11 as they are."""
