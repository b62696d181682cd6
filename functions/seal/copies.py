"""Copies of what a version consists of, to where no job may write."""

from __future__ import annotations

import base64
import hashlib
import json
import tempfile
from collections.abc import Iterable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from functions.common import seals
from functions.common.context import RACE_LOST, AccountContext, client, split
from functions.common.failures import ModelTampered, NothingToSeal
from functions.common.objects import at_once, list_objects
from functions.common.seals import ARCHIVE, EVALUATION, PREFIX, STATISTICS, Record, Sealed

FOLDERS = (EVALUATION, STATISTICS)
"""Parts beside which everything belongs to the version: the report lies beside the evaluation."""

LARGEST_BYTES = 480 << 20
"""What fits into the temporary storage of a Lambda function, which is 512 MB."""


def seal(context: AccountContext, parts: Mapping[str, str], specification: Mapping[str, Any]) -> Record:
    """Copy everything a version consists of, once, and return the record of it.

    Said again, it finds the copies that it made. Nothing is ever overwritten.

    Args:
        context: whose models bucket it is.
        parts: part → S3 URL; what a version hasn't is missing.
        specification: the InferenceSpecification that it is registered with. Where its container names no archive
            yet, the copy's URL is put in.

    Raises:
        NothingToSeal: an object isn't there, lies elsewhere, or is too large.
        ModelTampered: something else was sealed under the same name before.
    """
    named = {part: _key(context, url) for part, url in parts.items()}
    keys = set(named.values())
    for part in FOLDERS:
        if part in parts:
            folder = parts[part].rsplit("/", 1)[0]
            keys |= {item.key for item in list_objects(f"{folder}/")}
    objects = tuple(at_once(lambda key: _copy(context.models_bucket, key), sorted(keys)))
    named = {part: key.removeprefix(PREFIX) for part, key in named.items()}
    record = Record(named, objects, specification)
    first, *others = specification["Containers"]
    if "ModelDataUrl" not in first:
        completed = [{**first, "ModelDataUrl": record.url(ARCHIVE)}, *others]
        record = Record(named, objects, {**specification, "Containers": completed})
    return record


def keep(context: AccountContext, key: str, record: Record) -> tuple[str, str]:
    """Write a record, once; return its URL and the SHA-256 of its bytes.

    Raises:
        ModelTampered: another record is there.
    """
    content = json.dumps(record.value(), sort_keys=True, indent=1).encode()
    _put_once(context.models_bucket, key, content, hashlib.sha256(content))
    return f"s3://{context.models_bucket}/{key}", hashlib.sha256(content).hexdigest()


def _key(context: AccountContext, url: str) -> str:
    bucket, key = split(url)
    if bucket != context.models_bucket:
        raise NothingToSeal(f"{url} doesn't lie in {context.models_bucket}, where versions lie.")
    return key


def _copy(bucket: str, key: str) -> Sealed:
    """Copy an object, whose one version is read, hashed and written; the copy of a copy is itself."""
    name = key.removeprefix(PREFIX)
    hasher, size = hashlib.sha256(), 0
    with tempfile.TemporaryFile() as file:
        for piece in _pieces(bucket, key):
            size += len(piece)
            if size > LARGEST_BYTES:
                raise NothingToSeal(f"s3://{bucket}/{key} is larger than {LARGEST_BYTES >> 20} MB.")
            hasher.update(piece)
            file.write(piece)
        file.seek(0)
        version = _put_once(bucket, PREFIX + name, file, hasher)
    return Sealed(name, f"s3://{bucket}/{PREFIX}{name}", version, hasher.hexdigest(), size)


def _pieces(bucket: str, key: str) -> Iterable[bytes]:
    try:
        return client("s3").get_object(Bucket=bucket, Key=key)["Body"].iter_chunks(seals.PIECE_BYTES)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("NoSuchKey", "AccessDenied"):
            raise
        raise NothingToSeal(f"s3://{bucket}/{key} isn't there, or may not be read.") from None


def _put_once(bucket: str, key: str, body: Any, hasher: Any) -> str:
    """Write an object that must be new, or hold the same bytes already; return its object version."""
    try:
        return client("s3").put_object(
            Bucket=bucket, Key=key, Body=body, IfNoneMatch="*",
            ChecksumSHA256=base64.b64encode(hasher.digest()).decode(),
        )["VersionId"]  # fmt: skip
    except ClientError as error:
        if error.response["Error"]["Code"] not in RACE_LOST:
            raise
    version = client("s3").head_object(Bucket=bucket, Key=key)["VersionId"]
    wrong = seals.difference(Sealed(key, f"s3://{bucket}/{key}", version, hasher.hexdigest(), 0))
    if wrong:
        raise ModelTampered(f"It was sealed before with other content: {wrong}")
    return version
