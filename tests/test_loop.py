"""The whole life of a model, held against what it should have done to every row, version and batch."""

import csv
import io
import json
import os
import subprocess
from pathlib import Path

import pytest
from rich.console import Console

from functions.common import ledger
from promotion.smoke_test import area
from rehearsal import stages

pytestmark = pytest.mark.random_order(disabled=True)

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def played(life):
    """The stages of `make run`, with a first batch that arrives before anything is approved."""
    life.first = life.train()
    life.approve(life.first, "The gate is passed")
    life.clean = life.score("clean.csv")
    life.evaluated = life.evaluate("clean.csv", life.truth("clean.csv"))
    life.put("prod", "labelled/part-2.csv")
    life.quarantined = life.quarantine("shifted.csv")
    life.second = life.retrain()
    life.approve(life.second, "Learned from the second labelled part")
    life.rescued(life.quarantined)
    life.collect(lambda mails: any("was approved" in mail.text and str(life.second) in mail.text for mail in mails))
    return life


@pytest.fixture(scope="module")
def again(played, tmp_path_factory):
    """The same life once more from nothing, with every event delivered twice."""
    if os.environ.get("BATON_RUNTIME", "process") != "process":
        pytest.skip("the second life is played in the process runtime only")
    if os.environ.get("LOCALAWS_EMULATOR"):
        pytest.skip("the second life begins with empty accounts, and this emulator's hold the first")
    folder, first = tmp_path_factory.mktemp("again"), os.environ["AWS_ENDPOINT_URL"]
    os.environ["LOCALAWS_DUPLICATE_EVENTS"] = "1"
    try:
        yield stages.play(folder / "state", folder / "results", console=Console(file=io.StringIO()))
    finally:
        del os.environ["LOCALAWS_DUPLICATE_EVENTS"]
        os.environ["AWS_ENDPOINT_URL"] = first


def probabilities(life, entry) -> list[float]:
    name = entry.batch.url.rsplit("/", 1)[-1]
    rows = csv.reader(io.StringIO(life.read("prod", f"{entry.predictions}/{name}.out").decode()))
    return [float(row[0]) for row in rows]


def test_every_row_of_the_clean_batch_has_its_probability_in_order(played, tmp_path):
    """The same rows, scored one by one by the registered archive outside of any pipeline, give the same numbers."""
    archive = tmp_path / "model.tar.gz"
    package = played.story.versions[played.first]
    archive.write_bytes(played.read("registry", package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]))
    rows = played.files["batches/clean.csv"]
    assert len(probabilities(played, played.clean)) == len(rows) == 48
    assert probabilities(played, played.clean) == pytest.approx(scored(archive, rows, tmp_path), abs=1e-6)


