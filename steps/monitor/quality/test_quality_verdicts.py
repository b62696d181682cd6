"""Baselines and constraints that can't be believed, and what the verdict and its page say."""

import json
import re

import numpy as np
import pytest

from steps.common import about
from steps.common.quality import binary
from steps.common.quality.members import Bin
from steps.monitor import significance
from steps.monitor.conftest import (
    BINARY,
    CLINIC,
    DRAWS,
    KEYS,
    MULTICLASS,
    REGRESSION,
    WORSE,
    give,
    members,
    page,
    register,
    scored,
)
from steps.monitor.quality.binary import read


def limit(job, kind: str, name: str, text: str) -> str:
    """Leave a constraint whose threshold is a JSON text."""
    file = job.container.root / "processing/input/constraints.json"
    operator = "GreaterThanThreshold" if name == "rmse" else "LessThanThreshold"
    constraint = f'{{"threshold": {text}, "comparison_operator": "{operator}"}}'
    file.write_text(f'{{"{KEYS[kind]}_constraints": {{"{name}": {constraint}}}}}')
    return "/opt/ml/processing/input/constraints.json"


HEADLINE = {BINARY: "auc", MULTICLASS: "accuracy", REGRESSION: "rmse"}


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "true", "1e999", "9" * 400])
@pytest.mark.parametrize("kind", DRAWS)
def test_thresholds_that_are_no_numbers(job, kind, text):
    dataset, settings = give(job, "joined", *DRAWS[kind](60), kind)
    name = HEADLINE[kind]
    message = job.failed(dataset, problem_type=kind, baseline_constraints=limit(job, kind, name, text), **settings)
    assert message in (
        f"constraints.json: the threshold of the constraint {name} is not a finite number.",
        f"constraints.json: the constraint {name} isn't in SageMaker's form.",
    )


@pytest.mark.parametrize("text", ["1e200", "-1e200", "1e-300", "0"])
@pytest.mark.parametrize("kind", DRAWS)
def test_thresholds_of_any_size(job, kind, text):
    dataset, settings = give(job, "joined", *DRAWS[kind](60), kind)
    baseline = limit(job, kind, HEADLINE[kind], text)
    assert job.run(dataset, problem_type=kind, baseline_constraints=baseline, **settings) == 0
    above = HEADLINE[kind] == "rmse"
    expected = float(text) < 1 if above else float(text) > 1
    assert job.container.read("verdict.json")["drift"] is expected


def test_the_tail_of_a_distribution_has_no_end():
    assert significance.upper_tail(1e300, 1e-10) == 0 and significance.upper_tail(1e300, 1e-10, 5) < 0.01
    assert significance.upper_tail(float("-inf"), 1.0, 5) > 0.99


def of_binary(**changes) -> dict:
    labels, probabilities = map(np.array, scored(180, 5))
    return binary.members(binary.Rows.at(0.5, labels, probabilities)) | changes


@pytest.mark.parametrize(
    "changes",
    [
        {"auc": {"value": 7}},
        {"auc": {"value": 0.9, "standard_deviation": -1}},
        {"brier": {"value": -0.1}},
        {"confusion_matrix": {"0": {"0": -5, "1": 60}, "1": {"0": 7, "1": 70}}},
        {"confusion_matrix": {"0": {"0": 0, "1": 0}, "1": {"0": 0, "1": 0}}},
        {"calibration": [{"predicted": 3, "observed": {"value": 0.5}, "rows": 9}]},
        {"calibration": [{"predicted": 0.3, "observed": {"value": 0.5}, "rows": -9}]},
    ],
)
def test_baselines_of_two_classes_that_are_not_believed(job, changes):
    dataset, _ = give(job, "joined", *scored(60), BINARY)
    baseline = register(job, {"binary_classification_metrics": of_binary(**changes)})
    message = job.failed(dataset, baseline_statistics=baseline)
    assert message == "statistics.json: has no binary_classification_metrics in SageMaker's form."


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (MULTICLASS, {"accuracy": {"value": 7}}),
        (REGRESSION, {"r2": {"value": 3}}),
        (REGRESSION, {"rmse": {"value": -3}}),
        (REGRESSION, {"calibration": [{"predicted": 3, "observed": {"value": 1}, "rows": -1}]}),
    ],
)
def test_other_baselines_that_are_not_believed(job, kind, changes):
    dataset, settings = give(job, "joined", *DRAWS[kind](60), kind)
    baseline = register(job, {f"{KEYS[kind]}_metrics": members(kind, *DRAWS[kind](180, 5)) | changes})
    message = job.failed(dataset, problem_type=kind, baseline_statistics=baseline, **settings)
    assert message == f"statistics.json: has no {KEYS[kind]}_metrics in SageMaker's form."


