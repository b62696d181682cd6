"""Containers that call AWS as their job's role, and those of isolated jobs, which can't."""

import pytest

LOOK = """
import boto3
try:
    found = boto3.client("s3").list_objects_v2(Bucket={bucket!r}, Prefix="in/")["Contents"]
except Exception as error:
    print(type(error).__name__)
else:
    print([item["Key"] for item in found])
"""


@pytest.fixture
def look(bucket, image, job, transform):
    """Runs a job of a kind whose container looks into the bucket; what it says."""

    def run(kind, isolated):
        program = LOOK.format(bucket=bucket.name)
        bucket.put("in/a.csv", "1")
        body = {f"{kind}Name": "job", "RoleArn": "arn:aws:iam::111111111111:role/job"}
        if kind == "ProcessingJob":
            cluster = {"InstanceType": "ml.m5.large", "InstanceCount": 1}
            body |= {"ProcessingResources": {"ClusterConfig": cluster}, "AppSpecification": {"ImageUri": "image"}}
            body["NetworkConfig"] = {"EnableNetworkIsolation": isolated}
        elif kind == "TrainingJob":
            body |= {"AlgorithmSpecification": {"TrainingImage": "image"}, "EnableNetworkIsolation": isolated}
            body["ResourceConfig"] = {"InstanceType": "ml.m5.large", "InstanceCount": 1}
            body["OutputDataConfig"] = {"S3OutputPath": bucket.uri("out")}
        else:
            job.models["model"] = {"PrimaryContainer": {"Image": "image"}, "EnableNetworkIsolation": isolated}
            body = transform()
        image(program)
        job.run(kind, body)
        return job.text()

    return run


@pytest.mark.parametrize("kind", ["ProcessingJob", "TrainingJob", "TransformJob"])
def test_a_container_calls_aws_as_its_job(look, kind):
    assert "['in/a.csv']" in look(kind, isolated=False)


@pytest.mark.parametrize("kind", ["ProcessingJob", "TrainingJob", "TransformJob"])
def test_an_isolated_container_has_nothing_to_call_aws_with(look, kind):
    assert "NoCredentialsError" in look(kind, isolated=True)
