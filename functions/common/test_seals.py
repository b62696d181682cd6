"""An approved version is what a person signed, byte for byte, or nothing is done with it: attacks, each replayed."""

import base64
import json

import pytest
from botocore.exceptions import ClientError

from functions.common import context as contexts
from functions.common import dsse, registry, seals
from functions.common.failures import ModelNotSealed, ModelTampered
from functions.conftest_world import World
from functions.resolve.handler import handle

ARCHIVE = "prod/model.tar.gz"
DENIED = ("AccessDenied", "AccessDeniedException")


@pytest.fixture
def ready(world) -> World:
    """An approved version, a batch, rows and labels; the code under test has the role of resolve."""
    world.package = world.version(metrics=True)
    world.put("data/batches/first.csv")
    world.put("data/labelled/part-1.csv", b"67,3,5,3,1\n")
    world.put("data/ground-truth/first.csv", b"1\n")
    world.pipeline("train", world.waiting())
    world.act_as("resolve")
    return world


def execution(world: World, part: str) -> str:
    return f"arn:aws:sagemaker:us-east-1:333333333333:pipeline/{world.context.pipeline(part)}/execution/one"


def ask(world: World, action: str = "batch") -> dict:
    """Ask the function as the first step of one of the pipelines does."""
    asked = {
        "batch": {"batch_data_url": "newest", "execution_arn": execution(world, "inference")},
        "champion": {"input_data_url": f"s3://{world.context.data_bucket}/data/labelled/"},
        "quality": {
            "ground_truth_url": f"s3://{world.context.data_bucket}/data/ground-truth/",
            "execution_arn": execution(world, "quality"),
        },
    }[action]
    if action == "champion":
        asked["execution_arn"] = world.start("train")
    return handle({"action": action, **asked}, None)


def overwrite(world: World, key: str, body: bytes = b"another") -> None:
    """Write an object of the models bucket as the registry account's root, whom nothing stops."""
    world.registry("s3").put_object(Bucket=world.context.models_bucket, Key=key, Body=body)


def untouched(world: World) -> bool:
    """Whether no batch was claimed."""
    found = world.prod("s3").list_objects_v2(Bucket=world.context.data_bucket, Prefix="ledger/")
    return not found.get("KeyCount")


def refuses_all(world: World, failure: type, match: str) -> None:
    for action in ("batch", "champion", "quality"):
        with pytest.raises(failure, match=match):
            ask(world, action)
    assert untouched(world)


def test_what_a_job_overwrites_afterwards_is_not_what_scores(ready):
    """Role train may write where it trains; what is used is the copy."""
    overwrite(ready, ARCHIVE)
    url = ask(ready)["ModelDataUrl"]
    bucket, key = contexts.split(url)
    assert ready.registry("s3").get_object(Bucket=bucket, Key=key)["Body"].read() == ARCHIVE.encode()


@pytest.mark.parametrize("name", [ARCHIVE, "baseline/x.json"])
def test_a_copy_that_was_overwritten_is_refused_by_name(ready, name):
    overwrite(ready, f"sealed/{name}")
    refuses_all(ready, ModelTampered, f"sealed/{name} was overwritten")


def test_a_copy_that_is_gone_is_refused(ready):
    ready.registry("s3").delete_object(Bucket=ready.context.models_bucket, Key=f"sealed/{ARCHIVE}")
    refuses_all(ready, ModelTampered, "is gone")


def test_a_copy_that_was_overwritten_with_the_same_bytes_is_refused_as_well(ready):
    """Nobody who may seal overwrites: whoever did, did it against the rules."""
    overwrite(ready, f"sealed/{ARCHIVE}", ARCHIVE.encode())
    refuses_all(ready, ModelTampered, "was overwritten")


@pytest.mark.parametrize(
    "change",
    [
        lambda spec: spec["Containers"][0].update(Environment={"EVIL": "1"}),
        lambda spec: spec["Containers"][0].update(ModelDataUrl="s3://elsewhere/model.tar.gz"),
        lambda spec: spec["Containers"][0].update(Image="1.dkr.ecr.us-east-1.amazonaws.com/evil@sha256:" + "1" * 64),
        lambda spec: spec.update(SupportedContentTypes=["application/json"]),
        lambda spec: spec["Containers"].append(dict(spec["Containers"][0])),
    ],
)
def test_a_specification_that_was_changed_is_refused(ready, change):
    specification = registry.describe(ready.package)["InferenceSpecification"]
    change(specification)
    ready.registry("sagemaker").update_model_package(
        ModelPackageArn=ready.package, InferenceSpecification=specification
    )
    refuses_all(ready, ModelTampered, "InferenceSpecification isn't the one that was recorded")


def test_a_specification_that_was_added_is_refused(ready):
    specification = registry.describe(ready.package)["InferenceSpecification"]
    ready.registry("sagemaker").update_model_package(
        ModelPackageArn=ready.package,
        AdditionalInferenceSpecificationsToAdd=[{"Name": "more", "Containers": specification["Containers"]}],
    )
    refuses_all(ready, ModelTampered, "additional inference specifications")


def test_what_the_service_adds_to_a_container_changes_nothing():
    recorded = {"Containers": [{"Image": "i", "ModelDataUrl": "u"}], "SupportedContentTypes": ["text/csv"]}
    described = {**recorded, "Containers": [{**recorded["Containers"][0], "ImageDigest": "d", "ModelDataETag": "e"}]}
    assert seals.same_specification(recorded, described)
    assert not seals.same_specification(recorded, {**recorded, "Containers": []})


