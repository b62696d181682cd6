"""Labels arrive that say what the model does: as good as it was, then worse. Every event is delivered twice."""

import json
import os
import time

import pytest

from functions.common.context import split
from pipeline.__main__ import main

pytestmark = pytest.mark.random_order(disabled=True)

HELD = "this ground truth was the reason of a retraining before"


@pytest.fixture(scope="module", autouse=True)
def twice():
    """Events that come twice, in the local accounts of this module's own."""
    os.environ["LOCALAWS_DUPLICATE_EVENTS"] = "1"
    yield
    del os.environ["LOCALAWS_DUPLICATE_EVENTS"]


@pytest.fixture(scope="module")
def played(life):
    """A version whose labels first agree with it and are then corrected: each is the other one."""
    life.approve(life.train(), "The gate is passed")
    life.clean = life.score("clean.csv")
    life.accounts["prod"].client("s3").put_object(Bucket=life.contexts["prod"].data_bucket, Key="data/ground-truth/")
    true = life.truth("clean.csv")
    life.good = life.evaluate("clean.csv", true)
    settled(life, 2)
    life.put("prod", "labelled/part-2.csv")
    life.swapped = ["0" if label == "1" else "1" for label in true]
    life.worse = life.evaluate("clean.csv", life.swapped)
    life.second = life.retrain()
    settled(life, 4)
    life.collect(lambda mails: len(worse(mails)) >= 2)
    return life


def executions(life, pipeline):
    found = life.accounts["prod"].client("sagemaker").list_pipeline_executions(PipelineName=f"mammography-{pipeline}")
    return [item["PipelineExecutionArn"] for item in found["PipelineExecutionSummaries"]]


def settled(life, number):
    """Wait until that many executions have evaluated the model: one for each event."""
    while len(executions(life, "quality")) < number:
        time.sleep(0.1)
    for execution in executions(life, "quality"):
        life.ended("prod", execution)


def worse(mails):
    return [mail for mail in mails if "has become worse" in mail.subject]


def test_a_model_that_is_as_good_as_it_was_changes_nothing(played):
    assert (played.good.status, played.good.version, played.good.drift) == ("Succeeded", 1, False)
    assert played.good.sentence.startswith("No drift: the model is as good as it was; AUC 0.9")
    assert "; 42 of 48 scored rows are labelled" in played.good.sentence
    assert "as good as it was" in played.read("prod", played.good.report).decode()


def test_the_job_read_exactly_what_this_version_scored(played):
    found = json.loads(played.read("prod", played.good.report.replace("report.html", "statistics.json")))
    (batch,) = found["dataset"]["join"]["batches"]
    assert (batch["name"], batch["rows"], batch["labelled"], batch["repeated"]) == (played.clean.batch.id, 48, 42, 1)
    run = split(played.clean.predictions)[1].rsplit("/", 2)[1]
    manifest = json.loads(
        played.read("prod", played.good.report.replace("quality/report.html", "predictions.manifest"))
    )
    assert manifest[1:] == [f"{run}/provenance.json", f"{run}/transform/clean.csv.out"]


def test_a_model_that_has_become_worse_fails_the_execution_by_name(played):
    assert (played.worse.status, played.worse.version, played.worse.drift) == ("Failed", 1, True)
    steps = {step["StepName"]: step["StepStatus"] for step in played.steps("prod", played.worse.execution)}
    assert steps == {"Resolve": "Succeeded", "Quality": "Succeeded", "CheckQuality": "Succeeded", "Drift": "Failed"}
    assert played.worse.sentence.startswith("Drift: the model has become worse (")


def test_it_begins_exactly_one_retraining_which_leads_back_to_the_labels(played):
    assert executions(played, "train") == [played.story.retraining]
    assert sorted(played.story.versions) == [1, 2]
    reason = played.story.versions[played.second]["CustomerMetadataProperties"]["Reason"]
    assert reason.startswith("Version 1 evaluated on labels-v1-")


def test_people_are_notified_in_words_what_was_found_and_done(played):
    begun, held = sorted(worse(played.story.mails), key=lambda mail: "no retraining" in mail.subject)[:2]
    assert begun.subject == "mammography prod: version 1 has become worse, retraining has begun"
    assert played.worse.sentence in begun.text and played.story.retraining in begun.text
    assert "Version 1 scores until a newer one is approved." in begun.text
    assert held.subject == "mammography prod: version 1 has become worse, no retraining"
    assert HELD in held.text


def test_the_same_labels_again_are_held(played):
    again = played.evaluate("clean.csv", played.swapped)
    assert again.drift
    settled(played, 6)
    played.collect(lambda mails: len(worse(mails)) >= 4)
    assert executions(played, "train") == [played.story.retraining]
    for mail in worse(played.story.mails)[2:]:
        assert f"No retraining was begun: {HELD}" in mail.text


def test_labels_of_what_an_older_version_scored_are_no_alarm(played):
    played.approve(played.second, "Learned from the labels that have arrived since")
    execution = played.put_ground_truth("clean.csv", played.swapped)
    settled(played, 8)
    done = outcome(played, execution)
    assert done["outcome"] == "nothing"
    assert done["why"] == "Version 2 of mammography has scored no batch yet: the labels tell of older versions."
    assert not [mail for mail in played.collect() if execution in mail.text or done["why"] in mail.text]


def outcome(life, execution):
    """Wait for what on_failure left beside the execution's files."""
    run = life.contexts["prod"].run(execution, "on-failure.json")
    s3 = life.accounts["prod"].client("s3")
    while True:
        try:
            found = json.loads(life.read("prod", f"s3://{life.contexts['prod'].data_bucket}/{run}"))
        except s3.exceptions.NoSuchKey:
            found = {"done": False}
        if found["done"]:
            return found
        time.sleep(0.1)


def test_people_can_look_at_what_the_labels_said(played, capsys):
    assert main(["quality", "--environment", "prod"]) == 0
    heading, *lines = capsys.readouterr().out.splitlines()
    # Four arrivals of files, each told twice; the folder began none.
    assert heading.startswith("started") and len(lines) == 8
    assert "Failed" in lines[0] and "NoPredictionsByChampion" in lines[0]
    assert played.worse.sentence in lines[4] and lines[4].endswith("/quality/report.html")
    assert played.good.sentence in lines[-1] and "Succeeded" in lines[-1]
