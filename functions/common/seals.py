"""What a version consists of, by content, and whether a person approved exactly that.

The train pipeline copies everything that a version consists of below `sealed/` in the models bucket, where no job may
write, and keeps a record of it: object versions, digests and the whole inference specification. A person's approval
signs the record. Every reader holds the version against the signed record before it uses anything of it.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from botocore.exceptions import ClientError

from functions.common import dsse
from functions.common.context import GONE, AccountContext, client, split
from functions.common.failures import ModelNotSealed, ModelTampered
from functions.common.objects import at_once

PREFIX = "sealed/"
"""Of the copies; the rest of a copy's key is that of what was copied."""

ARCHIVE, EVALUATION, STATISTICS, CONSTRAINTS, TRAINING_SET = PARTS = (
    "archive", "evaluation", "statistics", "constraints", "training_set",
)  # fmt: skip

FORMAT = 1
ADDED = ("ImageDigest", "ModelDataETag")
"""Members of a container that SageMaker adds when it describes a version."""

PIECE_BYTES = 1 << 20
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://model_signing/signature/v1.0"
"""Of OpenSSF's model signing, whose verifiers ignore the member `seal` that stands beside theirs."""


@dataclass(frozen=True)
class Sealed:
    """A copy: the original's key, where the copy lies, its object version, content and size in bytes."""

    name: str
    url: str
    version: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Record:
    """What a version consists of.

    Attributes:
        parts: part → name of its object; a part that the version hasn't is missing.
        objects: all copies, sorted by name.
        specification: the InferenceSpecification that the version is registered with.
    """

    parts: Mapping[str, str]
    objects: tuple[Sealed, ...]
    specification: Mapping[str, Any]

    def url(self, part: str) -> str | None:
        """Return where the copy of a part lies, or None."""
        name = self.parts.get(part)
        return next((item.url for item in self.objects if item.name == name), None)

    def sealed(self, part: str) -> Sealed | None:
        """Return the copy of a part, or None."""
        name = self.parts.get(part)
        return next((item for item in self.objects if item.name == name), None)

    def value(self) -> dict[str, Any]:
        """Return the record as JSON has it."""
        return {
            "format": FORMAT,
            "parts": dict(self.parts),
            "objects": [asdict(item) for item in self.objects],
            "inference_specification": self.specification,
        }

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Record:
        """Read what `value` returned.

        Raises:
            ValueError: it is something else.
        """
        try:
            if value["format"] != FORMAT:
                raise ValueError(f"format {value['format']}")
            objects = tuple(Sealed(**item) for item in value["objects"])
            return cls(dict(value["parts"]), objects, value["inference_specification"])
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no record of a version ({error})") from None


def key(context: AccountContext) -> str:
    """Return the ARN of the alias of the key that signs approvals. Which key counts never follows from a signature."""
    return f"arn:aws:kms:{context.region}:{context.registry_account}:alias/{context.project}-approvals"


def approval(version: int) -> str:
    """Return the key, in the models bucket, of the signed approval of a version."""
    return f"approvals/{version}.json"


def by_hand(version: int) -> str:
    """Return the key of the record of a version that was registered without one, and sealed by a person."""
    return f"{PREFIX}versions/{version}.json"


def statement(context: AccountContext, package: Mapping[str, Any], record: Record, **act: str) -> bytes:
    """Return the statement that an approval signs.

    Args:
        context: names the model.
        package: the version as DescribeModelPackage tells it.
        record: what it consists of.
        act: who approved it, when, and why.
    """
    resources = [{"name": item.name, "algorithm": "sha256", "digest": item.sha256} for item in record.objects]
    whole = hashlib.sha256(b"".join(bytes.fromhex(item.sha256) for item in record.objects)).hexdigest()
    serialization = {"method": "files", "hash_type": "sha256", "allow_symlinks": False, "ignore_paths": []}
    value = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": f"{context.project}-{package['ModelPackageVersion']}", "digest": {"sha256": whole}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "serialization": serialization,
            "resources": resources,
            "seal": {"package": package["ModelPackageArn"], **act, **record.value()},
        },
    }
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def opened(context: AccountContext, package: Mapping[str, Any]) -> Record:
    """Return what an approved version consists of, after everything was held against what a person signed.

    Args:
        context: whose registry account it is.
        package: the version as DescribeModelPackage tells it.

    Raises:
        ModelNotSealed: nobody signed an approval of it.
        ModelTampered: it isn't what was signed: signature, specification or an object.
    """
    signed = signed_record(context, package)
    check(package, signed)
    return signed


