"""Signatures of manifests: an asymmetric KMS key in the registry account that only CI may sign with."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from botocore.exceptions import ClientError

from promotion.accounts import Account
from promotion.errors import ReleaseNotSigned, ReleaseTampered

ALGORITHM = "ECDSA_SHA_256"
"""Of a key of spec ECC_NIST_P256 and usage SIGN_VERIFY."""


def key(registry: Account) -> str:
    """Return the signing key's alias. Which key counts follows from the settings, never from a signature."""
    return f"alias/{registry.names.name('releases')}"


def sign(registry: Account, content: bytes) -> bytes:
    """Sign a manifest's bytes and return the signature document (JSON).

    Raises:
        ReleaseNotSigned: the key is missing or the caller may not sign.
    """
    try:
        answer = registry.client("kms").sign(
            KeyId=key(registry),
            Message=hashlib.sha256(content).digest(),
            MessageType="DIGEST",
            SigningAlgorithm=ALGORITHM,
        )
    except ClientError as error:
        raise ReleaseNotSigned(f"Key {key(registry)} in account {registry.id} did not sign ({_code(error)}).") from None
    document = {"algorithm": ALGORITHM, "key": answer["KeyId"], "signature": _text(answer["Signature"])}
    return json.dumps(document, sort_keys=True).encode() + b"\n"


def verify(registry: Account, content: bytes, signature: bytes, name: str) -> None:
    """Hold a manifest's bytes against a signature document; `name` is what messages call the release.

    Raises:
        ReleaseTampered: the signature isn't this key's over these bytes.
        ReleaseNotSigned: the key can't be asked.
    """
    try:
        raw = base64.b64decode(json.loads(signature)["signature"], validate=True)
    except (ValueError, KeyError, TypeError):
        raise ReleaseTampered(f"{name}: the signature is malformed.") from None
    try:
        answer = registry.client("kms").verify(
            KeyId=key(registry),
            Message=hashlib.sha256(content).digest(),
            MessageType="DIGEST",
            Signature=raw,
            SigningAlgorithm=ALGORITHM,
        )
    except ClientError as error:
        if _code(error) == "KMSInvalidSignatureException":
            raise ReleaseTampered(f"{name}: the manifest isn't what {key(registry)} signed.") from None
        raise ReleaseNotSigned(f"{name}: {key(registry)} in {registry.id} can't verify ({_code(error)}).") from None
    if not answer["SignatureValid"]:
        raise ReleaseTampered(f"{name}: the manifest isn't what {key(registry)} signed.")


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _code(error: ClientError) -> Any:
    return error.response["Error"]["Code"]
