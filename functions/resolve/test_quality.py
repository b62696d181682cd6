"""By what the approved version is evaluated: its own predictions, and all labels that lie there."""

import pytest

from functions.common import ledger
from functions.common.failures import (
    NoApprovedModel,
    NoBaseline,
    NoGroundTruth,
    NoPredictionsByChampion,
    NoScoredBatch,
    WrongInput,
)
from functions.common.ledger import Batch, Entry
from functions.common.objects import list_objects
from functions.resolve.handler import handle

LABELS = b"batch,row,label\nfirst-0123456789ab,1,1\n"


@pytest.fixture
def ready(world):
    """An approved version that has scored a batch, whose labels have arrived; the code has the role of resolve."""
    world.package = world.version(metrics=True)
    world.put("data/ground-truth/first.csv", LABELS)
    world.act_as("record")
    scored(world, "first", 1)
    world.act_as("resolve")
    return world


def ask(world, url=None, run="one"):
    execution = f"arn:aws:sagemaker:us-east-1:333333333333:pipeline/{world.context.project}-quality/execution/{run}"
    url = url or f"s3://{world.context.data_bucket}/data/ground-truth/"
    return handle({"action": "quality", "ground_truth_url": url, "execution_arn": execution}, None)


def scored(world, batch, version, folder="data/batches", state=ledger.SCORED):
    """Write into the ledger that a version has scored a batch, with what its execution left."""
    url = world.put(f"{folder}/{batch}.csv")
    execution = f"arn:aws:sagemaker:us-east-1:333333333333:pipeline/{world.context.project}-inference/execution/{batch}"
    run = world.context.run(execution)
    world.put(f"{run}/transform/{batch}.csv.out", b"0.25\n")
    world.put(f"{run}/provenance.json", b"{}")
    entry = Entry(Batch.of(url, list_objects(url)), "", execution, version)
    predictions = f"s3://{world.context.data_bucket}/{run}/transform"
    ledger.write(world.context, entry.becomes(state, predictions=predictions), None)


def manifest(world, url):
    """The prefix and the names that a manifest lists."""
    prefix = f"s3://{world.context.data_bucket}/"
    head, *names = world.read(url.removeprefix(prefix))
    return head["prefix"].removeprefix(prefix), names


def test_a_version_is_evaluated_with_everything_that_its_job_needs(ready):
    found = ask(ready)
    run = f"s3://{ready.context.data_bucket}/runs/{ready.context.project}-quality/one"
    assert found.pop("Labels").startswith("labels-v1-")
    assert found == {
        "ModelPackageArn": ready.package,
        "Predictions": f"{run}/predictions.manifest",
        "GroundTruth": f"{run}/ground-truth.manifest",
        "Statistics": f"s3://{ready.context.models_bucket}/sealed/baseline/x.json",
        "VolumeKey": ready.key,
    }


def test_manifests_list_the_versions_own_predictions_and_all_labels(ready):
    ready.put("data/ground-truth/2026/late.csv", LABELS)
    ready.act_as("record")
    scored(ready, "second", 1)
    scored(ready, "older", 0)
    scored(ready, "drifted", 1, state=ledger.QUARANTINED)
    scored(ready, "smoke", 1, folder="data/smoke-test")
    ready.act_as("resolve")
    found = ask(ready)
    assert manifest(ready, found["Predictions"]) == (
        f"runs/{ready.context.project}-inference/",
        ["first/provenance.json", "first/transform/first.csv.out",
         "second/provenance.json", "second/transform/second.csv.out"],
    )  # fmt: skip
    assert manifest(ready, found["GroundTruth"]) == ("data/ground-truth/", ["2026/late.csv", "first.csv"])


def test_a_part_of_the_labels_can_be_named(ready):
    ready.put("data/ground-truth/2026/late.csv", LABELS)
    found = ask(ready, f"s3://{ready.context.data_bucket}/data/ground-truth/2026/")
    assert manifest(ready, found["GroundTruth"]) == ("data/ground-truth/", ["2026/late.csv"])


def test_folders_and_empty_files_are_no_labels(ready):
    ready.put("data/ground-truth/", b"")
    ready.put("data/ground-truth/2026/", b"")
    before = ask(ready)["Labels"]
    ready.put("data/ground-truth/empty.csv", b"")
    found = ask(ready)
    assert found["Labels"] == before
    assert manifest(ready, found["GroundTruth"]) == ("data/ground-truth/", ["first.csv"])


def test_the_same_labels_are_one_reason_however_often_they_come(ready):
    first = ask(ready)["Labels"]
    ready.put("data/ground-truth/first.csv", LABELS)
    ready.put("data/ground-truth/again.csv", LABELS)
    assert ask(ready)["Labels"] == first
    ready.put("data/ground-truth/more.csv", LABELS + b"first-0123456789ab,2,0\n")
    assert ask(ready)["Labels"] != first


def test_the_same_labels_are_another_reason_for_another_version(ready):
    first = ask(ready)["Labels"]
    ready.version(metrics=True)
    ready.act_as("record")
    scored(ready, "second", 2)
    ready.act_as("resolve")
    second = ask(ready)["Labels"]
    assert first.rsplit("-", 1)[-1] == second.rsplit("-", 1)[-1] and second.startswith("labels-v2-")


def test_labels_of_what_older_versions_scored_evaluate_no_version(ready):
    ready.version(metrics=True)
    with pytest.raises(NoPredictionsByChampion) as refused:
        ask(ready)
    said = f"Version 2 of {ready.context.project} has scored no batch yet: the labels tell of older versions."
    assert str(refused.value) == said
    assert ready.read(f"runs/{ready.context.project}-quality/one/failure.json") == {
        "name": "NoPredictionsByChampion",
        "sentence": said,
    }


def test_labels_before_anything_was_scored(world):
    world.version(metrics=True)
    world.put("data/ground-truth/first.csv", LABELS)
    world.act_as("resolve")
    with pytest.raises(NoScoredBatch, match=r"^No batch is scored yet: there are no predictions to evaluate\.$"):
        ask(world)


def test_no_label_that_has_arrived(ready):
    url = f"s3://{ready.context.data_bucket}/data/ground-truth/none/"
    with pytest.raises(NoGroundTruth, match=f"^GroundTruthUrl {url}: no label has arrived there.$"):
        ask(ready, url)


def test_no_approved_version(world):
    world.version("PendingManualApproval", metrics=True)
    world.act_as("resolve")
    with pytest.raises(NoApprovedModel, match=f"^No version of {world.context.project} is approved.$"):
        ask(world)


def test_a_version_without_metrics(world):
    bare = world.version()
    world.act_as("resolve")
    with pytest.raises(NoBaseline, match=f"^{bare} carries no metrics to compare with.$"):
        ask(world)


@pytest.mark.parametrize(
    "url", ["s3://{bucket}/data/batches/", "s3://{bucket}/data/ground-truth", "s3://elsewhere/data/ground-truth/", "x"]
)
def test_what_is_no_location_of_labels_is_refused_by_name(ready, url):
    url = url.format(bucket=ready.context.data_bucket)
    with pytest.raises(WrongInput, match=f"^GroundTruthUrl {url}: (labels arrive below|not an S3 URL)"):
        ask(ready, url)
