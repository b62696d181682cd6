"""The SageMaker Python SDK, kept to this machine: it reports its calls to its makers, and looks for settings."""

import contextlib
import json
import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

# The SDK reads these when it is imported. Its own way to refuse the reports makes it validate its settings at each
# call, which takes minutes; a proxy that nobody runs refuses everything that isn't this machine at once.
for name in ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"):
    os.environ[name] = "http://127.0.0.1:9"
for name in ("NO_PROXY", "no_proxy"):
    os.environ[name] = "127.0.0.1,localhost"
for scope in ("USER", "ADMIN"):
    os.environ[f"SAGEMAKER_{scope}_CONFIG_OVERRIDE"] = os.devnull
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
os.environ["SAGEMAKER_SUPPRESS_V2_WARNING"] = "1"

ROOT = Path(__file__).parent.parent.parent
SERVER = ROOT / ".venv" / "bin" / "python"
STEPS = ROOT / ".venvs"
ACCOUNT, REGION = "111111111111", "us-east-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/sdk"
IMAGES = [
    # SageMaker's built-in XGBoost, and framework images that run the caller's scripts.
    {
        "pattern": "*/sagemaker-xgboost:*",
        "directory": str(ROOT),
        "command": [".venvs/infer/bin/python"],
        "script_mode": True,
        "environment": {"SAGEMAKER_TRAINING_MODULE": "steps.train"},
    },
    {
        "pattern": "*/sagemaker-scikit-learn:*",
        "directory": str(ROOT),
        "command": [".venvs/evaluate/bin/python"],
        "script_mode": True,
    },
    {
        "pattern": "*/sagemaker-model-monitor-analyzer*",
        "directory": str(ROOT),
        "command": [".venvs/monitor/bin/python", "-m", "steps.monitor"],
    },
]


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Run a localaws from the project's own environment; give its address."""
    if not SERVER.exists() or not STEPS.exists():
        pytest.fail(f"{SERVER.parent.parent} and {STEPS} are needed: run `make setup` first.")
    (folder / "images.json").write_text(json.dumps({"images": IMAGES}))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON"))}
    options = ["--port", "0", "--state", str(folder / "state"), "--images", str(folder / "images.json")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [SERVER, "-m", "localaws", "serve", *options, "--until-closed"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        )
    try:
        line = process.stdout.readline().decode()
        assert line, (folder / "log").read_text()
        yield line.split()[-1]
    finally:
        process.stdin.close()
        process.wait()


@pytest.fixture(scope="session")
def aws(tmp_path_factory):
    """Address of a localaws; all clients lead there, by environment variables alone."""
    with serving(tmp_path_factory.mktemp("localaws")) as address, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", address)
        patch.setenv("AWS_ACCESS_KEY_ID", ACCOUNT)
        patch.setenv("AWS_SECRET_ACCESS_KEY", "local")
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
            patch.delenv(name, raising=False)
        _role()
        yield address


def _role() -> None:
    """Make the role that jobs, pipelines and functions run under."""
    trusted = {"Service": ["sagemaker.amazonaws.com", "lambda.amazonaws.com"]}
    trust = {"Statement": [{"Effect": "Allow", "Principal": trusted, "Action": "sts:AssumeRole"}]}
    everything = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam = boto3.client("iam")
    iam.create_role(RoleName="sdk", AssumeRolePolicyDocument=json.dumps(trust))
    iam.put_role_policy(RoleName="sdk", PolicyName="everything", PolicyDocument=json.dumps(everything))


@pytest.fixture(scope="session")
def session(aws):
    """The SDK's session, as its users make it, with a bucket.

    Where none is named, the SDK asks STS for the name of a default one, at AWS's own address whatever
    AWS_ENDPOINT_URL says: the one thing in which it doesn't follow that variable.
    """
    import sagemaker

    bucket = f"sagemaker-{REGION}-{ACCOUNT}"
    boto3.client("s3").create_bucket(Bucket=bucket)
    return sagemaker.Session(default_bucket=bucket)


@pytest.fixture(scope="session")
def rows(session):
    """Labelled rows, label first and without a header, as S3 prefixes by channel."""
    random.seed(0)
    lines = []
    for _ in range(400):
        # Eight features, as the documentation's abalones have, and not as many as this project's own table.
        row = [random.random() for _ in range(8)]
        label = sum(row[:4]) + random.gauss(0, 0.3) > 2
        lines.append(",".join(map(str, (int(label), *row))))
    bucket = session.default_bucket()
    for channel, part in (("train", lines[:300]), ("validation", lines[300:])):
        session.upload_string_as_file_body("\n".join(part) + "\n", bucket, f"rows/{channel}/rows.csv")
    return {channel: f"s3://{bucket}/rows/{channel}" for channel in ("train", "validation")}
