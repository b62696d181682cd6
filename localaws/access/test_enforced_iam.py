"""The rows of README.md on IAM's own rules: each against a running localaws."""

import json

import pytest
from botocore.exceptions import ClientError

from localaws.access.conftest import LAMBDA, processing, run
from localaws.conftest import TRUST, Account, allow, deny, serving


def test_inline_and_managed_policies(account, refused):
    bucket, iam = account.bucket(), account.client("iam")
    account.role("r")
    s3 = account.act("r", "s3")
    refused("s3:PutObject", s3.put_object, Bucket=bucket, Key="a", Body=b"")
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow("s3:PutObject")]})
    arn = iam.create_policy(PolicyName="managed", PolicyDocument=policy)["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="r", PolicyArn=arn)
    s3.put_object(Bucket=bucket, Key="a", Body=b"")
    newer = json.dumps({"Version": "2012-10-17", "Statement": [allow("s3:GetObject")]})
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=newer, SetAsDefault=True)
    refused("s3:PutObject", s3.put_object, Bucket=bucket, Key="a", Body=b"")
    s3.get_object(Bucket=bucket, Key="a")
    account.allow("r", deny("s3:GetObject"))
    said = refused("s3:GetObject", s3.get_object, Bucket=bucket, Key="a")
    assert said.endswith("with an explicit deny in an identity-based policy")
    iam.delete_role_policy(RoleName="r", PolicyName="own")
    s3.get_object(Bucket=bucket, Key="a")
    iam.detach_role_policy(RoleName="r", PolicyArn=arn)
    refused("s3:GetObject", s3.get_object, Bucket=bucket, Key="a")
    iam.attach_role_policy(RoleName="r", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    s3.get_object(Bucket=bucket, Key="a")


def test_permissions_boundary(account, refused):
    bucket = account.bucket()
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow("s3:GetObject"), deny("s3:GetObject", "*/b")]})
    boundary = account.client("iam").create_policy(PolicyName="limit", PolicyDocument=document)["Policy"]["Arn"]
    account.role("r", allow("s3:*"), PermissionsBoundary=boundary)
    for key in ("a", "b"):
        account.client("s3").put_object(Bucket=bucket, Key=key, Body=b"")
    s3 = account.act("r", "s3")
    s3.get_object(Bucket=bucket, Key="a")
    said = refused("s3:PutObject", s3.put_object, Bucket=bucket, Key="a", Body=b"")
    assert said.endswith("because no permissions boundary allows the s3:PutObject action")
    said = refused("s3:GetObject", s3.get_object, Bucket=bucket, Key="b")
    assert said.endswith("with an explicit deny in a permissions boundary")


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/team/r"}}, True),
        ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/r"}}, False),
        ({"StringEquals": {"aws:PrincipalAccount": "{account}"}}, True),
        ({"StringEquals": {"aws:PrincipalAccount": "111111111111"}}, False),
        ({"StringEquals": {"aws:PrincipalTag/team": "ml"}}, True),
        ({"StringEquals": {"aws:PrincipalTag/team": "web"}}, False),
        ({"StringEquals": {"aws:PrincipalType": "AssumedRole"}}, True),
        ({"StringEquals": {"aws:ResourceAccount": "{account}"}}, True),
        ({"StringNotEquals": {"aws:ResourceAccount": "{account}"}}, False),
        ({"StringEquals": {"aws:RequestedRegion": "us-east-1"}}, True),
        ({"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}, False),
        ({"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, True),
        ({"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, False),
        ({"NumericGreaterThan": {"aws:EpochTime": "1577836800"}}, True),
        ({"Bool": {"aws:SecureTransport": "true"}}, True),
        ({"Bool": {"aws:SecureTransport": "false"}}, False),
        ({"Bool": {"aws:ViaAWSService": "false"}}, True),
    ],
    ids=str,
)
def test_keys_of_every_request(account, refused, condition, holds):
    bucket = account.bucket()
    text = json.dumps(condition).replace("{account}", account.number)
    account.role(
        "r", allow("s3:PutObject", "*", **json.loads(text)), Path="/team/", Tags=[{"Key": "team", "Value": "ml"}]
    )
    s3 = account.act("r", "s3")
    if holds:
        s3.put_object(Bucket=bucket, Key="a", Body=b"")
    else:
        refused("s3:PutObject", s3.put_object, Bucket=bucket, Key="a", Body=b"")


def test_trust_policies(account, other):
    sagemaker = account.client("sagemaker")
    missing = f"arn:aws:iam::{account.number}:role/nobody"
    sentence = (
        f"Could not assume role {missing}. Please ensure that the role exists and allows principal "
        "'sagemaker.amazonaws.com' to assume the role."
    )
    with pytest.raises(ClientError) as raised:
        sagemaker.create_processing_job(**processing(missing))
    assert raised.value.response["Error"] == {"Code": "ValidationException", "Message": sentence}
    only = {"Condition": {"StringEquals": {"aws:SourceAccount": account.number}}}
    for number, (trust, trusted) in enumerate(
        [
            (LAMBDA, False),
            (TRUST, True),
            (TRUST | only, True),
            (TRUST | {"Condition": {"StringEquals": {"aws:SourceAccount": other.number}}}, False),
            (TRUST | {"Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:sagemaker:*:{account.number}:*"}}}, True),
            (TRUST | {"Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:sagemaker:*:{other.number}:*"}}}, False),
        ]
    ):
        role = account.role(f"r{number}", trust=trust)
        if trusted:
            assert run(account, processing(role, f"job-{number}"))["ProcessingJobStatus"] == "Completed"
        else:
            with pytest.raises(ClientError, match="Could not assume role"):
                sagemaker.create_processing_job(**processing(role, f"job-{number}"))
    # A path is part of a role's ARN: without it there is no such role.
    deep = account.role("deep", Path="/service-role/")
    assert run(account, processing(deep, "job-deep"))["ProcessingJobStatus"] == "Completed"
    with pytest.raises(ClientError, match="Could not assume role"):
        sagemaker.create_processing_job(**processing(deep.replace("service-role/", ""), "job-shallow"))


