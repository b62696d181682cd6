import hashlib
import json

import pytest

from functions.common import seals
from functions.common.failures import ModelTampered, NothingToSeal
from functions.conftest_world import World
from functions.seal import copies
from functions.seal.handler import handle


@pytest.fixture
def ready(world) -> World:
    """What an execution of the train pipeline has made; the code under test has the role of seal."""
    world.run = f"prod/{world.context.project}-train/abc"
    for name in (
        "train/job/output/model.tar.gz", "evaluate/evaluation.json", "evaluate/report.html",
        "baseline/statistics.json", "baseline/constraints.json", "training-set.json",
    ):  # fmt: skip
        write(world, name)
    world.act_as("seal")
    return world


def write(world: World, name: str, body: bytes | None = None) -> None:
    key = f"{world.run}/{name}"
    world.registry("s3").put_object(Bucket=world.context.models_bucket, Key=key, Body=body or name.encode())


def ask(world: World) -> dict[str, str]:
    base = f"s3://{world.context.models_bucket}/{world.run}"
    pipeline = world.context.pipeline("train")
    return handle(
        {
            "archive": f"{base}/train/job/output/model.tar.gz",
            "evaluation": f"{base}/evaluate",
            "baseline": f"{base}/baseline",
            "training_set": f"{base}/training-set.json",
            "inference_specification": {"Containers": [{"Image": "i"}], "SupportedContentTypes": ["text/csv"]},
            "execution_arn": f"arn:aws:sagemaker:us-east-1:333333333333:pipeline/{pipeline}/execution/abc",
        },
        None,
    )


def read(world: World, url: str) -> bytes:
    bucket, key = url.removeprefix("s3://").split("/", 1)
    return world.registry("s3").get_object(Bucket=bucket, Key=key)["Body"].read()


def test_everything_that_a_version_consists_of_is_copied_and_recorded(ready):
    found = ask(ready)
    base = f"s3://{ready.context.models_bucket}/sealed/{ready.run}"
    content = read(ready, found["Record"])
    archive = hashlib.sha256(b"train/job/output/model.tar.gz").hexdigest()
    assert found == {
        "ModelDataUrl": f"{base}/train/job/output/model.tar.gz",
        "Evaluation": f"{base}/evaluate/evaluation.json",
        "Statistics": f"{base}/baseline/statistics.json",
        "Constraints": f"{base}/baseline/constraints.json",
        "TrainingSetUrl": f"{base}/training-set.json",
        "Record": f"{base}/record.json",
        "RecordDigest": hashlib.sha256(content).hexdigest(),
        "ArchiveDigest": archive,
    }
    record = seals.Record.of(json.loads(content))
    assert [item.name.removeprefix(f"{ready.run}/") for item in record.objects] == [
        "baseline/constraints.json", "baseline/statistics.json", "evaluate/evaluation.json", "evaluate/report.html",
        "train/job/output/model.tar.gz", "training-set.json",
    ]  # fmt: skip
    for item in record.objects:
        assert read(ready, item.url) == item.name.removeprefix(f"{ready.run}/").encode()
        assert seals.difference(item) is None
    assert record.specification == {
        "Containers": [{"Image": "i", "ModelDataUrl": found["ModelDataUrl"]}],
        "SupportedContentTypes": ["text/csv"],
    }


def test_sealing_again_finds_what_was_sealed(ready):
    assert ask(ready) == ask(ready)


def test_what_changed_since_it_was_sealed_is_refused_by_name(ready):
    ask(ready)
    write(ready, "train/job/output/model.tar.gz", b"another")
    with pytest.raises(ModelTampered, match=r"sealed before.*train/job/output/model\.tar\.gz holds other bytes"):
        ask(ready)


def test_what_is_missing_is_refused_by_name(ready):
    ready.registry("s3").delete_object(Bucket=ready.context.models_bucket, Key=f"{ready.run}/training-set.json")
    with pytest.raises(NothingToSeal, match=r"training-set\.json isn't there"):
        ask(ready)


def test_what_lies_elsewhere_is_refused(ready):
    with pytest.raises(NothingToSeal, match="doesn't lie in"):
        copies.seal(ready.context, {seals.ARCHIVE: "s3://elsewhere/model.tar.gz"}, {"Containers": [{}]})


def test_what_is_too_large_is_refused_before_it_is_copied(ready, monkeypatch):
    monkeypatch.setattr(copies, "LARGEST_BYTES", 4)
    with pytest.raises(NothingToSeal, match="is larger than"):
        ask(ready)
    found = ready.registry("s3").list_objects_v2(Bucket=ready.context.models_bucket, Prefix=f"sealed/{ready.run}")
    assert not found["KeyCount"]
