"""A localaws of the tests' own, over a real port, and its accounts' clients."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.session
from botocore.loaders import Loader

ROOT = Path(__file__).parent.parent
JOB = """
import json, os, pathlib, sys
root = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"])
for name, content in json.loads(os.environ["FILES"]).items():
    (root / "processing" / "output" / name).write_text(content)
(root / "output").mkdir(exist_ok=True)
(root / "output" / "message").write_text(os.environ["MESSAGE"])
sys.exit(int(os.environ["CODE"]))
"""
"""A container's program that does what the job's variables say."""

ECHO = "def handle(event, context):\n    return event\n"


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Run a localaws whose jobs run the program above; give its address."""
    (folder / "job.py").write_text(JOB)
    images = {"images": [{"pattern": "*/monitor@*", "command": [sys.executable, "job.py"]}]}
    (folder / "images.json").write_text(json.dumps(images))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    options = ["--port", "0", "--state", str(folder / "state"), "--images", str(folder / "images.json")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "localaws", "serve", *options, "--until-closed"],
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


_loader = Loader()
"""Reads each service's model once for all sessions."""


def session(key: str, secret: str = "local", token: str | None = None) -> boto3.Session:
    """Return a session with these keys."""
    core = botocore.session.get_session()
    core.register_component("data_loader", _loader)
    return boto3.Session(key, secret, token, region_name="us-east-1", botocore_session=core)


@functools.cache
def client(service: str, account: str, address: str) -> Any:
    """A client of an account's root."""
    return session(account).client(service, endpoint_url=address)


@functools.cache
def echo(address: str) -> str:
    """Make the function that the steps Resolve call, once; return its ARN."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("echo.py", ECHO)
    return client("lambda", "333333333333", address).create_function(
        FunctionName="echo",
        Runtime="python3.11",
        Role="arn:aws:iam::333333333333:role/echo",
        Handler="echo.handle",
        Timeout=120,
        Code={"ZipFile": code.getvalue()},
    )["FunctionArn"]
