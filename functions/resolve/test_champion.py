import json
import re

import pytest

from functions.common.failures import FunctionError, NoLabelledData, WrongInput
from functions.common.objects import contents, training_set
from functions.conftest_world import World
from functions.resolve.handler import handle


@pytest.fixture
def ready(world) -> World:
    world.put("data/labelled/part-1.csv", b"67,3,5,3,1\n")
    world.pipeline("train", world.waiting())
    world.act_as("resolve")
    return world


def ask(world, execution=None, url=None):
    url = url or f"s3://{world.context.data_bucket}/data/labelled/"
    return handle(
        {"action": "champion", "input_data_url": url, "execution_arn": execution or world.start("train")}, None
    )


def test_the_first_run_has_no_champion_and_a_locationholder_stands_in(ready):
    found = ask(ready)
    assert found["ModelDataUrl"] == f"s3://{ready.context.data_bucket}/placeholders/none"
    assert found["ModelPackageArn"] == "none"
    assert found["VolumeKey"] == ready.key
    assert all(isinstance(value, str) for value in found.values())


def test_the_champion_is_the_newest_approved_version(ready):
    ready.version()
    second = ready.version()
    ready.version("PendingManualApproval")
    found = ask(ready)
    assert found["ModelPackageArn"] == second
    assert found["ModelDataUrl"] == f"s3://{ready.context.models_bucket}/sealed/prod/model.tar.gz"


def test_the_training_set_is_reported_by_identity_and_listed_beside_the_model_to_be(ready):
    execution = ready.start("train")
    found = ask(ready, execution)
    listed = contents(f"s3://{ready.context.data_bucket}/data/labelled/")
    assert found["TrainingSet"] == training_set(listed.values())
    run = execution.rsplit("/", 1)[-1]
    key = f"prod/{ready.context.project}-train/{run}/training-set.json"
    assert found["TrainingSetUrl"] == f"s3://{ready.context.models_bucket}/{key}"
    body = ready.registry("s3").get_object(Bucket=ready.context.models_bucket, Key=key)["Body"].read()
    assert json.loads(body) == {
        "identity": found["TrainingSet"],
        "objects": [{"key": key, "content": content} for key, content in listed.items()],
    }


def test_the_same_rows_are_the_same_training_set(ready):
    first = ask(ready)["TrainingSet"]
    assert ask(ready)["TrainingSet"] == first
    ready.put("data/labelled/part-2.csv", b"43,1,1,3,0\n")
    assert ask(ready)["TrainingSet"] != first


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("Drift in batch shifted: age.", "Drift in batch shifted: age."),
        ("Häufung, „neu“ (50 %)", "Häufung neu 50"),
        ("x" * 300, "x" * 256),
        ("a" * 255 + "  b", "a" * 255),
        ("((()))", "started without a reason"),
        (None, "started without a reason"),
    ],
)
def test_the_reason_is_stored_as_far_as_metadata_can_hold_it(ready, given, stored):
    more = {"PipelineExecutionDescription": given} if given else {}
    reason = ask(ready, ready.start("train", **more))["Reason"]
    assert reason == stored and re.fullmatch(r"[\w .:/=+\-@]{1,256}", reason)


def test_nothing_to_train_on_is_refused_by_name(ready):
    execution = ready.start("train")
    url = f"s3://{ready.context.data_bucket}/data/labelled/nothing/"
    with pytest.raises(NoLabelledData, match=f"^{url}: no object to train on.$"):
        ask(ready, execution, url)
    note = {"name": "NoLabelledData", "sentence": f"{url}: no object to train on."}
    assert ready.read(ready.context.run(execution, "failure.json")) == note


def test_an_unknown_action_is_refused_by_name(ready):
    with pytest.raises(FunctionError, match=r"^Action None: there are only champion, batch, quality\.$"):
        handle({"execution_arn": ready.start("train")}, None)


@pytest.mark.parametrize("url", ["s3://{bucket}/data/batches/", "s3://elsewhere/data/labelled/", "data/labelled/"])
def test_what_is_no_labelled_data_is_refused_by_name(ready, url):
    url = url.format(bucket=ready.context.data_bucket)
    with pytest.raises(WrongInput, match=f"^InputDataUrl {url}: (labelled data lies below|not an S3 URL)"):
        ask(ready, ready.start("train"), url)