def test_a_version_that_nobody_signed_is_refused_however_it_was_approved(world):
    """As an attack would leave it that found a way to the status, and as every version from before is."""
    world.version(sealed=False)
    world.put("data/batches/first.csv")
    world.put("data/labelled/part-1.csv", b"67,3,5,3,1\n")
    world.put("data/ground-truth/first.csv", b"1\n")
    world.pipeline("train", world.waiting())
    world.act_as("resolve")
    refuses_all(world, ModelNotSealed, r"make seal MODEL=1")


def approval(world: World, version: int = 1) -> bytes:
    key = seals.approval(version)
    return world.registry("s3").get_object(Bucket=world.context.models_bucket, Key=key)["Body"].read()


def changed(bundle: bytes, change) -> bytes:
    """Return a bundle with its payload changed, and the signature as it was."""
    value = json.loads(bundle)
    payload = json.loads(base64.b64decode(value["dsseEnvelope"]["payload"]))
    change(payload)
    value["dsseEnvelope"]["payload"] = base64.b64encode(json.dumps(payload).encode()).decode()
    return json.dumps(value).encode()


def test_an_approval_that_was_changed_is_refused(ready):
    first = changed(approval(ready), lambda payload: payload["predicate"]["seal"]["objects"].clear())
    overwrite(ready, seals.approval(1), first)
    refuses_all(ready, ModelTampered, "isn't what .*approvals signed")


@pytest.mark.parametrize("bundle", [b"", b"[]", b"{}", b'{"dsseEnvelope": {"signatures": []}}', b"\xff"])
def test_an_approval_that_is_none_is_refused(ready, bundle):
    overwrite(ready, seals.approval(1), bundle)
    refuses_all(ready, ModelTampered, "malformed")


def test_an_approval_of_another_version_is_refused(ready):
    second = ready.version(sealed=False)
    overwrite(ready, seals.approval(2), approval(ready))
    assert second.endswith("/2")
    refuses_all(ready, ModelTampered, f"was signed for {ready.package}")


def test_a_statement_of_something_else_by_the_same_key_is_refused(ready):
    ready.as_person()
    bundle = dsse.envelop(contexts.client("kms"), seals.key(ready.context), b'{"predicate": {}}')
    overwrite(ready, seals.approval(1), bundle)
    ready.act_as("resolve")
    refuses_all(ready, ModelTampered, "no record of a version")


def test_a_key_that_was_replaced_makes_every_approval_void_until_it_is_signed_again(ready):
    ready.signing_key()
    refuses_all(ready, ModelTampered, "If the key was replaced, a person approves the version again")
    ready.sign(ready.package)
    assert ask(ready)["ModelPackageArn"] == ready.package


def test_a_key_that_is_lost_lets_nothing_through(ready):
    key = ready.registry("kms").describe_key(KeyId=f"alias/{ready.context.project}-approvals")["KeyMetadata"]["Arn"]
    ready.registry("kms").disable_key(KeyId=key)
    refuses_all(ready, ModelNotSealed, r"can't say whether it signed its approval \(DisabledException\)")


def test_revoking_one_version_leaves_the_one_before(ready):
    second = ready.version()
    ready.registry("sagemaker").update_model_package(ModelPackageArn=second, ModelApprovalStatus="Rejected")
    assert ask(ready)["ModelPackageArn"] == ready.package


JOBS = ("preprocess", "train", "evaluate", "monitor", "infer", "pipeline", "resolve", "record", "on_failure")


@pytest.mark.parametrize("role", JOBS)
def test_no_role_but_one_writes_what_is_sealed_and_none_deletes_it(ready, role):
    """Were a role's own policies widened to everything, the bucket would still refuse."""
    s3 = acting(ready, role)
    project = ready.context.project
    for key in (f"sealed/{ARCHIVE}", f"sealed/prod/{project}-train/x/train/model.tar.gz", seals.approval(1)):
        for act in (
            lambda key=key: s3.put_object(Bucket=ready.context.models_bucket, Key=key, Body=b"x", IfNoneMatch="*"),
            lambda key=key: s3.delete_object(Bucket=ready.context.models_bucket, Key=key),
        ):
            with pytest.raises(ClientError) as refused:
                act()
            assert refused.value.response["Error"]["Code"] in DENIED


def acting(world: World, role: str):
    """Return an S3 client of a role that may do everything, as far as its own policies go."""
    name = world.role(role).rsplit("/", 1)[-1]
    everything = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    world.prod("iam").put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=json.dumps(everything))
    return world.client_of(role, "s3")


def test_the_role_that_seals_overwrites_nothing(ready):
    s3 = acting(ready, "seal")
    bucket, key = ready.context.models_bucket, f"sealed/prod/{ready.context.project}-train/x/train/model.tar.gz"
    for conditions in ({}, {"IfMatch": '"0"'}):
        with pytest.raises(ClientError) as refused:
            s3.put_object(Bucket=bucket, Key=key, Body=b"x", **conditions)
        assert refused.value.response["Error"]["Code"] in DENIED
    s3.put_object(Bucket=bucket, Key=key, Body=b"x", IfNoneMatch="*")
    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket=bucket, Key=key, Body=b"y", IfNoneMatch="*")
    assert refused.value.response["Error"]["Code"] == "PreconditionFailed"
    with pytest.raises(ClientError) as refused:
        s3.delete_object(Bucket=bucket, Key=key)
    assert refused.value.response["Error"]["Code"] in DENIED


@pytest.mark.parametrize("role", [*JOBS, "seal", "ci"])
def test_no_role_signs(ready, role):
    acting(ready, role)
    kms = ready.client_of(role, "kms")
    with pytest.raises(ClientError) as refused:
        dsse.sign(kms, seals.key(ready.context), b"x")
    assert refused.value.response["Error"]["Code"] in DENIED