def scored(archive: Path, rows: list[list[str]], folder: Path) -> list[float]:
    """Score rows one at a time with the infer step's own code and environment."""
    model = folder / "model"
    model.mkdir()
    subprocess.run(["tar", "-xzf", archive, "-C", model], check=True)
    program = (
        "import sys, json, numpy, xgboost\n"
        "booster = xgboost.Booster(model_file=sys.argv[1])\n"
        "rows = json.load(sys.stdin)\n"
        "value = lambda text: float('nan') if text == '?' else float(text)\n"
        "print(json.dumps([float(booster.inplace_predict(numpy.array([[value(t) for t in row]], 'float32'))[0])"
        " for row in rows]))"
    )
    inside = [in_domain(row) for row in rows]
    done = subprocess.run(
        [ROOT / ".venvs/infer/bin/python", "-c", program, model / "xgboost-model"],
        input=json.dumps(inside), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def in_domain(row: list[str]) -> list[str]:
    """Values that the schema's domain doesn't know are missing to the model, as at training."""
    columns = json.loads((ROOT / "steps/common/schema.json").read_text())["columns"]
    return [
        text if text == "?" or known(column, float(text)) else "?" for column, text in zip(columns, row, strict=True)
    ]


def known(column: dict, value: float) -> bool:
    if "values" in column:
        return value in column["values"]
    return column.get("minimum", value) <= value <= column.get("maximum", value)


def test_labels_that_arrive_say_that_the_model_is_as_good_as_it_was(played):
    assert (played.evaluated.status, played.evaluated.version, played.evaluated.drift) == (
        "Succeeded",
        played.first,
        False,
    )
    assert "; 42 of 48 scored rows are labelled" in played.evaluated.sentence
    labels = played.truth("clean.csv")
    rows = [row for row in range(48) if (row + 1) % 8]
    found = probabilities(played, played.clean)
    measured = area([found[row] for row in rows], [int(labels[row]) for row in rows])
    assert f"AUC {measured:.3f}" in played.evaluated.sentence


def test_the_planted_violations_are_found_and_named(played):
    entry = played.quarantined
    assert entry.verdict["drift"] is True
    found = json.loads(played.read("prod", f"{entry.report}/constraint_violations.json"))["violations"]
    columns = {item["feature_name"] for item in found}
    assert {"age", "margin"} <= columns
    clean = json.loads(played.read("prod", f"{played.clean.report}/constraint_violations.json"))["violations"]
    assert clean == [] and played.clean.verdict["drift"] is False


def test_the_report_compares_a_batch_with_those_before_it(played):
    assert "Beside earlier batches" in played.read("prod", f"{played.quarantined.report}/report.html").decode()
    assert "Beside earlier batches" not in played.read("prod", f"{played.clean.report}/report.html").decode()


def test_drift_fails_the_execution_by_name_and_creates_nothing(played):
    steps = {step["StepName"]: step for step in played.steps("prod", played.quarantined.execution)}
    assert played.ended("prod", played.quarantined.execution) == "Failed"
    assert steps["Drift"]["StepStatus"] == "Failed"
    assert steps["Monitor"]["StepStatus"] == "Succeeded"
    assert not {"CreateModel", "Transform", "Record"} & set(steps)


def test_a_retrained_version_leads_back_to_the_batch_and_the_labels_it_learned_from(played):
    package = played.story.versions[played.second]
    properties = package["CustomerMetadataProperties"]
    assert played.quarantined.batch.id in properties["Reason"]
    assert properties["Champion"] == played.story.versions[played.first]["ModelPackageArn"]
    assert properties["PipelineExecutionArn"] == played.story.retraining
    listed = json.loads(played.read("registry", properties["TrainingSetUrl"]))["objects"]
    assert sorted(item["key"] for item in listed) == ["data/labelled/part-1.csv", "data/labelled/part-2.csv"]
    assert played.story.versions[played.first]["CustomerMetadataProperties"]["TrainingSet"] != properties["TrainingSet"]


def test_the_new_version_was_measured_against_the_champion_on_the_same_rows(played):
    uri = played.story.versions[played.second]["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]
    quality = json.loads(played.read("registry", uri))
    assert quality["champion_comparison"]["auc_difference"]["upper"] >= 0
    assert played.story.auc[played.second] > 0.85 and played.story.auc[played.first] > 0.85


def test_one_drift_is_one_retraining_and_one_version(played):
    train = played.accounts["prod"].client("sagemaker").list_pipeline_executions(PipelineName="mammography-train")
    assert [item["PipelineExecutionArn"] for item in train["PipelineExecutionSummaries"]] == [played.story.retraining]
    group = played.accounts["registry"].client("sagemaker").list_model_packages(ModelPackageGroupName="mammography")
    assert sorted(item["ModelPackageVersion"] for item in group["ModelPackageSummaryList"]) == [
        played.first,
        played.second,
    ]


def test_the_quarantined_batch_is_scored_by_the_new_version_once(played):
    entry = played.story.batches["shifted.csv"]
    assert (entry.state, entry.version) == (ledger.SCORED, played.second)
    assert [line["state"] for line in entry.history] == ["claimed", "quarantined", "claimed", "scored"]
    assert len(probabilities(played, entry)) == 48
    assert {item.batch.id for item in played.entries()} == {played.clean.batch.id, played.quarantined.batch.id}


def test_each_output_says_which_model_made_it(played):
    assert played.clean.version == played.first
    definition = (
        played.accounts["prod"]
        .client("sagemaker")
        .describe_pipeline_definition_for_execution(PipelineExecutionArn=played.clean.execution)["PipelineDefinition"]
    )
    digest = played.story.versions[played.first]["CustomerMetadataProperties"]["InferImageDigest"]
    assert played.story.release.images["infer"] == digest
    assert played.story.release.images["monitor"] in definition


def test_people_are_notified_what_happened_and_what_to_do(played):
    texts = [f"{mail.environment}: {mail.subject} {mail.text}" for mail in played.story.mails]

    def said(environment: str, *words: str) -> bool:
        return any(text.startswith(environment) and all(word in text for word in words) for text in texts)

    assert said("registry", "waits for approval", "Version 1")
    assert said("registry", "waits for approval", "Version 2")
    assert said("prod", played.quarantined.batch.id, "retraining has begun", "requeue")
    assert said("prod", "Version 2", "was approved")


def test_mails_and_logs_hold_no_row_of_the_batch(played):
    rows = [",".join(row) for row in played.files["batches/shifted.csv"]]
    texts = [mail.text for mail in played.story.mails] + list(log_lines(played, "prod"))
    assert texts
    for row in rows:
        assert not any(row in text for text in texts)


def test_the_same_rows_give_the_same_model_bytes_in_another_life(played, again):
    assert set(again.story.archives) == set(played.story.archives) == {played.first, played.second}
    assert again.story.archives == played.story.archives
    assert again.story.auc == played.story.auc
    assert [said.sentence for said in again.story.model_quality] == [played.evaluated.sentence]


def test_events_that_come_twice_retrain_once(again):
    assert again.story.executions["prod", "train"] == [again.story.retraining]
    assert sorted(again.story.versions) == [1, 2]
    assert sum("retraining has begun" in mail.subject for mail in again.story.mails) == 1


def log_lines(life, environment: str):
    logs = life.accounts[environment].client("logs")
    for kind in ("ProcessingJobs", "TransformJobs", "TrainingJobs"):
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/sagemaker/{kind}"):
            yield from (event["message"] for event in page["events"])
