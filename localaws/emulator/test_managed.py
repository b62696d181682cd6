"""AWS's managed policies: they are there, as AWS has them, and no others are."""

import json

import pytest
from botocore.exceptions import ClientError

from localaws.conftest import TRUST
from localaws.emulator import managed

FULL = managed.PREFIX + "AmazonSageMakerFullAccess"


def test_every_policy_has_a_document_with_statements():
    policies = managed.read()
    assert len(policies) > 1500
    for name, (version, created, updated, document) in policies.items():
        assert version.startswith("v") and created <= updated and document["Statement"], name


@pytest.mark.parametrize(
    "name",
    ["AmazonSageMakerFullAccess", "AmazonS3FullAccess", "AmazonSageMakerPipelinesIntegrations",
     "service-role/AWSLambdaBasicExecutionRole", "CloudWatchLogsFullAccess", "AmazonEC2ContainerRegistryReadOnly"],
)  # fmt: skip
def test_a_managed_policy_can_be_read_and_attached(account, name):
    iam, arn = account.client("iam"), managed.PREFIX + name
    policy = iam.get_policy(PolicyArn=arn)["Policy"]
    found = iam.get_policy_version(PolicyArn=arn, VersionId=policy["DefaultVersionId"])["PolicyVersion"]
    assert found["Document"] == managed.read()[name][3]
    role = f"carries-{policy['PolicyName']}"[:64]
    account.role(role)
    iam.attach_role_policy(RoleName=role, PolicyArn=arn)
    assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"][0]["PolicyArn"] == arn


@pytest.mark.parametrize("arn", [managed.PREFIX + "AmazonSageMakerFulAccess", "arn:aws:iam::{}:policy/mine"])
@pytest.mark.parametrize("kind", ["Role", "User", "Group"])
def test_a_policy_that_there_is_not_is_refused_when_it_is_attached(account, kind, arn):
    iam, arn = account.client("iam"), arn.format(account.number)
    more = {"AssumeRolePolicyDocument": json.dumps({"Statement": [TRUST]})} if kind == "Role" else {}
    getattr(iam, f"create_{kind.lower()}")(**{f"{kind}Name": "somebody"}, **more)
    with pytest.raises(ClientError) as refused:
        getattr(iam, f"attach_{kind.lower()}_policy")(**{f"{kind}Name": "somebody"}, PolicyArn=arn)
    error = refused.value.response["Error"]
    assert error["Code"] == "NoSuchEntity"
    assert error["Message"] == f"Policy {arn} does not exist or is not attachable."
    assert (
        getattr(iam, f"list_attached_{kind.lower()}_policies")(**{f"{kind}Name": "somebody"})["AttachedPolicies"] == []
    )


def test_a_role_with_only_sagemakers_policy_may_what_it_says_and_no_more(account):
    account.role("only")
    account.client("iam").attach_role_policy(RoleName="only", PolicyArn=FULL)
    assert account.act("only", "sagemaker").list_pipelines()["PipelineSummaries"] == []
    s3 = account.client("s3")
    for bucket in ("sagemaker-us-east-1-x", "elsewhere-x"):
        s3.create_bucket(Bucket=f"{bucket}-{account.number}")
    acting = account.act("only", "s3")
    acting.put_object(Bucket=f"sagemaker-us-east-1-x-{account.number}", Key="a", Body=b"")
    with pytest.raises(ClientError) as refused:
        acting.put_object(Bucket=f"elsewhere-x-{account.number}", Key="a", Body=b"")
    said = refused.value.response["Error"]["Message"]
    assert "assumed-role/only/" in said and "because no identity-based policy allows the s3:PutObject action" in said