@pytest.mark.parametrize("setting", ["baseline_statistics", "baseline_constraints"])
def test_a_baseline_that_is_not_there_is_named_by_its_setting(job, setting):
    dataset, _ = give(job, "joined", *scored(60), BINARY)
    assert job.failed(dataset, **{setting: "/none.json"}) == f"{setting}: /none.json: there is no such file."


@pytest.mark.parametrize("kind", DRAWS)
def test_an_alarm_states_what_the_metric_was(job, kind):
    baseline = register(job, {f"{KEYS[kind]}_metrics": members(kind, *DRAWS[kind](400, 5))})
    dataset, settings = give(job, "joined", *DRAWS[kind](400, **WORSE[kind]), kind)
    assert job.run(dataset, problem_type=kind, baseline_statistics=baseline, **settings) == 0
    sentence = job.container.read("verdict.json")["sentence"]
    assert re.match(r"Drift: the model has become worse \([a-z0-9_, ]+\); \w+ [\d.,]+ \(it was [\d.,]+\); ", sentence)


@pytest.mark.parametrize(
    ("threshold", "message"), [("0.99", "violates its constraints (auc)"), ("0.5", "keeps its con")]
)
def test_constraints_alone_say_nothing_of_what_was(job, threshold, message):
    dataset, _ = give(job, "joined", *scored(300), BINARY)
    assert job.run(dataset, baseline_constraints=limit(job, BINARY, "auc", threshold)) == 0
    word = "Drift" if "violates" in message else "No drift"
    assert job.container.read("verdict.json")["sentence"].startswith(f"{word}: the model {message}")


@pytest.mark.parametrize("enough", [True, False])
def test_only_a_verdict_is_coloured(job, enough):
    labels, probabilities = scored(300)
    job.register()
    job.predictions(probabilities)
    job.arrive(labels if enough else labels[:10])
    assert job.run() == 0
    assert ('<p class="verdict good">No drift' in page(job.container)) is enough
    assert ('<p class="verdict">Not enough' in page(job.container)) is not enough


def test_the_page_states_which_version_was_evaluated_and_when_and_by_which_rule(job):
    labels, probabilities = scored(100)
    job.register()
    job.container.write([[p] for p in probabilities], "run-1/transform/rows.out")
    message = {"predictions": "s3://b/run-1/transform", "batch": {"id": CLINIC}, "version": 7}
    job.container.write([], "run-1/scored-by.json").write_text(json.dumps(message))
    job.arrive(labels)
    assert job.run() == 0
    found = page(job.container)
    assert "<dt>version</dt><dd>7</dd>" in found and re.search(r"<dt>made</dt><dd>\d{4}-\d\d-\d\d \d\d:\d\d UTC", found)
    assert "Limit of chance" in found and "A metric is violated only if" in found
    assert about.section() == ""


def test_a_violation_states_both_metrics_as_numbers(job):
    dataset, _ = give(job, "joined", *scored(300, skill=0.2), BINARY)
    job.register()
    assert job.run(dataset) == 0
    for each in job.container.read("constraint_violations.json")["violations"]:
        assert each["value"] != each["compared_with"]
        if each["metric_name"] == "auc":
            assert f"{each['value']:.3f}; it was {each['compared_with']:.3f}" in each["description"]


@pytest.mark.parametrize("counts", [[1, 9, 1], [1, 1, 1, 1, 1], [30, 1], [1, 30], [2, 2], [7, 4, 4, 7]])
def test_no_bin_shows_a_row(counts):
    bins = [Bin(position / 10, position % 2, count) for position, count in enumerate(counts)]
    found = binary.joined(bins)
    assert all(count >= binary.MIN_PER_BIN for _, _, count in found)
    if sum(counts) < binary.MIN_PER_BIN:
        assert found == []
        return
    assert sum(count for *_, count in found) == sum(counts)
    for at in (0, 1):
        assert sum(each[at] * each[2] for each in found) == pytest.approx(sum(each[at] * each[2] for each in bins))


def test_a_registered_bin_of_one_row_is_not_drawn():
    bins = [{"predicted": 0.1, "observed": {"value": 0.1}, "rows": 50}]
    bins.append({"predicted": 0.97, "observed": {"value": 1.0}, "rows": 1})
    assert [count for *_, count in read(of_binary(calibration=bins)).calibration] == [51]
