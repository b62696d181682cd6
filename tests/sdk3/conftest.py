"""The SageMaker Python SDK v3, beside the localaws that the SDK v2's tests start."""

import os

import boto3
import pytest

from tests.sdk.conftest import ACCOUNT, REGION, aws, rows  # noqa: F401 - fixtures

# This SDK makes clients while it is imported.
os.environ["AWS_DEFAULT_REGION"] = REGION


@pytest.fixture(scope="session")
def session(aws):  # noqa: F811
    """The SDK's session, with a bucket: it too asks STS at AWS's own address for a default one's name."""
    from sagemaker.core.helper.session_helper import Session

    bucket = f"sagemaker-{REGION}-{ACCOUNT}"
    boto3.client("s3").create_bucket(Bucket=bucket)
    return Session(default_bucket=bucket)
