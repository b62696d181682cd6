"""A first pipeline: nothing is set but AWS_ENDPOINT_URL and an access key of 12 digits."""

import json
import os
import time

import boto3

ACCOUNT, BUCKET = os.environ["AWS_ACCESS_KEY_ID"], "my-first-bucket"
s3, iam, sagemaker = (boto3.client(name, region_name="us-east-1") for name in ("s3", "iam", "sagemaker"))

s3.create_bucket(Bucket=BUCKET)
s3.put_object(Bucket=BUCKET, Key="input/rows.csv", Body=b"1,2\n3,4\n5,6\n")

trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
allow = [
    {"Effect": "Allow", "Action": "s3:*", "Resource": [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]},
    {"Effect": "Allow", "Action": ["sagemaker:*", "ecr:*", "logs:*"], "Resource": "*"},
    {"Effect": "Allow", "Action": "iam:PassRole", "Resource": f"arn:aws:iam::{ACCOUNT}:role/first"},
]
role = iam.create_role(RoleName="first", AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))["Role"]["Arn"]
iam.put_role_policy(RoleName="first", PolicyName="first", PolicyDocument=json.dumps({"Statement": allow}))

counting = {
    "Name": "Count",
    "Type": "Processing",
    "Arguments": {
        "RoleArn": role,
        "AppSpecification": {"ImageUri": f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/count:latest"},
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
        },
        "ProcessingInputs": [
            {
                "InputName": "rows",
                "S3Input": {
                    "S3Uri": f"s3://{BUCKET}/input/",
                    "LocalPath": "/opt/ml/processing/input",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                },
            }
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": "count",
                    "S3Output": {
                        "S3Uri": f"s3://{BUCKET}/output",
                        "LocalPath": "/opt/ml/processing/output",
                        "S3UploadMode": "EndOfJob",
                    },
                }
            ]
        },
    },
    "PropertyFiles": [{"PropertyFileName": "Count", "OutputName": "count", "FilePath": "count.json"}],
}
enough = {
    "Name": "Enough",
    "Type": "Condition",
    "Arguments": {
        "Conditions": [
            {
                "Type": "GreaterThanOrEqualTo",
                "LeftValue": {
                    "Std:JsonGet": {"PropertyFile": {"Get": "Steps.Count.PropertyFiles.Count"}, "Path": "lines"}
                },
                "RightValue": {"Get": "Parameters.Least"},
            }
        ],
        "IfSteps": [],
        "ElseSteps": [{"Name": "TooFew", "Type": "Fail", "Arguments": {"ErrorMessage": "There are too few lines."}}],
    },
}
definition = {
    "Version": "2020-12-01",
    "Parameters": [{"Name": "Least", "Type": "Integer", "DefaultValue": 1}],
    "Steps": [counting, enough],
}
sagemaker.create_pipeline(PipelineName="first", RoleArn=role, PipelineDefinition=json.dumps(definition))

for least in ("3", "4"):
    execution = sagemaker.start_pipeline_execution(
        PipelineName="first", PipelineParameters=[{"Name": "Least", "Value": least}]
    )["PipelineExecutionArn"]
    while True:
        status = sagemaker.describe_pipeline_execution(PipelineExecutionArn=execution)["PipelineExecutionStatus"]
        if status != "Executing":
            break
        time.sleep(0.2)
    print(f"at least {least} lines: {status}")
    for step in sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=execution)["PipelineExecutionSteps"]:
        print(f"  {step['StepName']} {step['StepStatus']} {step.get('FailureReason', '')}")
print(s3.get_object(Bucket=BUCKET, Key="output/count.json")["Body"].read().decode())
