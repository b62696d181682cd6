"""What `python -m tests.local --emulator` holds: a job in a real container, its files in the other emulator's S3.

The whole loop can't run there: an object's arrival is told by the emulator's own S3 to the emulator's own rules,
which can't start pipelines.
"""

import json
import time

import boto3
import pytest

from data import make
from pipeline import settings
from pipeline.names import Names
from rehearsal.life import PUSHED


@pytest.fixture
def dev():
    """The settings of the local dev account."""
    return settings.load("dev", local=True)


@pytest.fixture
def client(dev, address):
    """Makes clients in it."""
    session = boto3.Session(dev.account, "local", region_name=dev.region)
    return lambda service: session.client(service, endpoint_url=address)


def test_a_job_runs_in_a_container_and_its_files_are_in_the_emulator(dev, client):
    """Input and output are objects in S3, the image comes by digest from dev's registry."""
    names, s3, sagemaker = Names(dev), client("s3"), client("sagemaker")
    rows = make.derive(make.read_table())["labelled/part-1.csv"]
    body = "".join(",".join(row) + "\n" for row in rows)
    s3.put_object(Bucket=names.data_bucket, Key="data/labelled/part-1.csv", Body=body.encode())
    digest = json.loads(PUSHED.read_text())["images"]["preprocess"]
    sagemaker.create_processing_job(
        ProcessingJobName="check",
        RoleArn=names.role("preprocess"),
        AppSpecification={"ImageUri": names.image("preprocess", digest)},
        ProcessingResources={
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.t3.medium", "VolumeSizeInGB": 1}
        },
        ProcessingInputs=[
            {
                "InputName": "data",
                "S3Input": {
                    "S3Uri": f"s3://{names.data_bucket}/data/labelled/",
                    "LocalPath": "/opt/ml/processing/input/data",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                },
            }
        ],
        ProcessingOutputConfig={
            "Outputs": [
                {
                    "OutputName": "train",
                    "S3Output": {
                        "S3Uri": f"s3://{names.data_bucket}/check/train",
                        "LocalPath": "/opt/ml/processing/output/train",
                        "S3UploadMode": "EndOfJob",
                    },
                }
            ]
        },
    )
    while (job := sagemaker.describe_processing_job(ProcessingJobName="check"))["ProcessingJobStatus"] == "InProgress":
        time.sleep(0.2)
    assert job["ProcessingJobStatus"] == "Completed", job.get("FailureReason")
    (written,) = s3.list_objects_v2(Bucket=names.data_bucket, Prefix="check/train/")["Contents"]
    assert len(s3.get_object(Bucket=names.data_bucket, Key=written["Key"])["Body"].read().splitlines()) < len(rows)
