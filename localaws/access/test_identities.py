"""Who is who: what a role, a provider's token, a key or no signature at all gives in each service."""

import base64
import json
import time
from urllib.parse import urlsplit

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from localaws.conftest import REGION, Account, allow, deny, send, serving, signed

pytestmark = pytest.mark.usefixtures("counted")


def test_another_accounts_root_gets_a_role_that_trusts_it(account, other):
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{other.number}:root"}, "Action": "sts:AssumeRole"}
    arn = account.role("trusts", trust=trust)
    assert other.client("sts").assume_role(RoleArn=arn, RoleSessionName="x" * 8)["Credentials"]
    own = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account.number}:root"}, "Action": "sts:AssumeRole"}
    arn = account.role("trusts-its-own", trust=own)
    with pytest.raises(ClientError, match="AccessDenied"):
        other.client("sts").assume_role(RoleArn=arn, RoleSessionName="x" * 8)
    assert account.client("sts").assume_role(RoleArn=arn, RoleSessionName="x" * 8)["Credentials"]


def token(issuer, audience="sts.amazonaws.com", subject="repo:a", **more):
    """An unsigned JSON Web Token."""
    claims = {"iss": f"https://{issuer}", "aud": audience, "sub": subject, "exp": int(time.time()) + 600, **more}
    parts = [{"alg": "none"}, claims]
    return ".".join([base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts] + ["x"])


def test_a_web_identity_gets_the_roles_that_trust_its_provider(account):
    issuer = f"tokens.example/{account.number}"
    provider = f"arn:aws:iam::{account.number}:oidc-provider/{issuer}"
    condition = {"StringEquals": {f"{issuer}:aud": "sts.amazonaws.com", f"{issuer}:sub": "repo:a"}}
    trust = {"Effect": "Allow", "Principal": {"Federated": provider}, "Action": "sts:AssumeRoleWithWebIdentity"}
    arn = account.role("ci", allow("s3:*"), trust=trust | {"Condition": condition})
    plain = account.role("plain", allow("s3:*"))
    sts = boto3.client("sts", endpoint_url=account.address, region_name=REGION)

    def assume(role, text):
        return sts.assume_role_with_web_identity(RoleArn=role, RoleSessionName="x" * 8, WebIdentityToken=text)

    with pytest.raises(ClientError, match="AccessDenied"):
        assume(arn, token(issuer))  # there is no such provider yet
    account.client("iam").create_open_id_connect_provider(
        Url=f"https://{issuer}", ClientIDList=["sts.amazonaws.com"], ThumbprintList=["0" * 40]
    )
    assert assume(arn, token(issuer))["Credentials"]["AccessKeyId"].startswith("ASIA")
    wrong = [token(issuer, subject="repo:b"), token(issuer, audience="x"), token("other.example"), "xxxx", "x.y.z"]
    for role, text in [*((arn, text) for text in wrong), (plain, token(issuer))]:
        with pytest.raises(ClientError, match="AccessDenied"):
            assume(role, text)
    with pytest.raises(ClientError, match="ExpiredToken"):
        assume(arn, token(issuer, exp=1))


def test_a_bucket_that_is_open_to_everybody_is_open_to_the_anonymous(account):
    bucket, s3 = account.bucket(), account.client("s3")
    s3.put_object(Bucket=bucket, Key="public/a", Body=b"for all")
    s3.put_object(Bucket=bucket, Key="a", Body=b"for us")
    everybody = {"Principal": "*"} | allow("s3:GetObject", f"arn:aws:s3:::{bucket}/public/*")
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [everybody]}))
    assert send(account.address, "GET", f"/{bucket}/public/a")[2] == b"for all"
    for method, path in (("GET", "/a"), ("GET", ""), ("PUT", "/public/a"), ("DELETE", "/public/a"), ("GET", "/public")):
        assert send(account.address, method, f"/{bucket}{path}")[0] == 403
    assert send(account.address, "GET", "/")[0] == 403
    assert send(account.address, "PUT", "/made-by-nobody")[0] == 403
    assert send(account.address, "GET", "/there-is-no-such-bucket/x")[0] in (403, 404)


@pytest.mark.parametrize("service", ["sqs", "kms", "events", "logs", "ecr", "dynamodb", "iam", "sns", "lambda", "ec2"])
def test_other_services_answer_nobody_who_does_not_sign(account, service):
    client = boto3.client(
        service, endpoint_url=account.address, region_name=REGION, config=Config(signature_version=UNSIGNED)
    )
    calls = {
        "sqs": "list_queues", "kms": "list_keys", "events": "list_rules", "logs": "describe_log_groups",
        "ecr": "describe_repositories", "dynamodb": "list_tables", "iam": "list_roles", "sns": "list_topics",
        "lambda": "list_functions", "ec2": "describe_vpcs",
    }  # fmt: skip
    with pytest.raises(ClientError) as raised:
        getattr(client, calls[service])()
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 403, 404)


