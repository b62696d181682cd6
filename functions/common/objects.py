"""Objects in S3 and the identities made of them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from functions.common.context import client, split

CHECKSUMS = ("ChecksumSHA256", "ChecksumSHA1", "ChecksumCRC64NVME", "ChecksumCRC32C", "ChecksumCRC32")
"""From the one that says most about the content to the one that says least."""


AT_ONCE = 16
"""Calls of AWS that a function makes beside each other."""

Item, Answer = TypeVar("Item"), TypeVar("Answer")


@dataclass(frozen=True)
class Object:
    """The current version of an object; in a bucket without versions its ETag stands for the version."""

    key: str
    version: str
    size: int
    modified: datetime


def at_once(ask: Callable[[Item], Answer], items: Iterable[Item]) -> list[Answer]:
    """Return what `ask` answers for each item, in their order, asking for many beside each other."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(ask, items))


def list_objects(url: str) -> list[Object]:
    """Return the objects whose URL begins with `url`, sorted by key; keys of folders (`…/`) don't count."""
    bucket, prefix = split(url)
    pages = client("s3").get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
    return sorted(
        (
            Object(item["Key"], _version(item), item["Size"], item["LastModified"])
            for page in pages
            for item in page.get("Versions", [])
            if item["IsLatest"] and not item["Key"].endswith("/")
        ),
        key=lambda item: item.key,
    )


def _version(item: dict) -> str:
    version = item.get("VersionId", "null")
    return version if version != "null" else item["ETag"].strip('"')


def contents(url: str, empty: bool = True) -> dict[str, str]:
    """Return, per key below `url`, what identifies the object's bytes in any bucket of any account.

    That is the checksum S3 keeps, with the size, or the ETag where it keeps none: an ETag says nothing about
    the content under SSE-KMS, so that such an object counts as new in every bucket.

    Args:
        url: an S3 URL of an object or a prefix.
        empty: whether objects without a byte count.
    """
    bucket, _ = split(url)
    keys = [item.key for item in list_objects(url) if item.size or empty]
    return dict(zip(keys, at_once(lambda key: _content(bucket, key), keys), strict=True))


def _content(bucket: str, key: str) -> str:
    head = client("s3").head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    for name in CHECKSUMS:
        if name in head:
            return f"{name.removeprefix('Checksum').lower()} {head[name]} {head['ContentLength']}"
    return f"etag {head['ETag'].strip(chr(34))} {head['ContentLength']}"


def batch_id(objects: Iterable[Object]) -> str:
    """Return a batch's identity: its name and a hash of its objects' keys and versions."""
    objects = sorted(objects, key=lambda item: item.key)
    digest = hashlib.sha256("".join(f"{item.key}\n{item.version}\n" for item in objects).encode()).hexdigest()
    stem = re.sub(r"[^A-Za-z0-9]+", "-", objects[0].key.rsplit("/", 1)[-1].rsplit(".", 1)[0]).strip("-")
    return f"{stem[:40] or 'batch'}-{digest[:12]}"


def training_set(contents: Iterable[str]) -> str:
    """Return a training set's identity: equal contents have one, whatever their names and places."""
    return hashlib.sha256("\n".join(sorted(contents)).encode()).hexdigest()
