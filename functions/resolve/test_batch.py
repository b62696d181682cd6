from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest

from functions.common import ledger
from functions.common.failures import (
    BatchUnavailable,
    ImageNotPromoted,
    NoApprovedModel,
    NoBaseline,
    NoPendingBatch,
    NoSuchBatch,
)
from functions.conftest_world import fail
from functions.resolve.batch import own_image
from functions.resolve.handler import handle

NEWEST = "newest"


def ask(world, url=NEWEST, execution=None):
    one = f"arn:aws:sagemaker:us-east-1:333333333333:pipeline/{world.context.project}-inference/execution/one"
    return handle({"action": "batch", "batch_data_url": url, "execution_arn": execution or one}, None)


@pytest.fixture
def ready(world):
    """An approved version and a batch; the code under test has the role of resolve."""
    world.package = world.version()
    world.put("data/batches/first.csv")
    world.act_as("resolve")
    return world


def running(world):
    world.pipeline("inference", world.waiting())
    return world.start("inference")


def test_a_batch_is_resolved_with_everything_that_scores_it(ready):
    found = ask(ready)
    assert found.pop("BatchId").startswith("first-")
    assert found == {
        "BatchDataUrl": f"s3://{ready.context.data_bucket}/data/batches/first.csv",
        "Enforce": "true",
        "ModelPackageArn": ready.package,
        "Image": ready.image,
        "ModelDataUrl": f"s3://{ready.context.models_bucket}/sealed/prod/model.tar.gz",
        "Statistics": f"s3://{ready.context.models_bucket}/sealed/baseline/x.json",
        "Constraints": f"s3://{ready.context.models_bucket}/sealed/baseline/x.json",
        "VolumeKey": ready.key,
    }


def test_the_batch_is_claimed_for_the_execution(ready):
    execution = running(ready)
    found = ask(ready, execution=execution)
    entry, _ = ledger.read(ready.context, found["BatchId"])
    assert (entry.state, entry.execution, entry.version) == ("claimed", execution, 1)
    assert ask(ready, execution=execution) == found


def test_the_newest_pending_batch_is_taken(ready):
    first = ask(ready, execution=running(ready))["BatchId"]
    ready.put("data/batches/second.csv")
    second = ask(ready, execution=running(ready))["BatchId"]
    assert (first.split("-")[0], second.split("-")[0]) == ("first", "second")
    with pytest.raises(NoPendingBatch, match="No new batch has arrived, and no withheld one may be scored yet"):
        ask(ready, execution=running(ready))


def test_a_batch_whose_execution_ended_without_a_record_is_pending_again(ready):
    lost = running(ready)
    first = ask(ready, execution=lost)["BatchId"]
    assert ready.stop(lost) == "Stopped"
    assert ask(ready, execution=running(ready))["BatchId"] == first


def test_a_batch_whose_execution_has_just_failed_is_left_to_be_quarantined(ready, monkeypatch):
    ready.pipeline("inference", fail("Crash", "It crashed."))
    crashed = ready.start("inference")
    batch = ask(ready, execution=crashed)["BatchId"]
    assert ready.end(crashed) == "Failed"
    with pytest.raises(NoPendingBatch):
        ask(ready, execution=running(ready))
    # Nobody has withheld it within a function's longest life: the event was lost.
    monkeypatch.setattr("functions.resolve.batch.ABANDONED", timedelta(0))
    assert ask(ready, execution=running(ready))["BatchId"] == batch


def test_a_batch_whose_execution_never_was_is_pending_again(ready):
    gone = f"arn:aws:sagemaker:us-east-1:333333333333:pipeline/{ready.context.project}-inference/execution/gone"
    first = ask(ready, execution=gone)["BatchId"]
    assert ask(ready, execution=running(ready))["BatchId"] == first


def test_of_many_executions_at_once_each_takes_another_batch(ready):
    for number in range(4):
        ready.put(f"data/batches/more-{number}.csv")
    ready.pipeline("inference", ready.waiting())
    executions = [ready.start("inference") for _ in range(5)]
    barrier = Barrier(5)

    def take(execution):
        barrier.wait()
        return ask(ready, execution=execution)["BatchId"]

    with ThreadPoolExecutor(5) as pool:
        taken = list(pool.map(take, executions))
    assert len(set(taken)) == 5
    holders = {entry.batch.id: entry.execution for entry in ledger.entries(ready.context)}
    assert holders == dict(zip(taken, executions, strict=True))


