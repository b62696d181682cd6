"""The registry account's bucket as promotion uses it: objects that are created once or replaced knowingly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import ClientError

from promotion.accounts import Account

GONE = {"NoSuchKey", "404", "NotFound"}
LOST = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}


class Taken(Exception):
    """A conditional write lost: the object is there already, or was changed by somebody else."""


class Objects:
    """Objects below `releases/` in the models bucket."""

    def __init__(self, registry: Account) -> None:
        self._s3 = registry.client("s3")
        self.bucket = registry.names.models_bucket

    def get(self, key: str) -> bytes | None:
        """Return an object's content; None if there is none."""
        found = self.look(key)
        return found and found[0]

    def look(self, key: str) -> tuple[bytes, str, datetime, datetime] | None:
        """Return content, ETag, when it was written, and what time it is, both by S3's own clock."""
        try:
            answer = self._s3.get_object(Bucket=self.bucket, Key=f"releases/{key}")
        except ClientError as error:
            if _code(error) in GONE:
                return None
            raise
        now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        return answer["Body"].read(), answer["ETag"], answer["LastModified"], now

    def create(self, key: str, content: bytes) -> str:
        """Write an object that isn't there yet; return its ETag.

        Raises:
            Taken: it is.
        """
        return self._put(key, content, IfNoneMatch="*")

    def replace(self, key: str, content: bytes, etag: str) -> str:
        """Write an object over the version with this ETag; return the new one.

        Raises:
            Taken: it has changed since, or is gone.
        """
        return self._put(key, content, IfMatch=etag)

    def delete(self, key: str, etag: str) -> None:
        """Delete the version of an object with this ETag; another version, or none, is left as it is."""
        try:
            self._s3.delete_object(Bucket=self.bucket, Key=f"releases/{key}", IfMatch=etag)
        except ClientError as error:
            if _code(error) not in LOST | GONE:
                raise

    def names(self, prefix: str) -> Iterator[str]:
        """Give the names directly below a prefix that ends in a slash, folders without their slash."""
        prefix = f"releases/{prefix}"
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix, Delimiter="/")
        for page in pages:
            for folder in page.get("CommonPrefixes", ()):
                yield folder["Prefix"].removeprefix(prefix).rstrip("/")
            for item in page.get("Contents", ()):
                yield item["Key"].removeprefix(prefix)

    def _put(self, key: str, content: bytes, **condition: str) -> str:
        try:
            answer = self._s3.put_object(Bucket=self.bucket, Key=f"releases/{key}", Body=content, **condition)
        except ClientError as error:
            if _code(error) in LOST | GONE:
                raise Taken(key) from None
            raise
        return answer["ETag"]


def to_json(value: Any) -> bytes:
    """Return a value as a JSON document that people can read too."""
    return json.dumps(value, indent=1, ensure_ascii=False).encode() + b"\n"


def _code(error: ClientError) -> str:
    return error.response["Error"]["Code"]
