"""A job's objects: found by prefix or manifest, brought to the scratch folder, and put back, all or nothing."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from threading import Event
from typing import Any

from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError

from localaws.jobs import outputs
from localaws.jobs.failure import JobFailed, JobStopped

THREADS = 8
SMALL = 8 * 1024 * 1024
"""Bytes up to which an object is put in one call, whose answer has its version."""


@dataclass(frozen=True)
class S3Object:
    """An object and where it goes, relative to the folder that stands for its prefix."""

    bucket: str
    key: str
    place: str
    size: int = 0

    @property
    def uri(self) -> str:
        """Its S3 URI."""
        return f"s3://{self.bucket}/{self.key}"


def split(uri: str) -> tuple[str, str]:
    """Return bucket and key of an S3 URI. Raises JobFailed."""
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise JobFailed(f"ClientError: {uri} isn't an S3 URI.")
    return bucket, key


def join(uri: str, *parts: str) -> str:
    """Return the URI of something below a prefix."""
    return "/".join([uri.rstrip("/"), *parts])


def find(client: Any, uri: str, data_type: str = "S3Prefix", may_be_none: bool = False) -> list[S3Object]:
    """Return the objects of a prefix or of a manifest, sorted by key.

    Raises JobFailed: there are none, they can't be listed, or the manifest can't be read.
    """
    if data_type == "ManifestFile":
        return _manifest(client, uri)
    if data_type != "S3Prefix":
        raise JobFailed(f"ClientError: S3DataType {data_type} isn't supported here; S3Prefix and ManifestFile are.")
    bucket, prefix = split(uri)
    found = []
    with _told("Data download failed", uri):
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for item in page.get("Contents", []):
                if not item["Key"].endswith("/"):
                    found.append(S3Object(bucket, item["Key"], place(prefix, item["Key"]), item["Size"]))
    if not found and not may_be_none:
        raise JobFailed(
            f'ClientError: No S3 objects found under S3 URL "{uri}". Please ensure that the bucket exists, that '
            "objects exist under that prefix, and that the job's role may list it."
        )
    return sorted(found, key=lambda item: item.key)


def place(prefix: str, key: str) -> str:
    """Return where an object goes within the folder that stands for a prefix.

    A prefix that ends within a name (data/tr for data/train/a.csv) stands for the folder that it lies in.
    """
    if key == prefix:
        return PurePosixPath(key).name
    if prefix and not prefix.endswith("/"):
        prefix = f"{prefix}/" if key.startswith(f"{prefix}/") else prefix[: prefix.rfind("/") + 1]
    return key[len(prefix) :]


def _manifest(client: Any, uri: str) -> list[S3Object]:
    try:
        head, *names = json.loads(read(client, uri))
        bucket, prefix = split(head["prefix"])
        return sorted((S3Object(bucket, prefix + name, name) for name in names), key=lambda item: item.key)
    except (ValueError, KeyError, TypeError):
        raise JobFailed(
            f'ClientError: The manifest {uri} isn\'t a JSON list of {{"prefix": "s3://…"}} and names below it.'
        ) from None


def shard(objects: Sequence[S3Object], host: int, hosts: int, distribution: str) -> Sequence[S3Object]:
    """Return the objects that one of the hosts (from 0) gets: all, or with ShardedByS3Key its share."""
    return objects[host::hosts] if distribution == "ShardedByS3Key" else objects


def read(client: Any, uri: str) -> bytes:
    """Return an object's bytes. Raises JobFailed."""
    bucket, key = split(uri)
    with _told("Data download failed", uri):
        answer = client.get_object(Bucket=bucket, Key=key)
        with contextlib.closing(answer["Body"]) as body:
            return body.read()


def download(client: Any, objects: Iterable[S3Object], folder: Path, stopped: Event | None = None) -> None:
    """Bring objects into a folder, which is made even when there are none. Raises JobFailed or JobStopped."""
    folder.mkdir(parents=True, exist_ok=True)
    _in_parallel(lambda item: _download_one(client, item, folder, stopped or Event()), list(objects))


