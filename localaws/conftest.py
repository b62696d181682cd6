"""A localaws in a process of its own, with its embedded emulator, and accounts that no other test has."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config

REGION = "us-east-1"
CONFIG = Config(retries={"max_attempts": 1, "mode": "standard"}, s3={"addressing_style": "path"})
TRUST = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
STEP = """\
import json, os, pathlib
base = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"])
given = base / "input/config/hyperparameters.json"
parameters = json.loads(given.read_text()) if given.is_file() else {}
exec(os.environ.get("CODE") or parameters.get("code", ""))
"""
_numbers = itertools.count(100_000_000_001)


@contextlib.contextmanager
def serving(state: Path, *options: str):
    """Run `python -m localaws serve`; give its address. It ends with the block."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with (state / "errors").open("ab") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "localaws", "serve", "--state", state, "--port", "0", "--until-closed", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
        )
    try:
        line = process.stdout.readline().decode()
        assert line, (state / "errors").read_text()
        threading.Thread(target=process.stdout.read, daemon=True).start()
        yield line.split()[-1]
    finally:
        process.stdin.close()
        process.wait()


def said_of_itself(folder: Path) -> str:
    """What a localaws has written to its log, `errors` in the folder, without its containers' own words."""
    lines = (folder / "errors").read_text().splitlines()
    return "\n".join(line for line in lines if "localaws.output" not in line)


class Server:
    """A localaws that can be killed and started again on the same state."""

    def __init__(self, state: Path, *options: str) -> None:
        self.state, self._options = state, options
        self.start()

    def start(self) -> None:
        """Start it, on a port of its own."""
        command = [sys.executable, "-m", "localaws", "serve", "--state", self.state, "--port", "0", "--until-closed"]
        with (self.state / "errors").open("ab") as errors:
            self.process = subprocess.Popen(
                [*command, *self._options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
            )
        line = self.process.stdout.readline().decode()
        assert line, (self.state / "errors").read_text()
        threading.Thread(target=self.process.stdout.read, daemon=True).start()
        self.address = line.split()[-1]

    def kill(self) -> None:
        """Kill it without a warning."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        """End it."""
        self.process.stdin.close()
        self.process.wait()

    def account(self, number: str) -> Account:
        """An account of it."""
        return Account(self.address, number)


@pytest.fixture(scope="session")
def state(tmp_path_factory):
    """The state folder of `address`."""
    return tmp_path_factory.mktemp("localaws")


@pytest.fixture(scope="session")
def address(state):
    """The address of a localaws whose every image is a Python that runs the code it is given.

    The code comes in the variable CODE, or for training jobs in the hyperparameter `code`. It finds /opt/ml in
    `base` and the hyperparameters in `parameters`.
    """
    (state / "step.py").write_text(STEP)
    entry = {"pattern": "*", "directory": ".", "command": [sys.executable, "step.py"]}
    (state / "images.json").write_text(json.dumps({"images": [entry]}))
    with serving(state, "--images", str(state / "images.json")) as found:
        yield found


def signed(service, key, region=REGION):
    """The headers of a request that a key signs, as far as anybody looks."""
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    credential = f"Credential={key}/{now[:8]}/{region}/{service}/aws4_request"
    return {
        "X-Amz-Date": now,
        "Authorization": f"AWS4-HMAC-SHA256 {credential}, SignedHeaders=host;x-amz-date, Signature={'0' * 64}",
    }


def send(address, method, target, headers=(), body=b""):
    """Status, headers and body of a request that is sent as it is given; `headers` are pairs, Host among them."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=300)
    send.tries += 1
    try:
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        pairs = list(headers.items()) if isinstance(headers, dict) else list(headers)
        if not any(name.lower() == "host" for name, _ in pairs):
            pairs.append(("Host", urlsplit(address).netloc))
        for name, value in pairs:
            connection.putheader(name, value)
        if body:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


send.tries = 0


@pytest.fixture(scope="module")
def counted():
    """Prints how many requests a module has sent; what isn't held fails a test."""
    before = send.tries
    yield
    print(f"{send.tries - before} requests tried")


class Account:
    """An account of a test's own."""

    def __init__(self, address, number=None):
        self.address, self.number = address, number or str(next(_numbers))

    def client(self, service, **keys):
        """A client of the account's root, or of whoever has the keys."""
        keys = keys or {"aws_access_key_id": self.number, "aws_secret_access_key": "local"}
        return boto3.client(service, endpoint_url=self.address, region_name=REGION, config=CONFIG, **keys)

    def role(self, name, *statements, trust=TRUST, **more):
        """Make a role with one inline policy; its ARN."""
        iam = self.client("iam")
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document, **more)["Role"]["Arn"]
        if statements:
            self.allow(name, *statements)
        return arn

    def allow(self, role, *statements):
        """Give a role these statements instead of those it has."""
        document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        self.client("iam").put_role_policy(RoleName=role, PolicyName="own", PolicyDocument=document)

    def act(self, role, service, session="tests"):
        """A client of a role's session."""
        arn = f"arn:aws:iam::{self.number}:role/{role}"
        made = self.client("sts").assume_role(RoleArn=arn, RoleSessionName=session)["Credentials"]
        return self.client(
            service,
            aws_access_key_id=made["AccessKeyId"],
            aws_secret_access_key=made["SecretAccessKey"],
            aws_session_token=made["SessionToken"],
        )

    def bucket(self, name=None):
        """Make a bucket; its name."""
        name = name or f"bucket-{self.number}"
        self.client("s3").create_bucket(Bucket=name)
        return name


@pytest.fixture
def account(address):
    """An account with nothing in it."""
    return Account(address)


@pytest.fixture
def other(address):
    """Another account."""
    return Account(address)


def allow(actions, resources="*", **conditions):
    """An Allow statement."""
    return {"Effect": "Allow", "Action": actions, "Resource": resources, "Condition": conditions}


def deny(actions, resources="*", **conditions):
    """A Deny statement."""
    return allow(actions, resources, **conditions) | {"Effect": "Deny"}


def ended(describe, status):
    """What a Describe… call answers once the job has ended."""
    while (found := describe())[status] in ("InProgress", "Stopping", "Executing"):
        time.sleep(0.05)
    return found


def one_step(sagemaker, role, code):
    """Make the pipeline `works`: one processing step whose job runs the code."""
    step = {
        "Name": "Work",
        "Type": "Processing",
        "Arguments": {
            "RoleArn": role,
            "AppSpecification": {"ImageUri": "any"},
            "ProcessingResources": {
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
            },
            "Environment": {"CODE": code},
        },
    }
    sagemaker.create_pipeline(
        PipelineName="works",
        ClientRequestToken="x" * 32,
        RoleArn=role,
        PipelineDefinition=json.dumps({"Version": "2020-12-01", "Steps": [step]}),
    )
