"""Definitions for tests: small ones that are right, to be changed into what is wrong."""

import json

import pytest

from localaws.definition import parse

ROLE = "arn:aws:iam::111111111111:role/job"


@pytest.fixture
def processing():
    """Makes a Processing step with an output `result` and a property file `File` in it."""

    def step(name="Process", **more):
        cluster = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
        s3_output = {"S3Uri": "s3://bucket/out", "LocalPath": "/opt/ml/processing/output", "S3UploadMode": "EndOfJob"}
        return {
            "Name": name,
            "Type": "Processing",
            "Arguments": {
                "ProcessingResources": {"ClusterConfig": cluster},
                "AppSpecification": {"ImageUri": "image"},
                "RoleArn": ROLE,
                "ProcessingOutputConfig": {"Outputs": [{"OutputName": "result", "S3Output": s3_output}]},
            },
            "PropertyFiles": [{"PropertyFileName": "File", "OutputName": "result", "FilePath": "file.json"}],
            **more,
        }

    return step


@pytest.fixture
def fail():
    """Makes a Fail step."""

    def step(name="Stop", message="reason", **more):
        return {"Name": name, "Type": "Fail", "Arguments": {"ErrorMessage": message}, **more}

    return step


@pytest.fixture
def condition():
    """Makes a Condition step."""

    def step(name="Gate", conditions=None, then=(), otherwise=(), **more):
        conditions = conditions or [{"Type": "Equals", "LeftValue": 1, "RightValue": 1}]
        arguments = {"Conditions": conditions, "IfSteps": list(then), "ElseSteps": list(otherwise)}
        return {"Name": name, "Type": "Condition", "Arguments": arguments, **more}

    return step


@pytest.fixture
def function():
    """Makes a Lambda step with an output `Answer`."""

    def step(name="Call", **more):
        return {
            "Name": name,
            "Type": "Lambda",
            "FunctionArn": "arn:aws:lambda:us-east-1:111111111111:function:f",
            "Arguments": {},
            "OutputParameters": [{"OutputName": "Answer", "OutputType": "String"}],
            **more,
        }

    return step


@pytest.fixture
def read():
    """Parses a definition of the given steps."""

    def definition(*steps, **more):
        return parse(json.dumps({"Version": "2020-12-01", "Steps": list(steps), **more}))

    return definition