def _download_one(client: Any, item: S3Object, folder: Path, stopped: Event) -> None:
    target = folder / item.place
    if not target.resolve().is_relative_to(folder.resolve()):
        raise JobFailed(f"ClientError: Data download failed: {item.uri} would lie outside of its folder.")
    with _told("Data download failed", item.uri):
        target.parent.mkdir(parents=True, exist_ok=True)
        # Left unread, what is under way of an object would keep its sender waiting.
        with (
            contextlib.closing(client.get_object(Bucket=item.bucket, Key=item.key)["Body"]) as body,
            target.open("wb") as file,
        ):
            while piece := body.read(1 << 20):
                if stopped.is_set():
                    raise JobStopped
                file.write(piece)


@dataclass
class Upload:
    """Files of a job's own folder on their way to S3.

    Nothing is sent before `send`, and what a failed `send` sent is taken back; `ended` says when it is to fail.
    """

    client: Any
    within: Path
    kms_key: str | None = None
    ended: Callable[[], bool] = bool
    files: list[tuple[Path, str]] = field(default_factory=list)
    _sent: list[tuple[str, str, str | None]] = field(default_factory=list)

    def add(self, file: Path, uri: str) -> None:
        """Take a file for an object."""
        self.files.append((file, uri))

    def add_folder(self, folder: Path, uri: str) -> None:
        """Take every file below a folder. Raises JobFailed."""
        for name, file in outputs.files_below(folder, self.within).items():
            self.add(file, join(uri, name))

    def send(self) -> None:
        """Put all files. Raises JobFailed or JobStopped."""
        try:
            _in_parallel(lambda item: self._send_one(*item), self.files)
        except BaseException:
            self.take_back()
            raise

    def take_back(self) -> None:
        """Delete what was sent, so that the objects that were there before show again."""
        for bucket, key, version in self._sent:
            with contextlib.suppress(ClientError, BotoCoreError):
                self.client.delete_object(Bucket=bucket, Key=key, **({"VersionId": version} if version else {}))
        self._sent.clear()

    def _send_one(self, file: Path, uri: str) -> None:
        self._sent.append((*split(uri), put(self.client, file, self.within, uri, self.kms_key, self.ended)))


def put(
    client: Any,
    file: Path,
    within: Path,
    uri: str,
    kms_key: str | None = None,
    ended: Callable[[], bool] = bool,
) -> str | None:
    """Put one file of a job's own folder; the new object's version, in a bucket that has versions.

    Raises JobFailed or JobStopped.
    """
    bucket, key = split(uri)
    encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else {}
    with _told("Data upload failed", uri), outputs.opened(file, within, ended) as stream:
        if os.fstat(stream.fileno()).st_size <= SMALL:
            # It may grow while it is read.
            answer = client.put_object(Bucket=bucket, Key=key, Body=stream.read(SMALL), **encryption)
            return answer.get("VersionId")
        config = TransferConfig(multipart_threshold=SMALL, max_concurrency=THREADS)
        client.upload_fileobj(stream, bucket, key, ExtraArgs=encryption, Config=config)
        return client.head_object(Bucket=bucket, Key=key).get("VersionId")


def _in_parallel(action: Callable[[Any], None], items: Sequence[Any]) -> None:
    if len(items) < 2:
        for item in items:
            action(item)
        return
    with ThreadPoolExecutor(min(THREADS, len(items))) as pool:
        futures = [pool.submit(action, item) for item in items]
        try:
            for future in futures:
                future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


@contextlib.contextmanager
def _told(what: str, uri: str) -> Iterator[None]:
    """Turn what can go wrong with an object into the job's reason."""
    uri = outputs.shown(uri)
    try:
        yield
    except ClientError as error:
        code, message = error.response["Error"].get("Code", ""), error.response["Error"].get("Message", "")
        raise JobFailed(f"ClientError: {what}: {code} at {error.operation_name} of {uri}: {message}") from None
    except (BotoCoreError, Boto3Error) as error:
        raise JobFailed(f"ClientError: {what}: {uri}: {type(error).__name__}") from None
    except OSError as error:
        raise JobFailed(f"InternalServerError: {what}: {uri}: {error.strerror}") from None
