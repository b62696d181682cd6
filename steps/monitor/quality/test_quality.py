"""A model's quality on labels that arrive later: the join, the metrics, the verdict."""

import itertools
import json
import math

import numpy as np
import pytest

from steps.common.quality import binary, ranking
from steps.monitor.conftest import CLINIC, Quality, page, scored


def test_the_auc_is_the_share_of_pairs_in_order():
    labels, probabilities = map(np.array, scored(60))
    probabilities = probabilities.round(1)
    pairs = itertools.product(probabilities[labels == 1], probabilities[labels == 0])
    expected = np.mean([1.0 if a > b else 0.5 if a == b else 0.0 for a, b in pairs])
    assert ranking.auc_and_deviation(labels, probabilities)[0] == pytest.approx(expected)


def test_delongs_deviation_is_the_spread_of_many_draws():
    areas, deviations = [], []
    for seed in range(400):
        labels, probabilities = map(np.array, scored(200, seed))
        area, deviation = ranking.auc_and_deviation(labels, probabilities)
        areas.append(area)
        deviations.append(deviation)
    assert np.mean(deviations) == pytest.approx(np.std(areas), rel=0.12)
    assert ranking.hanley(float(np.mean(areas)), 92, 108) == pytest.approx(np.std(areas), rel=0.25)


def test_metrics_are_those_of_the_definitions():
    labels, probabilities = np.array([1, 1, 0, 0, 0]), np.array([0.9, 0.4, 0.6, 0.2, 0.1])
    found = binary.members(binary.Rows.at(0.5, labels, probabilities))
    assert found["confusion_matrix"] == {"0": {"0": 2, "1": 1}, "1": {"0": 1, "1": 1}}
    assert found["precision"]["value"] == 0.5 and found["recall"]["value"] == 0.5 and found["f1"]["value"] == 0.5
    assert found["accuracy"]["value"] == pytest.approx(0.6)
    assert found["brier"]["value"] == pytest.approx((0.01 + 0.36 + 0.36 + 0.04 + 0.01) / 5)
    assert sum(each["rows"] for each in found["calibration"]) == 5


def test_a_model_as_good_as_before_passes(job):
    labels, probabilities = scored(300)
    job.register()
    job.predictions(probabilities)
    job.arrive(labels)
    assert job.run() == 0
    verdict = job.container.read("verdict.json")
    assert verdict["drift"] is False and verdict["rows"] == 300
    assert verdict["sentence"].startswith("No drift: the model is as good as it was; AUC 0.")
    assert job.container.message == f"Completed: {verdict['sentence']}"


def test_a_model_that_became_worse_is_drift(job):
    labels, probabilities = scored(300, skill=0.4)
    job.register()
    job.predictions(probabilities)
    job.arrive(labels)
    assert job.run() == 0
    assert job.container.read("verdict.json")["drift"] is True
    names = {each["metric_name"] for each in job.container.read("constraint_violations.json")["violations"]}
    assert "auc" in names
    assert job.container.message.startswith("CompletedWithViolations: Drift: the model has become worse (auc")
    assert "What the join found" in page(job.container) and "Calibration" in page(job.container)


def test_probabilities_that_no_longer_fit_are_drift(job):
    labels, probabilities = scored(400)
    job.register()
    job.predictions([p**3 for p in probabilities])
    job.arrive(labels)
    assert job.run() == 0
    names = {each["metric_name"] for each in job.container.read("constraint_violations.json")["violations"]}
    assert "calibration" in names and "auc" not in names


def published(job) -> dict[str, float]:
    file = job.container.root / "output/metrics/cloudwatch/cloudwatch_metrics.jsonl"
    metrics = [json.loads(line) for line in file.read_text().splitlines()]
    assert all({"MetricName", "Timestamp", "Dimensions", "Value", "Unit"} == set(metric) for metric in metrics)
    return {metric["MetricName"]: metric["Value"] for metric in metrics}


