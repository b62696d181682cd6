"""What the tests of policies have in common."""

import io
import zipfile

import pytest
from botocore.exceptions import ClientError

from localaws.conftest import ended

LAMBDA = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
CLUSTER = {"ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}}


def processing(role, name="job", **more):
    """CreateProcessingJob's request for the code in the variable CODE."""
    application = {"AppSpecification": {"ImageUri": "python"}, "ProcessingResources": CLUSTER}
    return {"ProcessingJobName": name, "RoleArn": role, **application, **more}


def run(account, request):
    """Run a processing job to its end; what Describe… answers."""
    sagemaker = account.client("sagemaker")
    sagemaker.create_processing_job(**request)
    name = request["ProcessingJobName"]
    return ended(lambda: sagemaker.describe_processing_job(ProcessingJobName=name), "ProcessingJobStatus")


def function(account, code="return event", name="f"):
    """Make a function and publish its version 1; its ARN. It runs as the role `function`."""
    role = account.role("function", trust=LAMBDA)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("index.py", f"import boto3, os\ndef handler(event, context):\n    {code}\n")
    client = account.client("lambda")
    made = client.create_function(
        FunctionName=name,
        Runtime="python3.11",
        Handler="index.handler",
        Role=role,
        Timeout=300,
        Code={"ZipFile": packed.getvalue()},
    )
    client.publish_version(FunctionName=name)
    return made["FunctionArn"]


CODES = ("AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation")


class Refused:
    """Expects a call to be refused for want of an action: `refused("s3:GetObject", call, …)`."""

    def __call__(self, action, call, **arguments):
        with pytest.raises(ClientError) as raised:
            call(**arguments)
        error = raised.value.response["Error"]
        assert error["Code"] in CODES, error
        assert f"is not authorized to perform: {action} on resource: " in error["Message"], error
        return error["Message"]


@pytest.fixture
def refused():
    """A check that a call is refused; gives AWS's sentence."""
    return Refused()
