"""Approving by signature, sealing versions from before, revoking: what only a person does."""

import base64
import json

import pytest

from functions.common import context as contexts
from functions.common import dsse, registry, seals


def archive(world, key="prod/model.tar.gz", body=b"another"):
    """Write an archive as somebody whom nothing stops."""
    world.registry("s3").put_object(Bucket=world.context.models_bucket, Key=key, Body=body)


def status(world, package):
    return world.registry("sagemaker").describe_model_package(ModelPackageName=package)["ModelApprovalStatus"]


def signed(world, version=1):
    """Return what a version's approval signs, or None where there is none; the key's signature is checked."""
    s3, kms = world.registry("s3"), world.registry("kms")
    try:
        answer = s3.get_object(Bucket=world.context.models_bucket, Key=seals.approval(version))
    except s3.exceptions.NoSuchKey:
        return None
    payload, signature = dsse.opened(answer["Body"].read())
    assert dsse.verify(kms, seals.key(world.context), dsse.encoded(payload), signature)
    return json.loads(payload)


def obey(run, command, version=1, reason="It looks right"):
    return run(command, "--model", version, "--reason", reason)


def usable(world, package):
    """Hold the version against its approval, as every function does."""
    contexts.use(contexts.boto3.DEFAULT_SESSION)
    return seals.opened(world.context, registry.describe(package))


def test_an_approval_signs_what_the_version_consists_of_and_who_gave_it_why(run, world):
    package = world.version("PendingManualApproval")
    assert signed(world) is None
    assert obey(run, "approve") == (0, [package], "")
    statement = signed(world)
    seal = statement["predicate"]["seal"]
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert (seal["package"], seal["reason"]) == (package, "It looks right")
    assert seal["by"].startswith("arn:aws:")
    assert {item["name"] for item in statement["predicate"]["resources"]} == {"baseline/x.json", "prod/model.tar.gz"}
    assert all(item["version"] and len(item["sha256"]) == 64 for item in seal["objects"])
    assert status(world, package) == "Approved"
    assert usable(world, package).url(seals.ARCHIVE).endswith("/sealed/prod/model.tar.gz")


def test_what_was_overwritten_since_it_was_sealed_is_not_approved(run, world):
    package = world.version("PendingManualApproval")
    archive(world, "sealed/prod/model.tar.gz")
    code, lines, error = obey(run, "approve")
    assert (code, lines) == (1, [])
    assert error.startswith("version 1: ModelTampered: ") and "was overwritten" in error
    assert (status(world, package), signed(world)) == ("PendingManualApproval", None)


def test_a_record_that_is_not_the_registered_one_is_not_approved(run, world):
    url = f"s3://{world.context.models_bucket}/sealed/record.json"
    archive(world, "sealed/record.json", b"{}")
    package = world.version("PendingManualApproval", sealed=False, Record=url, RecordDigest="0" * 64)
    code, _, error = obey(run, "approve")
    assert code == 1 and "isn't the record that was registered" in error
    assert status(world, package) == "PendingManualApproval"


def test_a_version_from_before_is_sealed_by_one_command(run, world):
    package = world.version("PendingManualApproval", sealed=False)
    code, _, error = obey(run, "approve")
    assert code == 1 and error.startswith("version 1: ModelNotSealed: ") and "make seal MODEL=1" in error
    assert obey(run, "seal") == (0, [package], "")
    assert (status(world, package), signed(world)) == ("PendingManualApproval", None)
    assert obey(run, "seal")[2] == "version 1: sealed already; `make approve` signs it.\n"
    assert obey(run, "approve") == (0, [package], "")
    usable(world, package)


def test_an_approved_version_from_before_is_sealed_and_signed(run, world):
    package = world.version(sealed=False)
    assert obey(run, "seal") == (0, [package], "")
    usable(world, package)


@pytest.mark.parametrize("key", ["prod/model.tar.gz", "baseline/x.json", "baseline/added.json"])
def test_what_was_written_after_a_version_was_registered_is_not_sealed(run, world, key):
    package = world.version(sealed=False)
    described = world.registry("sagemaker").describe_model_package(ModelPackageName=package)
    while True:
        archive(world, key)
        head = world.registry("s3").head_object(Bucket=world.context.models_bucket, Key=key)
        if head["LastModified"] > described["CreationTime"]:
            break
    code, _, error = obey(run, "seal")
    assert code == 1 and f"ModelTampered: {key} was written on" in error
    found = world.registry("s3").list_objects_v2(Bucket=world.context.models_bucket, Prefix="sealed/")
    assert not found["KeyCount"] and signed(world) is None


def test_a_revoked_version_has_neither_status_nor_signature(run, world):
    package = world.version()
    assert obey(run, "revoke", reason="Its labels were wrong") == (0, [package], "")
    assert (status(world, package), signed(world)) == ("Rejected", None)
    assert obey(run, "revoke")[2] == "version 1: rejected already.\n"
    assert obey(run, "approve")[0] == 0


def test_after_the_key_was_replaced_an_approved_version_is_approved_once_more(run, world):
    package = world.version()
    world.signing_key()
    code, lines, _ = obey(run, "approve", reason="The key was replaced")
    assert (code, lines) == (0, [package])
    assert signed(world)["predicate"]["seal"]["reason"] == "The key was replaced"
    code, _, error = obey(run, "approve")
    assert code == 1 and error.startswith("version 1: approved already")


def test_without_the_key_nothing_is_approved(run, world):
    package = world.version("PendingManualApproval")
    kms = world.registry("kms")
    kms.delete_alias(AliasName=f"alias/{world.context.project}-approvals")
    code, _, error = obey(run, "approve")
    assert code == 1 and "did not sign for arn:aws:" in error and error.count("\n") == 1
    assert (status(world, package), signed(world)) == ("PendingManualApproval", None)


def test_a_bundle_names_its_key(run, world):
    world.version("PendingManualApproval")
    obey(run, "approve")
    key = seals.approval(1)
    value = json.loads(world.registry("s3").get_object(Bucket=world.context.models_bucket, Key=key)["Body"].read())
    public = world.registry("kms").get_public_key(KeyId=f"alias/{world.context.project}-approvals")["PublicKey"]
    assert value["verificationMaterial"]["publicKey"]["hint"] == dsse.key_id(public)
    assert base64.b64decode(value["dsseEnvelope"]["payload"])
