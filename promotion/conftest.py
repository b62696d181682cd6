"""Three local accounts in a process of their own: real S3, KMS, ECR and SNS over a real port."""

import urllib.request

import boto3
import pytest

from pipeline import settings
from promotion import accounts
from promotion.signing import key

STEPS = ("preprocess", "train", "evaluate", "monitor", "infer")


@pytest.fixture
def local(emulator, monkeypatch, tmp_path):
    """The emulator, emptied, with every client pointed to it."""
    urllib.request.urlopen(urllib.request.Request(f"{emulator}/_ministack/reset", method="POST")).read()
    monkeypatch.setenv("AWS_ENDPOINT_URL", emulator)
    monkeypatch.setenv("BATON_REGISTRIES", str(tmp_path / "none"))
    monkeypatch.setenv("BUILD_TAG", "tests")
    accounts.account.cache_clear()
    yield emulator
    accounts.account.cache_clear()


@pytest.fixture
def foundation(local):
    """What must be there before a release: repositories, the models bucket, the signing key, the topics."""
    for environment in ("dev", "prod"):
        here = accounts.account(environment)
        for step in STEPS:
            here.client("ecr").create_repository(
                repositoryName=here.names.repository(step), imageTagMutability="IMMUTABLE"
            )
        here.client("sns").create_topic(Name=here.names.name("notifications"))
        bucket = here.names.data_bucket
        here.client("s3").create_bucket(Bucket=bucket)
        here.client("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    registry = accounts.account("registry")
    registry.client("s3").create_bucket(Bucket=registry.names.models_bucket)
    made = registry.client("kms").create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
    registry.client("kms").create_alias(AliasName=key(registry), TargetKeyId=made["KeyId"])
    return settings.load("prod")


def as_account(address: str, account: str, service: str):
    """A client with an account's key, for what a test does behind promotion's back."""
    return boto3.Session(account, "local", region_name="us-east-1").client(service, endpoint_url=address)
