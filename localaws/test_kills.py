"""kill -9 at random moments: nothing that was accepted is lost, and nothing is done twice.

KILLS says how often; `make soak/localaws` takes fifty.
"""

import json
import os
import random
import sys
import time

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from localaws.conftest import REGION, STEP, Server

ACCOUNT = "777777777777"
KILLS = int(os.environ.get("KILLS", "3"))
STARTED_BETWEEN_KILLS = 3
WORK = "import time; time.sleep(0.3); (base/'processing/out').mkdir(parents=True, exist_ok=True); "


def job(number, *inputs):
    return {
        "Name": f"Work{number}",
        "Type": "Processing",
        "DependsOn": list(inputs),
        "Arguments": {
            "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/works",
            "AppSpecification": {"ImageUri": "any"},
            "ProcessingResources": {
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
            },
            "Environment": {"CODE": WORK + f"(base/'processing/out/{number}.txt').write_text('{number}')"},
            "ProcessingOutputConfig": {
                "Outputs": [
                    {
                        "OutputName": "out",
                        "S3Output": {
                            "S3Uri": {"Std:Join": {"On": "/", "Values": [
                                "s3://kept-through-kills", {"Get": "Execution.PipelineExecutionId"}, str(number)]}},
                            "LocalPath": "/opt/ml/processing/out",
                            "S3UploadMode": "EndOfJob",
                        },
                    }
                ]
            },
        },
    }  # fmt: skip


REGISTER = {
    "Name": "Register",
    "Type": "RegisterModel",
    "DependsOn": ["Work3"],
    "Arguments": {
        "ModelPackageGroupName": "versions",
        "CustomerMetadataProperties": {"Execution": {"Get": "Execution.PipelineExecutionArn"}},
        "InferenceSpecification": {
            "Containers": [{"Image": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/x@sha256:{'0' * 64}"}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    },
}
DEFINITION = {
    "Version": "2020-12-01",
    "Steps": [job(1), job(2), job(3, "Work1", "Work2"), REGISTER],
}


@pytest.fixture
def server(tmp_path):
    """A localaws whose images run the code that they are given."""
    (tmp_path / "step.py").write_text(STEP)
    entry = {"pattern": "*", "directory": ".", "command": [sys.executable, "step.py"]}
    (tmp_path / "images.json").write_text(json.dumps({"images": [entry]}))
    server = Server(tmp_path, "--images", str(tmp_path / "images.json"), "--no-enforce")
    yield server
    server.close()


def test_kills_lose_nothing_and_repeat_nothing(server):
    chance = random.Random(int(os.environ.get("SEED", "0")))
    prepare(server.account(ACCOUNT))
    executions, objects = {}, {}
    for kill in range(KILLS):
        client = server.account(ACCOUNT)
        for number in range(STARTED_BETWEEN_KILLS):
            token = f"token-{kill:04}-{number:04}-{'x' * 24}"
            executions[token] = None
            executions[token] = accepted(client, token)
            key = f"objects/{kill}-{number}"
            objects[key] = client.client("s3").put_object(Bucket="kept-through-kills", Key=key, Body=key.encode())[
                "VersionId"
            ]
        # A start whose answer the kill may swallow: its token is sent again afterwards.
        time.sleep(chance.uniform(0, 1.5))
        server.kill()
        server.start()
        for token, arn in list(executions.items()):
            again = accepted(server.account(ACCOUNT), token)
            assert arn in (None, again)
            executions[token] = again

    account = server.account(ACCOUNT)
    sagemaker, s3 = account.client("sagemaker"), account.client("s3")
    for arn in executions.values():
        assert ended(sagemaker, arn) == "Succeeded"
        steps = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
        assert {step["StepName"]: step["StepStatus"] for step in steps} == dict.fromkeys(
            ("Work1", "Work2", "Work3", "Register"), "Succeeded"
        )
        for number in ("1", "2", "3"):
            key = f"{arn.rsplit('/', 1)[-1]}/{number}/{number}.txt"
            assert s3.get_object(Bucket="kept-through-kills", Key=key)["Body"].read() == number.encode()
    pages = sagemaker.get_paginator("list_pipeline_executions").paginate(PipelineName="works")
    listed = [item["PipelineExecutionArn"] for page in pages for item in page["PipelineExecutionSummaries"]]
    assert sorted(listed) == sorted(executions.values())
    pages = sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName="versions")
    versions = [item["ModelPackageArn"] for page in pages for item in page["ModelPackageSummaryList"]]
    made_by = [
        sagemaker.describe_model_package(ModelPackageName=arn)["CustomerMetadataProperties"]["Execution"]
        for arn in versions
    ]
    assert sorted(made_by) == sorted(executions.values())
    for key, version in objects.items():
        body = s3.get_object(Bucket="kept-through-kills", Key=key, VersionId=version)["Body"]
        assert body.read() == key.encode()
    print(f"{KILLS} kills, {len(executions)} executions, {len(versions)} versions, {len(objects)} objects")


def prepare(account):
    account.role("works")
    s3, bucket = account.client("s3"), account.bucket("kept-through-kills")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    account.client("sagemaker").create_pipeline(
        PipelineName="works",
        ClientRequestToken="p" * 32,
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/works",
        PipelineDefinition=json.dumps(DEFINITION),
    )


def accepted(account, token):
    """Start an execution under a token until the start is answered, as a careful client does."""
    while True:
        try:
            return account.client("sagemaker").start_pipeline_execution(PipelineName="works", ClientRequestToken=token)[
                "PipelineExecutionArn"
            ]
        except (BotoCoreError, ClientError) as error:
            assert not isinstance(error, ClientError), error
            time.sleep(0.1)


def ended(sagemaker, arn):
    while True:
        found = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"]
        if found not in ("Executing", "Stopping"):
            return found
        time.sleep(0.1)