def test_a_batch_can_be_asked_for_by_name(ready):
    ready.put("data/batches/second.csv")
    url = f"s3://{ready.context.data_bucket}/data/batches/first.csv"
    assert ask(ready, url)["BatchDataUrl"] == url


def test_a_batch_that_is_being_scored_is_refused_by_name(ready):
    execution = running(ready)
    batch = ask(ready, execution=execution)["BatchId"]
    with pytest.raises(BatchUnavailable, match=f"^Batch {batch} is being scored by {execution}.$"):
        ask(ready, f"s3://{ready.context.data_bucket}/data/batches/first.csv", running(ready))


def test_a_batch_that_is_not_there_is_refused_by_name(ready):
    url = f"s3://{ready.context.data_bucket}/data/batches/none.csv"
    with pytest.raises(NoSuchBatch, match=r"none\.csv: nothing lies there"):
        ask(ready, url)
    note = {"name": "NoSuchBatch", "sentence": f"BatchDataUrl {url}: nothing lies there."}
    assert ready.read(f"runs/{ready.context.project}-inference/one/failure.json") == note


def test_a_quarantined_batch_is_scored_by_a_newer_version_without_enforcing_drift(ready):
    entry, etag = ledger.read(ready.context, ask(ready)["BatchId"])
    ledger.write(ready.context, entry.becomes(ledger.QUARANTINED, sentence="Drift."), etag)
    with pytest.raises(NoPendingBatch):
        ask(ready, execution=running(ready))
    newer = ready.version()
    found = ask(ready, execution=running(ready))
    assert (found["BatchId"], found["Enforce"], found["ModelPackageArn"]) == (entry.batch.id, "false", newer)


class TestModel:
    def test_no_version_at_all(self, world):
        world.act_as("resolve")
        with pytest.raises(NoApprovedModel, match=f"^No version of {world.context.project} is approved.$"):
            ask(world)

    @pytest.mark.parametrize("status", ["PendingManualApproval", "Rejected"])
    def test_no_version_that_is_approved(self, world, status):
        world.version(status)
        world.act_as("resolve")
        with pytest.raises(NoApprovedModel):
            ask(world)

    def test_the_newest_approved_version_counts(self, ready):
        second = ready.version()
        ready.version("PendingManualApproval")
        assert ask(ready)["ModelPackageArn"] == second

    def test_a_version_without_a_baseline(self, ready):
        bare = ready.version(baseline=False)
        with pytest.raises(NoBaseline, match=f"^{bare} carries no statistics and constraints to watch batches by.$"):
            ask(ready)

    def test_nothing_is_claimed_for_a_model_that_cannot_score(self, ready):
        ready.version(baseline=False)
        with pytest.raises(NoBaseline):
            ask(ready)
        assert list(ledger.entries(ready.context)) == []


class TestImage:
    def test_the_repository_and_digest_are_stored_and_the_registry_is_this_accounts(self, ready):
        there = ready.image.replace("333333333333", "111111111111").replace("us-east-1", "eu-west-1")
        assert own_image(ready.context, {"Image": there}) == ready.image

    def test_a_tag_counts_where_the_version_carries_the_digest(self, ready):
        name, _, digest = ready.image.partition("@")
        assert own_image(ready.context, {"Image": f"{name}:1.0", "ImageDigest": digest}) == ready.image

    def test_a_tag_alone_is_never_trusted(self, ready):
        name = ready.image.partition("@")[0]
        with pytest.raises(ImageNotPromoted, match=f"^{name}:1: the version names a tag, not a digest.$"):
            own_image(ready.context, {"Image": f"{name}:1"})

    @pytest.mark.parametrize("other", ["digest", "repository"])
    def test_an_image_that_was_not_promoted(self, ready, other):
        name, _, digest = ready.image.partition("@")
        if other == "digest":
            digest = "sha256:" + "1" * 64
        else:
            name = name.replace("/monitor", "/infer")
        repository = name.partition("/")[2]
        with pytest.raises(ImageNotPromoted) as missing:
            own_image(ready.context, {"Image": f"{name}@{digest}"})
        assert str(missing.value) == (
            f"{repository}@{digest} isn't in the registry of account 333333333333: its release was not promoted there."
        )