def test_a_models_metrics_are_published_where_a_setting_states_so(job, capsys):
    labels, probabilities = scored(300, skill=0.4)
    job.register()
    job.predictions(probabilities)
    job.arrive(labels)
    assert job.run() == 0 and not (job.container.root / "output/metrics").exists()
    assert job.run(publish_cloudwatch_metrics="Enabled") == 0
    found = published(job)
    metrics = job.container.read("statistics.json")[f"{binary.KEY}_metrics"]
    assert found["auc"] == metrics["auc"]["value"] and {"accuracy", "recall", "precision", "f1", "brier"} <= set(found)
    assert found["violations"] == job.container.read("verdict.json")["violation_count"] > 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["drift"] == 1


def test_too_few_labels_publish_no_metric(job):
    job.predictions([0.5] * 48)
    job.arrive([])
    assert job.run(publish_cloudwatch_metrics="Enabled") == 0
    assert published(job) == {"violations": 0.0}


def test_labels_that_come_in_part_twice_and_for_others(job):
    labels, probabilities = scored(100)
    job.predictions(probabilities)
    job.arrive(labels[:60])
    job.arrive(labels[50:60], name="again.csv", rows=range(51, 61))
    job.arrive([1 - labels[0]], name="other.csv", rows=[1])
    job.arrive([1, 0], name="beyond.csv", rows=[100, 101])
    job.arrive([1], batch="unknown-batch", name="unknown.csv")
    assert job.run() == 0
    (batch,) = job.join()["batches"]
    assert batch == {
        "name": CLINIC,
        "rows": 100,
        "labelled": 60,
        "rejected": 0,
        "repeated": 11,
        "contradictory": 1,
        "unknown_rows": 1,
        "unlabelled": 39,
    }
    assert job.join()["labels_of_unknown_batches"] == 1
    assert "60 of 100 scored rows are labelled" in job.container.message


def test_batches_are_evaluated_together_and_rejected_rows_left_out(job):
    labels, probabilities = scored(120)
    job.predictions(probabilities[:30], "one", "a.out")
    job.predictions(probabilities[30:60], "one", "b.out")
    job.predictions([math.nan, *probabilities[61:]], "two")
    job.arrive(labels[:60], "one", "one.csv")
    job.arrive(labels[60:], "two", "two.csv")
    assert job.run() == 0
    one, two = job.join()["batches"]
    assert (one["rows"], one["labelled"]) == (60, 60)
    assert (two["rows"], two["rejected"], two["labelled"], two["unlabelled"]) == (60, 1, 59, 0)


def test_predictions_in_json_lines_and_labels_too(job):
    labels, probabilities = scored(100)
    lines = [{"row": i, "probability": p} for i, p in enumerate(probabilities, 1)]
    lines[3] = {"row": 4, "error": "column age: not a number"}
    file = job.container.write([], f"{CLINIC}/clinic.csv.out")
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    given = [{"batch": CLINIC, "row": i, "label": label} for i, label in enumerate(labels, 1)]
    (job.labels / "labels.jsonl").write_text("".join(json.dumps(line) + "\n" for line in given))
    assert job.run() == 0
    (batch,) = job.join()["batches"]
    assert (batch["labelled"], batch["rejected"]) == (99, 1)


def leave_run(job, run: str, content: object, probabilities=()) -> None:
    """Leave what an execution of the inference pipeline leaves: its predictions, its report, and which batch it was."""
    for name, text in (
        ("transform/rows.csv.out", "".join(f"{p:.6f}\n" for p in probabilities)),
        ("monitor/report.html", "<p>No drift</p>"),
        ("scored-by.json", json.dumps(content)),
    ):
        job.container.write([], f"{run}/{name}").write_text(text)


def of_batch(name: str, run: str) -> dict:
    return {"predictions": f"s3://bucket/runs/inference/{run}/transform", "batch": {"id": name}, "version": 1}


