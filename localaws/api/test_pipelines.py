"""Pipelines whose definition is an object in S3, of whichever account."""

import json

import pytest
from botocore.exceptions import ClientError

END = {"Name": "End", "Type": "Fail", "Arguments": {"ErrorMessage": "It was meant to."}}
DEFINITION = json.dumps({"Version": "2020-12-01", "Steps": [END]})


def create(account, bucket, token="c" * 32, **version):
    """Make the pipeline `p` from an object; what is answered."""
    return account.client("sagemaker").create_pipeline(
        PipelineName="p",
        ClientRequestToken=token,
        RoleArn=f"arn:aws:iam::{account.number}:role/works",
        PipelineDefinitionS3Location={"Bucket": bucket, "ObjectKey": "p.json", **version},
    )


def put(account, body=DEFINITION):
    """Make a bucket with the definition in it; its name."""
    bucket = account.bucket()
    account.client("s3").put_object(Bucket=bucket, Key="p.json", Body=body)
    return bucket


def described(account):
    return account.client("sagemaker").describe_pipeline(PipelineName="p")["PipelineDefinition"]


def open_to(reader, account, bucket):
    """Let another account read a bucket."""
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{reader.number}:root"},
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    account.client("s3").put_bucket_policy(Bucket=bucket, Policy=policy)


def test_a_definition_is_read_from_another_accounts_bucket_if_its_policy_lets_it(account, other):
    bucket = put(other)
    with pytest.raises(ClientError, match=r"Unable to read the pipeline definition .*AccessDenied"):
        create(account, bucket)
    open_to(account, other, bucket)
    create(account, bucket)
    assert described(account) == DEFINITION


@pytest.mark.parametrize("operation", ["create_pipeline", "update_pipeline"])
def test_a_definition_in_a_bucket_that_nobody_has_is_refused(account, operation):
    create(account, put(account))
    more = {"PipelineName": "p", "PipelineDefinitionS3Location": {"Bucket": "nobodys-bucket", "ObjectKey": "p.json"}}
    if operation == "create_pipeline":
        more |= {"RoleArn": f"arn:aws:iam::{account.number}:role/works", "ClientRequestToken": "d" * 32}
    with pytest.raises(ClientError, match="Unable to read the pipeline definition at s3://nobodys-bucket"):
        getattr(account.client("sagemaker"), operation)(**more)
    assert described(account) == DEFINITION


def test_a_call_that_is_repeated_reads_nothing_anew(account):
    bucket = put(account)
    first = create(account, bucket)
    account.client("s3").delete_object(Bucket=bucket, Key="p.json")
    assert create(account, bucket)["PipelineArn"] == first["PipelineArn"]
    with pytest.raises(ClientError, match="token was used before with another request"):
        create(account, bucket, VersionId="1")
    with pytest.raises(ClientError, match="Unable to read the pipeline definition"):
        create(account, bucket, token="d" * 32)


def test_a_definition_that_can_not_be_read_makes_no_pipeline(account):
    with pytest.raises(ClientError, match="Unable to parse pipeline definition"):
        create(account, put(account, b'{"Version": "2020-12-01"}'))
    account.client("s3").put_object(Bucket=f"bucket-{account.number}", Key="p.json", Body=b"\xff\xfe")
    with pytest.raises(ClientError, match="Unable to read the pipeline definition"):
        create(account, f"bucket-{account.number}", token="d" * 32)
    assert account.client("sagemaker").list_pipelines()["PipelineSummaries"] == []