def test_assuming_roles(account, other, refused):
    one = account.role("one", allow("sts:AssumeRole"))
    account.role("two")
    sts = account.act("one", "sts")

    def assume(arn, **more):
        return sts.assume_role(RoleArn=arn, RoleSessionName="tests", **more)

    def trust(principal, **condition):
        return {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole", "Condition": condition}

    closed = account.role("closed")
    said = refused("sts:AssumeRole", assume, arn=closed)
    assert "because no resource-based policy allows" in said
    refused("sts:AssumeRole", assume, arn=f"arn:aws:iam::{account.number}:role/nobody")
    opened = account.role("opened", trust=trust(account.number))
    assume(opened)
    foreign = other.role("foreign", trust=trust(one, StringEquals={"sts:ExternalId": "secret"}))
    assume(foreign, ExternalId="secret")
    refused("sts:AssumeRole", assume, arn=foreign, ExternalId="guess")
    refused("sts:AssumeRole", assume, arn=foreign)
    sts = account.act("two", "sts")
    said = refused("sts:AssumeRole", assume, arn=opened)
    assert "because no identity-based policy allows" in said
    named = account.role("named", trust=trust(f"arn:aws:iam::{account.number}:role/two"))
    assume(named)


def test_pass_role(account, refused):
    job, create = account.role("job"), allow("sagemaker:Create*")
    account.role("caller", create)
    sagemaker = account.act("caller", "sagemaker")
    said = refused("iam:PassRole", sagemaker.create_processing_job, **processing(job))
    assert job in said
    passed = {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
    elsewhere = {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
    account.allow("caller", create, allow("iam:PassRole", job, **elsewhere))
    refused("iam:PassRole", sagemaker.create_processing_job, **processing(job))
    account.allow("caller", create, allow("iam:PassRole", job, **passed))
    sagemaker.create_processing_job(**processing(job))
    another = account.role("another")
    refused("iam:PassRole", sagemaker.create_processing_job, **processing(another, "second"))
    refused("iam:PassRole", sagemaker.create_model, ModelName="m", PrimaryContainer={"Image": "python"},
            ExecutionRoleArn=another)  # fmt: skip
    definition = {"Version": "2020-12-01", "Steps": [{"Name": "F", "Type": "Fail", "Arguments": {"ErrorMessage": "x"}}]}
    pipeline = {"PipelineName": "p", "PipelineDefinition": json.dumps(definition), "ClientRequestToken": "t" * 32}
    refused("iam:PassRole", sagemaker.create_pipeline, **pipeline, RoleArn=another)
    sagemaker.create_pipeline(**pipeline, RoleArn=job)


def test_everything_else(account, refused):
    account.role("r", allow(["dynamodb:*", "cloudwatch:PutMetricData"], "arn:aws:dynamodb:*:*:table/x"))
    said = refused("dynamodb:ListTables", account.act("r", "dynamodb").list_tables)
    assert "on resource: * because" in said
    refused("cloudwatch:PutMetricData", account.act("r", "cloudwatch").put_metric_data, Namespace="n",
            MetricData=[{"MetricName": "m", "Value": 1}])  # fmt: skip
    refused("s3:PutBucketTagging", account.act("r", "s3").put_bucket_tagging, Bucket="bucket-x",
            Tagging={"TagSet": []})  # fmt: skip
    account.allow("r", allow(["dynamodb:ListTables", "cloudwatch:PutMetricData"]))
    assert account.act("r", "dynamodb").list_tables()["TableNames"] == []
    account.act("r", "cloudwatch").put_metric_data(Namespace="n", MetricData=[{"MetricName": "m", "Value": 1}])
    # Who one is, everybody may ask.
    assert account.act("r", "sts").get_caller_identity()["Account"] == account.number


def test_switched_off(tmp_path):
    with serving(tmp_path, "--no-enforce") as address:
        account = Account(address)
        bucket = account.bucket()
        role = account.role("r")
        account.act("r", "s3").put_object(Bucket=bucket, Key="a", Body=b"1")
        assert account.act("r", "sagemaker").list_models()["Models"] == []
        account.act("r", "sagemaker").create_processing_job(**processing(role))