def test_runs_of_the_inference_pipeline_name_their_batches(job):
    labels, probabilities = scored(120)
    leave_run(job, "run-1", of_batch("one-0123", "run-1"), probabilities[:50])
    leave_run(job, "run-2", of_batch("two-0123", "run-2"), probabilities[50:])
    job.container.write([], "run-3/monitor/report.html").write_text("<p>Drift: nothing was scored</p>")
    job.arrive(labels[:50], "one-0123", "one.csv")
    job.arrive(labels[50:60], "two-0123", "two.csv")
    assert job.run() == 0
    one, two = job.join()["batches"]
    assert (one["name"], one["labelled"], one["unlabelled"]) == ("one-0123", 50, 0)
    assert (two["name"], two["labelled"], two["unlabelled"]) == ("two-0123", 10, 60)


def test_runs_that_do_not_say_what_they_scored(job):
    leave_run(job, "run-1", {"version": 1})
    assert job.failed() == "run-1/scored-by.json: doesn't say which batch was scored."
    leave_run(job, "run-1", of_batch("one-0123", "run-1"))
    leave_run(job, "run-2", of_batch("one-0123", "run-2"))
    assert job.failed() == "run-2/scored-by.json: another run scored its batch, too."


@pytest.mark.parametrize("count", [0, 10])
def test_too_few_labels_are_no_drift_and_no_error(job, count):
    labels, probabilities = scored(48)
    job.register()
    job.predictions(probabilities)
    job.arrive(labels[:count])
    assert job.run() == 0
    verdict = job.container.read("verdict.json")
    assert verdict["drift"] is False
    assert verdict["sentence"] == f"Not enough labels to evaluate the model: {count} of 48 scored rows are labelled."


def test_one_batch_may_be_named_by_a_setting(job):
    labels, probabilities = scored(48)
    job.container.write([[p] for p in probabilities], "clinic.csv.out")
    job.arrive(labels)
    assert job.run(batch_id=CLINIC) == 0
    assert job.container.read("verdict.json")["rows"] == 48


def merged(labels, probabilities) -> str:
    """Return records as SageMaker merges captured ones with their labels."""
    records = [
        {
            "captureData": {"endpointOutput": {"data": f"{p}\n", "encoding": "CSV", "mode": "OUTPUT"}},
            "eventMetadata": {"eventId": str(i), "inferenceTime": "2026-01-31T15:30:00Z"},
            "eventVersion": "0",
            "groundTruthData": {"data": str(label), "encoding": "CSV"},
        }
        for i, (label, p) in enumerate(zip(labels, probabilities, strict=True))
    ]
    return "".join(json.dumps(record) + "\n" for record in records)


MERGED = {"sagemakerMergeJson": {"captureIndexNames": ["endpointOutput"]}}
AWS_CONSTRAINTS = {
    "version": 0.0,
    "binary_classification_constraints": {
        "auc": {"threshold": 0.7, "comparison_operator": "LessThanThreshold"},
        "recall": {"threshold": 0.6, "comparison_operator": "LessThanThreshold"},
        "false_positive_rate": {"threshold": 0.3, "comparison_operator": "GreaterThanThreshold"},
        "recall_best_constant_classifier": {"threshold": 1.0, "comparison_operator": "LessThanThreshold"},
    },
}


def constraints(job: Quality, content: dict) -> str:
    file = job.container.root / "processing/input/constraints.json"
    file.write_text(json.dumps(content))
    return "/opt/ml/processing/input/constraints.json"


@pytest.mark.parametrize(("skill", "drift"), [(1.0, False), (0.1, True)])
def test_records_that_sagemaker_merged_against_constraints_of_awss_form(job, skill, drift):
    job.container.write([], "merged.jsonl").write_text(merged(*scored(300, skill=skill)))
    settings = {
        "problem_type": "BinaryClassification",
        "probability_attribute": "0",
        "baseline_constraints": constraints(job, AWS_CONSTRAINTS),
    }
    assert job.run(MERGED, **settings) == 0
    assert job.container.read("verdict.json")["drift"] is drift
    found = {v["metric_name"]: v for v in job.container.read("constraint_violations.json")["violations"]}
    assert set(found) == ({"auc", "recall", "false_positive_rate"} if drift else set())
    if drift:
        assert found["auc"]["constraint_check_type"] == "LessThanThreshold"
        assert found["false_positive_rate"]["constraint_check_type"] == "GreaterThanThreshold"


