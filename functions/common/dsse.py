"""Signatures by a key in KMS, and the envelope in which a signed statement travels.

The envelope is DSSE (github.com/secure-systems-lab/dsse, protocol 1.0), the statement in-toto's v1, and the file a
Sigstore bundle v0.3 as OpenSSF's model signing writes it, so that `model_signing verify key` and securesystemslib
check what is signed here. Only the bytes' hash goes to KMS, which takes no message over 4096 bytes.
"""

from __future__ import annotations

import base64
import hashlib
import json
import textwrap
from typing import Any

from botocore.exceptions import ClientError

ALGORITHM = "ECDSA_SHA_256"
"""Of a key of spec ECC_NIST_P256 and usage SIGN_VERIFY."""

PAYLOAD_TYPE = "application/vnd.in-toto+json"
BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"


class Malformed(Exception):
    """Bytes that are no bundle."""


def sign(kms: Any, key: str, content: bytes) -> tuple[str, bytes]:
    """Sign bytes with a key in KMS; return the key's ARN and the signature (ASN.1)."""
    answer = kms.sign(KeyId=key, Message=_hash(content), MessageType="DIGEST", SigningAlgorithm=ALGORITHM)
    return answer["KeyId"], answer["Signature"]


def verify(kms: Any, key: str, content: bytes, signature: bytes) -> bool:
    """Whether a signature is the key's over these bytes.

    Raises:
        botocore.exceptions.ClientError: the key can't be asked.
    """
    try:
        answer = kms.verify(
            KeyId=key,
            Message=_hash(content),
            MessageType="DIGEST",
            Signature=signature,
            SigningAlgorithm=ALGORITHM,
        )
    except ClientError as error:
        if error.response["Error"]["Code"] == "KMSInvalidSignatureException":
            return False
        raise
    return bool(answer["SignatureValid"])


def envelop(kms: Any, key: str, payload: bytes) -> bytes:
    """Sign a statement's bytes; return the bundle (JSON) that holds both."""
    _, signature = sign(kms, key, encoded(payload))
    public = key_id(kms.get_public_key(KeyId=key)["PublicKey"])
    value = {
        "mediaType": BUNDLE_TYPE,
        "verificationMaterial": {"publicKey": {"hint": public}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": base64.b64encode(signature).decode(), "keyid": public}],
        },
    }
    return json.dumps(value, indent=1).encode() + b"\n"


def opened(bundle: bytes) -> tuple[bytes, bytes]:
    """Return payload and signature of a bundle; neither is verified.

    Raises:
        Malformed: it is none with one signature.
    """
    try:
        envelope = json.loads(bundle)["dsseEnvelope"]
        (signature,) = envelope["signatures"]
        if envelope["payloadType"] != PAYLOAD_TYPE:
            raise ValueError(envelope["payloadType"])
        return tuple(base64.b64decode(text, validate=True) for text in (envelope["payload"], signature["sig"]))
    except (ValueError, KeyError, TypeError) as error:
        raise Malformed(str(error)) from None


def encoded(payload: bytes) -> bytes:
    """Return what is signed of a payload: DSSE's pre-authentication encoding."""
    return b" ".join([b"DSSEv1", *_measured(PAYLOAD_TYPE.encode()), *_measured(payload)])


def _measured(text: bytes) -> tuple[bytes, bytes]:
    return str(len(text)).encode(), text


def pem(public_key: bytes) -> bytes:
    """Return a public key, which KMS gives as DER, as PEM."""
    lines = textwrap.wrap(base64.b64encode(public_key).decode(), 64)
    return "\n".join(["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""]).encode()


def key_id(public_key: bytes) -> str:
    """Return what model signing calls a key: the SHA-256 of its PEM form."""
    return hashlib.sha256(pem(public_key)).hexdigest()


def _hash(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
