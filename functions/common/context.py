"""Where a function runs: its account's names, from the variables functions.json gives it, and AWS clients."""

from __future__ import annotations

import functools
import json
import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

CONFIG = Config(retries={"mode": "standard", "max_attempts": 5})
RUNNING = ("Executing", "Stopping")
"""Statuses of an execution that hasn't ended."""

ABANDONED = timedelta(minutes=15)
"""Longest life of a Lambda invocation: what one has begun and not ended by then, it never will."""

GONE = {"NoSuchKey", "404", "NotFound"}
RACE_LOST = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}


class LostRace(Exception):
    """Another invocation wrote the object first."""


@functools.cache
def client(service: str) -> Any:
    """Return the account's client of a service."""
    return boto3.client(service, config=CONFIG)


def use(session: boto3.Session) -> None:
    """Take clients from a session, not the function's own role: for tools that know several accounts."""
    boto3.DEFAULT_SESSION = session
    client.cache_clear()


@dataclass(frozen=True)
class AccountContext:
    """The account and environment that a function runs in."""

    project: str
    environment: str
    region: str
    account: str
    registry_account: str
    data_bucket: str
    models_bucket: str

    @classmethod
    def here(cls) -> AccountContext:
        """Return the context that the function's variables describe."""
        return cls(
            project=os.environ["PROJECT"],
            environment=os.environ["ENVIRONMENT"],
            region=os.environ["AWS_REGION"],
            account=os.environ["ACCOUNT_ID"],
            registry_account=os.environ["REGISTRY_ACCOUNT_ID"],
            data_bucket=os.environ["DATA_BUCKET"],
            models_bucket=os.environ["MODELS_BUCKET"],
        )

    @property
    def group(self) -> str:
        """ARN of the model package group."""
        return f"arn:aws:sagemaker:{self.region}:{self.registry_account}:model-package-group/{self.project}"

    @property
    def topic(self) -> str:
        """ARN of the account's topic of notifications."""
        return f"arn:aws:sns:{self.region}:{self.account}:{self.project}-notifications"

    def pipeline(self, part: str) -> str:
        """Name of a pipeline: train, inference or quality."""
        return f"{self.project}-{part}"

    def run(self, execution_arn: str, *parts: str) -> str:
        """Key below an execution's prefix in the data bucket."""
        pipeline, execution = pipeline_and_id(execution_arn)
        return "/".join(("runs", pipeline, execution, *parts))


def pipeline_and_id(execution_arn: str) -> tuple[str, str]:
    """Return a pipeline's name and the execution's id from an execution's ARN."""
    pipeline, _, execution = execution_arn.partition(":pipeline/")[2].partition("/execution/")
    return pipeline, execution


def split(url: str) -> tuple[str, str]:
    """Return bucket and key of an S3 URL.

    Raises:
        ValueError: it isn't one.
    """
    bucket, _, key = url.removeprefix("s3://").partition("/")
    if not url.startswith("s3://") or not bucket:
        raise ValueError(f"{url}: not an S3 URL.")
    return bucket, key


def read_json(bucket: str, key: str) -> tuple[Any, str] | None:
    """Return an object's JSON value and its ETag, or None when there is no such object."""
    try:
        answer = client("s3").get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in GONE:
            return None
        raise
    return json.loads(answer["Body"].read()), answer["ETag"]


def write_json(bucket: str, key: str, value: Any, etag: str | None = None) -> str:
    """Write an object that must be new or, with an ETag, unchanged since; return its ETag.

    Raises:
        LostRace: it is there already, or has changed.
    """
    condition = {"IfMatch": etag} if etag else {"IfNoneMatch": "*"}
    try:
        answer = client("s3").put_object(
            Bucket=bucket,
            Key=key,
            Body=json.dumps(value, indent=1).encode(),
            ContentType="application/json",
            **condition,
        )
    except ClientError as error:
        # With an ETag, an object that is gone has changed as well.
        if error.response["Error"]["Code"] in (RACE_LOST | GONE if etag else RACE_LOST):
            raise LostRace(key) from None
        raise
    return answer["ETag"]


def put_json(bucket: str, key: str, value: Any) -> None:
    """Write an object, whatever is there."""
    client("s3").put_object(
        Bucket=bucket, Key=key, Body=json.dumps(value, indent=1).encode(), ContentType="application/json"
    )
