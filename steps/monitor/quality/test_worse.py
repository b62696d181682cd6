"""A model is called worse only where it is: a distance without a direction is no reason to retrain."""

import json

import numpy as np
import pytest

from steps.common.quality import binary, regression
from steps.common.quality.binary import Rows
from steps.monitor.conftest import BINARY, JOB, give, measured, scored
from steps.monitor.quality import problems
from steps.monitor.quality.binary import Binary, read
from steps.monitor.quality.regression import Regression


def calibrated(rows: int, bias: float, seed: int = 1) -> Rows:
    """Return rows of which positives are, on average, so much more frequent than their probabilities say."""
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0.3, 0.7, rows)
    return Rows.at(0.5, (rng.random(rows) < truth).astype(int), truth - bias)


@pytest.mark.parametrize(
    ("before", "now", "worse"),
    [(0.0, 0.12, True), (0.0, -0.12, True), (0.12, 0.0, False), (-0.12, 0.0, False), (0.08, -0.08, False),
     (0.05, 0.15, True), (-0.15, -0.05, False), (-0.02, 0.15, True)],
)  # fmt: skip
def test_only_a_calibration_that_is_farther_from_perfect_is_worse(before, now, worse):
    registered = read(json.loads(json.dumps(binary.members(calibrated(4_000, before)))))
    comparisons = Binary(JOB).compare(calibrated(4_000, now, seed=2), registered)
    problems.correct(comparisons)
    (found,) = [each for each in comparisons if each.name == "calibration"]
    assert found.violated is worse
    assert (found.effect > 0) == (abs(found.now) > abs(found.before))


@pytest.mark.parametrize(("before", "now", "worse"), [(0, 3, True), (0, -3, True), (3, 0, False), (-3, 3, False)])
def test_only_a_bias_that_is_farther_from_nothing_is_worse(before, now, worse):
    def drawn(shift: float, seed: int) -> regression.Rows:
        labels, predictions = (np.array(part) for part in measured(1_000, seed))
        return regression.Rows(labels, predictions - shift)

    problem = Regression(JOB)
    registered = problem.baseline_metrics(json.loads(json.dumps(regression.members(drawn(before, 1)))), 1_000)
    comparisons = problem.compare(drawn(now, 2), registered)
    problems.correct(comparisons)
    assert [each.violated for each in comparisons if each.name == "bias"] == [worse]


def test_a_model_that_only_violates_a_constraint_is_not_called_worse(job):
    dataset, _ = give(job, "joined", *scored(300), BINARY)
    job.register()
    file = job.container.root / "processing/input/constraints.json"
    constraint = {"accuracy": {"threshold": 0.999, "comparison_operator": "LessThanThreshold"}}
    file.write_text(json.dumps({f"{binary.KEY}_constraints": constraint}))
    limits = "/opt/ml/processing/input/constraints.json"
    assert job.run(dataset, baseline_constraints=limits) == 0
    sentence = job.container.read("verdict.json")["sentence"]
    assert sentence.startswith("Drift: the model violates its constraints (accuracy); ")