def signed_record(context: AccountContext, package: Mapping[str, Any]) -> Record:
    """Return the record in a version's signed approval, which isn't held against the objects yet."""
    version = package["ModelPackageVersion"]
    called = f"Version {version} of {context.project}"
    bundle = _read(context.models_bucket, approval(version))
    if bundle is None:
        raise ModelNotSealed(
            f"{called}: no person signed an approval of its content. In the registry account, `make seal "
            f"MODEL={version} REASON=…` seals and signs a version from before there were seals."
        )
    try:
        payload, signature = dsse.opened(bundle)
    except dsse.Malformed:
        raise ModelTampered(f"{called}: its approval at {approval(version)} is malformed.") from None
    try:
        verified = dsse.verify(client("kms"), key(context), dsse.encoded(payload), signature)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        raise ModelNotSealed(f"{called}: {key(context)} can't say whether it signed its approval ({code}).") from None
    if not verified:
        raise ModelTampered(
            f"{called}: its approval isn't what {key(context)} signed. If the key was replaced, a person approves the "
            f"version again."
        )
    try:
        seal = json.loads(payload)["predicate"]["seal"]
        of, record = seal["package"], Record.of(seal)
    except (ValueError, KeyError, TypeError):
        raise ModelTampered(f"{called}: what its approval signs is no record of a version.") from None
    if of != package["ModelPackageArn"]:
        raise ModelTampered(f"{called}: its approval was signed for {of}.")
    return record


def check(package: Mapping[str, Any], record: Record) -> None:
    """Hold a version against its record.

    Raises:
        ModelTampered: its specification, or an object of it, isn't what was recorded.
    """
    called = f"Version {package['ModelPackageVersion']} of {package['ModelPackageGroupName']}"
    if not same_specification(record.specification, package["InferenceSpecification"]):
        raise ModelTampered(f"{called}: its InferenceSpecification isn't the one that was recorded.")
    if package.get("AdditionalInferenceSpecifications"):
        raise ModelTampered(f"{called}: it has additional inference specifications, which nothing recorded.")
    wrong = [found for found in at_once(difference, record.objects) if found]
    if wrong:
        raise ModelTampered(f"{called}: {wrong[0]}")


def same_specification(recorded: Mapping[str, Any], described: Mapping[str, Any]) -> bool:
    """Whether a described InferenceSpecification is the recorded one, but for what SageMaker adds."""

    def without(value: Mapping[str, Any]) -> dict[str, Any]:
        containers = [
            {name: item for name, item in container.items() if name not in ADDED}
            for container in value.get("Containers", [])
        ]
        return {**value, "Containers": containers}

    return without(recorded) == without(described)


def difference(item: Sealed) -> str | None:
    """Return how an object differs from what was recorded, or None.

    An object's version never changes, and S3 keeps the SHA-256 that it was written with; the content is read only
    where S3 keeps none.
    """
    bucket, name = split(item.url)
    try:
        head = client("s3").head_object(Bucket=bucket, Key=name, ChecksumMode="ENABLED")
    except ClientError as error:
        if error.response["Error"]["Code"] in GONE:
            return f"{item.url} is gone."
        raise
    if head.get("VersionId") != item.version:
        return f"{item.url} was overwritten: it isn't object version {item.version} any more."
    checksum = head.get("ChecksumSHA256")
    found = base64.b64decode(checksum).hex() if checksum and "-" not in checksum else _digest(bucket, name)
    return None if found == item.sha256 else f"{item.url} holds other bytes than were recorded."


def _digest(bucket: str, name: str) -> str:
    hasher = hashlib.sha256()
    for piece in client("s3").get_object(Bucket=bucket, Key=name)["Body"].iter_chunks(PIECE_BYTES):
        hasher.update(piece)
    return hasher.hexdigest()


def _read(bucket: str, name: str) -> bytes | None:
    try:
        return client("s3").get_object(Bucket=bucket, Key=name)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] in GONE:
            return None
        raise


def recorded(context: AccountContext, package: Mapping[str, Any]) -> Record | None:
    """Return the record that a version was registered with, or sealed with by a person; None if it has none.

    Raises:
        ModelTampered: the record isn't the one that was registered.
    """
    metadata = package.get("CustomerMetadataProperties", {})
    version = package["ModelPackageVersion"]
    bucket, name = split(metadata["Record"]) if "Record" in metadata else (context.models_bucket, by_hand(version))
    content = _read(bucket, name)
    if content is None and "Record" not in metadata:
        return None
    expected = metadata.get("RecordDigest")
    if content is None or (expected and hashlib.sha256(content).hexdigest() != expected):
        raise ModelTampered(f"Version {version} of {context.project}: {name} isn't the record that was registered.")
    try:
        return Record.of(json.loads(content))
    except ValueError:
        raise ModelTampered(f"Version {version} of {context.project}: {name} is no record of a version.") from None
