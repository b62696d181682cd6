"""A model that has become worse is dealt with as a batch that has drifted, and told in its own words."""

import json

import pytest

from functions.common import contract
from functions.common.context import pipeline_and_id
from functions.conftest_world import fail, invocation
from functions.on_failure.handler import handle
from functions.on_failure.test_handler import drifted, event, failed
from functions.resolve.test_quality import scored

SENTENCE = "Drift: the model has become worse (auc); AUC 0.512; 41 of 48 scored rows are labelled."
VERDICT = {"drift": True, "violation_count": 1, "sentence": SENTENCE, "rows": 41}
LABELS = "labels-v3-0123456789ab"


@pytest.fixture
def ready(world):
    """Everything that lets a retraining begin."""
    world.pipeline("train", world.waiting())
    world.put("data/labelled/part-1.csv", b"67,3,5,3,1\n")
    return world


def worse(world, labels=LABELS):
    """An execution that found the approved version worse; the code under test has the role of on_failure."""
    execution = failed(
        world, "quality",
        world.resolve(**{contract.LABELS: labels, contract.MODEL_PACKAGE: "arn:none/3"}),
        world.monitor({contract.VERDICT_FILE: json.dumps(VERDICT)}, of="quality"),
        fail(contract.DRIFT, "arn:none/3 has become worse.", contract.QUALITY),
    )  # fmt: skip
    world.act_as("on_failure")
    return execution


def test_a_model_that_is_worse_begins_a_retraining_and_says_why(ready):
    execution = worse(ready)
    done = handle(event(ready, execution), invocation())
    (training,) = ready.executions("train")
    assert (done["outcome"], done["execution"]) == ("retraining", training)
    described = ready.describe(training)
    assert described["PipelineExecutionDisplayName"] == f"retrain-{LABELS}"
    assert described["PipelineExecutionDescription"] == f"Version 3 evaluated on {LABELS}: {SENTENCE}"
    ((subject, text),) = ready.mails()
    assert subject == f"{ready.context.project} prod: version 3 has become worse, retraining has begun"
    assert text.startswith(f"Version 3 was evaluated on the ground truth that has arrived. {SENTENCE}\n")
    assert text.count("has become worse") == 1
    assert training in text and "(1 file)" in text and "withheld" not in text
    run = "/".join(("runs", *pipeline_and_id(execution)))
    assert text.endswith(f"Report: s3://{ready.context.data_bucket}/{run}/quality/report.html\n")


def test_an_event_that_comes_twice_changes_nothing(ready):
    execution = event(ready, worse(ready))
    assert handle(execution, invocation("first"))["outcome"] == "retraining"
    assert handle(execution, invocation("second"))["outcome"] == "nothing"
    assert len(ready.executions("train")) == 1 and len(ready.mails()) == 1


def test_the_same_labels_again_are_held(ready):
    ready.pipeline("train", ready.resolve(Done="yes"))
    training = handle(event(ready, worse(ready)), invocation("first"))["execution"]
    assert ready.end(training) == "Succeeded"
    ready.mails()
    done = handle(event(ready, worse(ready)), invocation("second"))
    held = "this ground truth was the reason of a retraining before"
    assert (done["outcome"], done["held_by"]) == ("held", [held])
    ((subject, text),) = ready.mails()
    assert subject.endswith("version 3 has become worse, no retraining")
    assert f"No retraining was begun: {held}." in text
    assert ready.executions("train") == [training]


def test_the_record_of_retrainings_is_one_that_an_earlier_release_can_read(ready):
    execution = worse(ready)
    training = handle(event(ready, execution), invocation())["execution"]
    (start,) = ready.read("retrain/history.json")["starts"]
    assert start.pop("at")
    assert start == {"batch": LABELS, "cause": execution, "execution": training}


def test_labels_and_a_batch_have_one_gate(ready):
    training = handle(event(ready, drifted(ready)), invocation("first"))["execution"]
    done = handle(event(ready, worse(ready)), invocation("second"))
    assert (done["outcome"], done["held_by"]) == ("held", [f"a training runs already ({training})"])


def test_no_batch_is_begun_because_a_model_was_evaluated(ready):
    ready.put("data/batches/next.csv")
    ready.pipeline("inference", ready.waiting())
    handle(event(ready, worse(ready)), invocation())
    assert ready.executions("inference") == []


def test_labels_of_what_older_versions_scored_are_no_alarm(ready):
    ready.version(metrics=True)
    ready.version(metrics=True)
    ready.put("data/ground-truth/first.csv", LABELS)
    ready.act_as("record")
    scored(ready, "first", 1)
    assert handle(event(ready, refused(ready)), invocation()) == {
        "outcome": "nothing",
        "why": f"Version 2 of {ready.context.project} has scored no batch yet: the labels tell of older versions.",
    }
    assert ready.mails() == []


def test_a_mail_never_calls_two_things_labels(ready):
    """Ground truth is never trained on: that it has come doesn't mean that there is training data."""
    ready.prod("s3").delete_object(Bucket=ready.context.data_bucket, Key="data/labelled/part-1.csv")
    ready.put("data/ground-truth/first.csv", LABELS)
    done = handle(event(ready, worse(ready)), invocation())
    assert done["held_by"] == ["there is no new file below data/labelled/, and the same rows give the same model"]
    ((_, text),) = ready.mails()
    assert "evaluated on the ground truth that has arrived" in text and "labels" not in text


@pytest.mark.parametrize("key", ["data/ground-truth/", "data/ground-truth/empty.csv"])
def test_a_folder_or_an_empty_file_that_arrives_is_no_alarm(ready, key):
    ready.version(metrics=True)
    ready.put(key, b"")
    url = f"s3://{ready.context.data_bucket}/data/ground-truth/"
    said = {"outcome": "nothing", "why": f"GroundTruthUrl {url}: no label has arrived there."}
    assert handle(event(ready, refused(ready)), invocation()) == said
    assert ready.mails() == []


def test_any_other_refusal_is_reported(ready):
    ready.version(metrics=True)
    ready.put("data/ground-truth/first.csv", LABELS)
    assert handle(event(ready, refused(ready)), invocation())["outcome"] == "alert"
    ((subject, text),) = ready.mails()
    assert subject.endswith(" prod: quality: step Resolve (NoScoredBatch) failed")
    assert text.startswith("No batch is scored yet: there are no predictions to evaluate.\n")


def refused(world):
    """An execution whose function refuses to evaluate."""
    url = f"s3://{world.context.data_bucket}/data/ground-truth/"
    execution = failed(world, "quality", world.calling("resolve", action="quality", ground_truth_url=url))
    world.act_as("on_failure")
    return execution


def test_a_crash_of_the_job_is_reported_and_trains_nothing(ready):
    message = "first.csv, row 3, column label: neither 0 nor 1."
    execution = failed(
        ready, "quality",
        ready.resolve(Labels=LABELS, ModelPackageArn="arn:none/3"),
        ready.monitor(code=1, message=message, of="quality"),
    )  # fmt: skip
    ready.act_as("on_failure")
    assert handle(event(ready, execution), invocation())["outcome"] == "alert"
    ((subject, text),) = ready.mails()
    assert subject.endswith(" prod: quality: step Quality failed")
    assert text.startswith(f"{message}\n") and "Nothing was retrained" in text and "Report:" not in text
    assert f"all labels below s3://{ready.context.data_bucket}/data/ground-truth/." in text
    assert "each later one fails as well, until the file is overwritten with a corrected one or deleted." in text
    assert ready.executions("train") == []
