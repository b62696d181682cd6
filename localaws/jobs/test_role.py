"""A container's own calls, through localaws' port: held to the policies of the job's role."""

import time

import pytest

CODE = """
import boto3
s3 = boto3.client("s3")
print("read", s3.get_object(Bucket={bucket!r}, Key="in/a")["Body"].read().decode())
try:
    s3.put_object(Bucket={bucket!r}, Key="out/a", Body=b"1")
except Exception as error:
    print("refused", error.response["Error"]["Code"])
"""


@pytest.mark.parametrize("name", ["job", "j"])
def test_a_container_may_do_what_its_jobs_role_may(account, name):
    bucket = account.bucket()
    account.client("s3").put_object(Bucket=bucket, Key="in/a", Body=b"content")
    allowed = [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/in/*"},
        {"Effect": "Allow", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/models/*"},
        {"Effect": "Allow", "Action": ["logs:*", "ecr:*"], "Resource": "*"},
    ]
    sagemaker, logs = account.client("sagemaker"), account.client("logs")
    sagemaker.create_training_job(
        TrainingJobName=name,
        AlgorithmSpecification={"TrainingImage": "image", "TrainingInputMode": "File"},
        HyperParameters={"code": f"exec({CODE.format(bucket=bucket)!r})"},
        RoleArn=account.role("reader", *allowed),
        OutputDataConfig={"S3OutputPath": f"s3://{bucket}/models"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 600},
    )
    job = ended(lambda: sagemaker.describe_training_job(TrainingJobName=name), "TrainingJobStatus")
    assert job["TrainingJobStatus"] == "Completed", job["FailureReason"]
    statuses = [transition["Status"] for transition in job["SecondaryStatusTransitions"]]
    assert statuses == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    group = "/aws/sagemaker/TrainingJobs"
    (stream,) = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{name}/")["logStreams"]
    events = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])["events"]
    assert [event["message"] for event in events] == ["read content", "refused AccessDenied"]


def ended(describe, status):
    while (found := describe())[status] in ("InProgress", "Stopping"):
        time.sleep(0.05)
    return found