def test_scope_and_target_must_be_of_one_service(account):
    account.role("all-of-sqs", allow("sqs:*"))
    arn = f"arn:aws:iam::{account.number}:role/all-of-sqs"
    made = account.client("sts").assume_role(RoleArn=arn, RoleSessionName="x" * 8)["Credentials"]
    more = {"X-Amz-Security-Token": made["SessionToken"], "Content-Type": "application/x-amz-json-1.1"}
    targets = ["TrentService.ListKeys", "AWSEvents.ListRules", "SageMaker.ListModels", "AmazonSQS.ListKeys", "sqs.X"]
    for target in targets:
        headers = signed("sqs", made["AccessKeyId"]) | more | {"X-Amz-Target": target}
        status, _, answer = send(account.address, "POST", "/", headers, b"{}")
        assert status in (400, 403, 404) and b"Keys" not in answer and b"Rules" not in answer, (target, answer)
    headers = signed("sqs", made["AccessKeyId"]) | more | {"X-Amz-Target": "AmazonSQS.ListQueues"}
    assert send(account.address, "POST", "/", headers, b"{}")[0] == 200
    for path in ("/x", "//", "/_ministack/reset", f"/{account.number}/q"):
        assert send(account.address, "POST", path, headers, b"{}")[0] == 404
    double = [*headers.items(), ("X-Amz-Target", "AmazonSQS.CreateQueue")]
    assert send(account.address, "POST", "/", double, b"{}")[0] == 400
    for name in ("Action=ListRoles&Action=CreateRole", "Action=ListRoles&RoleName=a&RoleName=b"):
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        headers = signed("iam", account.number) | kind
        assert send(account.address, "POST", "/", headers, name.encode())[0] == 404
        assert send(account.address, "POST", "/?Action=CreateRole", headers, b"Action=ListRoles")[0] == 404


def test_what_switches_enforcement_off_switches_all_of_it_off(tmp_path):
    with serving(tmp_path, "--no-enforce") as address:
        account, other = Account(address), Account(address)
        bucket = account.bucket()
        account.client("s3").put_object(Bucket=bucket, Key="a", Body=b"x")
        assert send(address, "GET", f"/{bucket}/a")[0] == 200
        sagemaker = account.client("sagemaker")
        arn = sagemaker.create_model_package_group(ModelPackageGroupName="group")["ModelPackageGroupArn"]
        found = other.client("sagemaker").describe_model_package_group(ModelPackageGroupName=arn)
        assert found["ModelPackageGroupArn"] == arn
        assert send(address, "POST", "/_ministack/reset")[0] == 404


def test_a_group_of_another_account_is_closed_without_its_policy(account, other):
    arn = account.client("sagemaker").create_model_package_group(ModelPackageGroupName="g")["ModelPackageGroupArn"]
    with pytest.raises(ClientError, match="AccessDenied"):
        other.client("sagemaker").describe_model_package_group(ModelPackageGroupName=arn)


def test_an_explicit_deny_holds_for_presigned_urls(account):
    bucket = account.bucket()
    account.client("s3").put_object(Bucket=bucket, Key="a", Body=b"secret")
    account.role("denied", allow("s3:*"), deny("s3:GetObject", f"arn:aws:s3:::{bucket}/*"))
    url = account.act("denied", "s3").generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a"})
    parts = urlsplit(url)
    status, _, body = send(account.address, "GET", f"{parts.path}?{parts.query}")
    assert status == 403 and b"secret" not in body


def test_a_session_that_nobody_knows_is_refused(account):
    account.role("reads", allow("s3:*"))
    assert account.act("reads", "sts").get_caller_identity()["Account"] == account.number
    client = account.client("s3", aws_access_key_id="ASIA" + "A" * 16, aws_secret_access_key="x", aws_session_token="x")
    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        client.list_buckets()


def test_folders_and_their_contents_are_told_apart(account):
    bucket = account.bucket()
    account.client("s3").put_object(Bucket=bucket, Key="folder/", Body=b"secret")
    account.client("s3").put_object(Bucket=bucket, Key="folder", Body=b"open")
    account.role("reads", allow("s3:GetObject", f"arn:aws:s3:::{bucket}/folder"))
    s3 = account.act("reads", "s3")
    assert s3.get_object(Bucket=bucket, Key="folder")["Body"].read() == b"open"
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.get_object(Bucket=bucket, Key="folder/")