def test_a_new_baseline_of_a_table_with_labels_suggests_its_own_metrics(job, monkeypatch):
    monkeypatch.delenv("ground_truth_source")
    rows = list(zip(*scored(300), strict=True))
    job.container.write(rows, header=("severity", "score"))
    settings = {"ground_truth_attribute": "severity", "probability_attribute": "score"}
    assert job.run({"csv": {"header": True}}, **settings) == 0
    limits = job.container.read("constraints.json")[f"{binary.KEY}_constraints"]
    value = job.container.read("statistics.json")[f"{binary.KEY}_metrics"]["auc"]["value"]
    assert limits["auc"] == {"threshold": value, "comparison_operator": "LessThanThreshold"}
    assert job.container.message.startswith("Completed: Measured: AUC")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"{CLINIC},1,2", "first.csv, row 1, column label: neither 0 nor 1."),
        (f"{CLINIC},one,1", "first.csv, row 1, column row: not a row number."),
        (f"{CLINIC},0,1", "first.csv, row 1, column row: not a row number."),
        (f"{CLINIC},1", "first.csv, row 1: 2 columns where 3 belong."),
    ],
)
def test_labels_that_are_none(job, line, message):
    job.predictions([0.5] * 48)
    (job.labels / "first.csv").write_text(f"batch,row,label\n{line}\n")
    assert job.failed() == message


def test_labels_without_their_columns(job):
    job.predictions([0.5] * 48)
    (job.labels / "first.csv").write_text("id,label\n1,1\n")
    assert job.failed() == "first.csv, header line: its columns aren't batch, row, label."


@pytest.mark.parametrize("cell", ["yes", "1.5", "-0.1", "inf"])
def test_predictions_that_are_none(job, cell):
    job.container.write([["0.5"], [cell]], f"{CLINIC}/clinic.csv.out")
    assert job.failed() == f"{CLINIC}/clinic.csv.out, line 2: not a probability."


def test_settings_that_are_none(job):
    job.container.write([["0.5"]], "clinic.csv.out")
    assert job.failed().startswith("batch_id is not set")
    assert job.failed(problem_type="Ranking") == (
        "problem_type is none of BinaryClassification, MulticlassClassification, Regression."
    )


def test_a_column_that_is_not_there(job):
    job.predictions([0.5] * 48)
    assert job.failed(probability_attribute="3").startswith("probability_attribute: ")


def test_no_predictions(job):
    assert "no file with rows" in job.failed()


@pytest.mark.parametrize("content", ["{", "{}", '{"binary_classification_metrics": {"auc": 3}}'])
def test_a_baseline_that_is_none(job, content):
    job.predictions([0.5] * 48)
    job.arrive([])
    (job.container.root / "processing/input/evaluation.json").write_text(content)
    assert job.failed(baseline_statistics="/opt/ml/processing/input/evaluation.json").startswith("evaluation.json: ")


@pytest.mark.parametrize(
    "content", [{}, {f"{binary.KEY}_constraints": {"auc": 3}}, {f"{binary.KEY}_constraints": {"r2": {"threshold": 1}}}]
)
def test_constraints_that_are_none(job, content):
    labels, probabilities = scored(100)
    job.predictions(probabilities)
    job.arrive(labels)
    assert job.failed(baseline_constraints=constraints(job, content)).startswith("constraints.json: ")


@pytest.mark.parametrize("change", [{"captureData": {}}, {"groundTruthData": 3}])
def test_records_that_were_not_merged(job, change):
    record = json.loads(merged([1], [0.5])) | change
    job.container.write([], "merged.jsonl").write_text(json.dumps(record) + "\n")
    assert job.failed(MERGED) == "merged.jsonl, line 1: not a record that was merged with its label."
