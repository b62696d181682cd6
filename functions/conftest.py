"""The accounts a function works in, over a real port, and the variables that AWS Lambda sets.

`context` is an account without SageMaker, in an emulator; `world` has a SageMaker that executes, in localaws.
"""

import itertools
import urllib.request

import boto3
import pytest

from functions.common import context as contexts
from functions.common.context import AccountContext
from functions.conftest_localaws import serving, session
from functions.conftest_world import World

REGISTRY, PROD = "222222222222", "333333333333"
VARIABLES = {
    "PROJECT": "mammography",
    "ENVIRONMENT": "prod",
    "ACCOUNT_ID": PROD,
    "REGISTRY_ACCOUNT_ID": REGISTRY,
    "DATA_BUCKET": f"mammography-data-{PROD}",
    "MODELS_BUCKET": f"mammography-models-{REGISTRY}",
    "RETRAIN_ENABLED": "true",
    "RETRAIN_COOLDOWN_HOURS": "0",
    "RETRAIN_DAILY_CAP": "2",
}
"""What functions.json gives a function of prod."""


@pytest.fixture
def local(emulator, monkeypatch):
    """The emulator, emptied, with every client pointed to prod's account in it."""
    urllib.request.urlopen(urllib.request.Request(f"{emulator}/_ministack/reset", method="POST")).read()
    use(monkeypatch, emulator)
    yield emulator
    boto3.DEFAULT_SESSION = None
    contexts.client.cache_clear()


def use(monkeypatch, address: str, account: str = PROD) -> None:
    """Point every client that is made from now on to an account at an address."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", account)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    contexts.use(session(account))


@pytest.fixture
def context(local, monkeypatch):
    """Prod as a function sees it, with its versioned data bucket."""
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    here = AccountContext.here()
    bucket(here.data_bucket)
    return here


def bucket(name: str, versions: bool = True) -> str:
    contexts.client("s3").create_bucket(Bucket=name)
    if versions:
        contexts.client("s3").put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def put(bucket: str, key: str, body: bytes = b"67,3,5,3\n") -> str:
    """Put an object; return its URL."""
    contexts.client("s3").put_object(Bucket=bucket, Key=key, Body=body)
    return f"s3://{bucket}/{key}"


@pytest.fixture(scope="session")
def localaws(tmp_path_factory):
    """Address of a localaws whose jobs do what their variables say."""
    with serving(tmp_path_factory.mktemp("localaws")) as address:
        yield address


_projects = itertools.count(1)


@pytest.fixture
def world(localaws, monkeypatch):
    """Prod with a SageMaker, and the registry account; each test has a project of its own in them."""
    project = f"project{next(_projects)}"
    use(monkeypatch, localaws)
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value.replace("mammography", project))
    here = World(AccountContext.here(), localaws)
    yield here
    here.close()
    boto3.DEFAULT_SESSION = None
    contexts.client.cache_clear()
