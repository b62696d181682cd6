"""An approval is checked by verifiers that know nothing of this project: OpenSSF model signing and securesystemslib."""

import base64
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import boto3
import pytest
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

from functions.common import dsse, seals
from functions.common.seals import Record, Sealed

ROOT = Path(__file__).parent.parent.parent
SERVER = ROOT / ".venv" / "bin" / "python"
FILES = {
    "dev/mammography-train/a/train/model.tar.gz": b"archive",
    "dev/mammography-train/a/evaluate/evaluation.json": b"{}",
    "dev/mammography-train/a/training-set.json": b"[]",
}


@pytest.fixture(scope="module")
def kms(tmp_path_factory) -> Iterator:
    """KMS of a local account."""
    command = [SERVER, "-m", "localaws", "serve", "--state", tmp_path_factory.mktemp("state"), "--port", "0"]
    server = subprocess.Popen(
        [*command, "--until-closed"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    address = server.stdout.readline().decode().split()[-1]
    yield boto3.client(
        "kms",
        endpoint_url=address,
        region_name="us-east-1",
        aws_access_key_id="222222222222",
        aws_secret_access_key="local",
    )
    server.stdin.close()
    server.wait()


@pytest.fixture
def approved(kms, tmp_path):
    """A folder with what a version consists of, its signed approval and the key's public part."""
    key = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    folder = tmp_path / "version"
    for name, content in FILES.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    objects = tuple(
        Sealed(name, f"s3://models/sealed/{name}", "1", hashlib.sha256(content).hexdigest(), len(content))
        for name, content in sorted(FILES.items())
    )
    record = Record({seals.ARCHIVE: objects[-1].name}, objects, {"Containers": [{"Image": "i"}]})
    package = {
        "ModelPackageVersion": 3,
        "ModelPackageArn": "arn:aws:sagemaker:us-east-1:222222222222:model-package/m/3",
    }
    statement = seals.statement(SimpleNamespace(project="mammography"), package, record, by="a", at="b", reason="c")
    public = kms.get_public_key(KeyId=key)["PublicKey"]
    (tmp_path / "key.pem").write_bytes(dsse.pem(public))
    (tmp_path / "approval.json").write_bytes(dsse.envelop(kms, key, statement))
    return SimpleNamespace(folder=folder, approval=tmp_path / "approval.json", key=tmp_path / "key.pem", public=public)


def model_signing(approved, key: Path | None = None) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "model_signing", "verify", "key", approved.folder]
    options = ["--signature", approved.approval, "--public_key", key or approved.key]
    return subprocess.run([*command, *options], capture_output=True, text=True)


def test_model_signing_verifies_an_approval_against_the_files(approved):
    done = model_signing(approved)
    assert done.returncode == 0, done.stderr
    assert "Verification succeeded" in done.stdout


@pytest.mark.parametrize("name", FILES)
def test_model_signing_finds_one_changed_file(approved, name):
    (approved.folder / name).write_bytes(b"another")
    done = model_signing(approved)
    assert done.returncode != 0
    assert name in done.stdout + done.stderr


def test_model_signing_wants_the_very_key(approved, kms, tmp_path):
    other = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    file = tmp_path / "other.pem"
    file.write_bytes(dsse.pem(kms.get_public_key(KeyId=other)["PublicKey"]))
    assert model_signing(approved, file).returncode != 0


def envelope(approved) -> tuple[dict, SSlibKey]:
    value = json.loads(approved.approval.read_bytes())["dsseEnvelope"]
    keyval = {"public": approved.key.read_text()}
    return value, SSlibKey(value["signatures"][0]["keyid"], "ecdsa", "ecdsa-sha2-nistp256", keyval)


def test_securesystemslib_verifies_the_envelope(approved):
    value, key = envelope(approved)
    assert Envelope.from_dict(value).verify([key], 1)


def test_securesystemslib_finds_one_changed_byte(approved):
    value, key = envelope(approved)
    payload = base64.b64decode(value["payload"]).replace(b'"reason":"c"', b'"reason":"d"')
    value["payload"] = base64.b64encode(payload).decode()
    with pytest.raises(VerificationError):
        Envelope.from_dict(value).verify([key], 1)
