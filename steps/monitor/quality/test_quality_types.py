"""Classes and numbers: the documented metrics, each form of input for each problem type, and what is concluded."""

import json
import math

import numpy as np
import pytest

from steps.common.quality import binary, ranking
from steps.monitor.conftest import (
    BINARY,
    CLASSES,
    DRAWS,
    JOB,
    KEYS,
    MULTICLASS,
    REGRESSION,
    WORSE,
    classified,
    give,
    measured,
    members,
    page,
    register,
    scored,
)
from steps.monitor.quality import problems
from steps.monitor.quality.regression import Regression

DOCUMENTED_MULTICLASS = {
    "accuracy": 0.6288167938931297,
    "weighted_recall": 0.6288167938931297,
    "weighted_precision": 0.6983172269629505,
    "weighted_f0_5": 0.6803947317178771,
    "weighted_f1": 0.6571162346664904,
    "weighted_f2": 0.6384024354394601,
    "accuracy_best_constant_classifier": 0.19370229007633588,
    "weighted_recall_best_constant_classifier": 0.19370229007633588,
    "weighted_precision_best_constant_classifier": 0.03752057718081697,
    "weighted_f0_5_best_constant_classifier": 0.04473443104152011,
    "weighted_f1_best_constant_classifier": 0.06286421244683643,
    "weighted_f2_best_constant_classifier": 0.10570313141262414,
}
DOCUMENTED_MATRIX = {"0": {"0": 1180, "1": 510}, "1": {"0": 268, "1": 138}}
DOCUMENTED_BINARY = {
    "recall": 1.0,
    "precision": 0.3333333333333333,
    "accuracy": 0.5,
    "recall_best_constant_classifier": 1.0,
    "precision_best_constant_classifier": 0.25,
    "accuracy_best_constant_classifier": 0.25,
    "true_positive_rate": 1.0,
    "true_negative_rate": 0.33333333333333337,
    "false_positive_rate": 0.6666666666666666,
    "false_negative_rate": 0.0,
    "f0_5": 0.3846153846153846,
    "f1": 0.5,
    "f2": 0.7142857142857143,
    "f0_5_best_constant_classifier": 0.29411764705882354,
    "f1_best_constant_classifier": 0.4,
    "f2_best_constant_classifier": 0.625,
}
DOCUMENTED_REGRESSION = {
    "mae": 0.3711832061068702,
    "mse": 0.3711832061068702,
    "rmse": 0.609248066149471,
    "r2": -1.3766111872212665,
}
"""docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-model-quality-metrics.html: both are of the same rows."""


def documented_rows() -> tuple[list[int], list[int]]:
    cells = [(int(a), int(b), n) for a, row in DOCUMENTED_MATRIX.items() for b, n in row.items()]
    return [a for a, _, n in cells for _ in range(n)], [b for _, b, n in cells for _ in range(n)]


@pytest.mark.parametrize("worse", [False, True])
@pytest.mark.parametrize("form", ["joined", "merged", "json", "header", "csv"])
@pytest.mark.parametrize("kind", DRAWS)
def test_each_problem_type_in_each_form_of_input(job, kind, form, worse):
    baseline = register(job, {f"{KEYS[kind]}_metrics": members(kind, *DRAWS[kind](400, 5))})
    labels, predictions = DRAWS[kind](400, **(WORSE[kind] if worse else {}))
    dataset, settings = give(job, form, labels, predictions, kind)
    assert job.run(dataset, problem_type=kind, baseline_statistics=baseline, **settings) == 0
    verdict = job.container.read("verdict.json")
    assert verdict["drift"] is worse and verdict["rows"] == 400
    assert verdict["sentence"].startswith("Drift: " if worse else "No drift: the model is as good as it was; ")
    found = job.container.read("statistics.json")[f"{KEYS[kind]}_metrics"]
    expected = members(kind, labels, predictions)
    assert found.keys() == expected.keys()
    for name in found:
        if "value" in found[name]:
            assert found[name]["value"] == pytest.approx(expected[name]["value"], abs=1e-6)


def test_the_documented_example_of_several_classes():
    labels, predicted = documented_rows()
    found = members(MULTICLASS, [str(each) for each in labels], [str(each) for each in predicted])
    assert found["confusion_matrix"] == DOCUMENTED_MATRIX
    values = {name: each["value"] for name, each in found.items() if "value" in each}
    assert values == pytest.approx(DOCUMENTED_MULTICLASS, rel=1e-14)


def test_the_documented_example_of_two_classes():
    labels, predicted = np.array([0, 0, 0, 1]), np.array([0, 1, 1, 1])
    found = binary.members(binary.Rows(labels, predicted))
    assert found.pop("confusion_matrix") == {"0": {"0": 1, "1": 2}, "1": {"0": 0, "1": 1}}
    assert {name: each["value"] for name, each in found.items()} == pytest.approx(DOCUMENTED_BINARY, rel=1e-14)


def test_curves_have_a_point_for_each_threshold():
    labels, probabilities = scored(500, 5)
    labels, probabilities = np.array(labels), np.round(probabilities, 2)
    found = ranking.curves(labels, probabilities)
    roc, recall = found["receiver_operating_characteristic_curve"], found["precision_recall_curve"]
    at = [probabilities >= threshold for threshold in np.unique(probabilities)[::-1]]
    recalls = [message[labels == 1].mean() for message in at]
    precisions = [labels[message].mean() for message in at]
    assert roc["false_positive_rates"] == pytest.approx([0, *(message[labels == 0].mean() for message in at), 1])
    assert roc["true_positive_rates"] == pytest.approx([0, *recalls, 1])
    assert recall["precisions"] == pytest.approx([precisions[0], *precisions])
    assert recall["recalls"] == pytest.approx([0, *recalls])


def test_a_curve_of_many_thresholds_retains_its_area():
    labels, probabilities = (np.array(part) for part in scored(5_000, 5))
    roc = ranking.curves(labels, probabilities)["receiver_operating_characteristic_curve"]
    assert len(roc["true_positive_rates"]) == ranking.POINTS + 2
    area = np.trapezoid(roc["true_positive_rates"], roc["false_positive_rates"])
    assert area == pytest.approx(ranking.auc_and_deviation(labels, probabilities)[0], abs=0.005)


def test_the_documented_example_of_numbers():
    found = members(REGRESSION, *documented_rows())
    values = {name: found[name]["value"] for name in DOCUMENTED_REGRESSION}
    assert values == pytest.approx(DOCUMENTED_REGRESSION, rel=1e-12)


def test_deviations_are_the_spread_of_many_draws():
    for kind, names in ((MULTICLASS, ("accuracy", "weighted_f1")), (REGRESSION, ("mae", "mse", "rmse", "r2", "bias"))):
        found = [members(kind, *DRAWS[kind](400, seed)) for seed in range(120)]
        for name in names:
            spread = np.std([each[name]["value"] for each in found])
            assert np.mean([each[name]["standard_deviation"] for each in found]) == pytest.approx(spread, rel=0.2)


@pytest.mark.parametrize("worse", [False, True])
@pytest.mark.parametrize("kind", [MULTICLASS, REGRESSION])
def test_a_baseline_of_awss_analyzer_is_enough(job, kind, worse):
    own = members(kind, *DRAWS[kind](400, 5))
    documented = DOCUMENTED_REGRESSION if kind == REGRESSION else ("confusion_matrix", *DOCUMENTED_MULTICLASS)
    content = {f"{KEYS[kind]}_metrics": {name: own[name] for name in documented}, "dataset": {"item_count": 400}}
    dataset, settings = give(job, "merged", *DRAWS[kind](400, **(WORSE[kind] if worse else {})), kind)
    baseline = register(job, content)
    assert job.run(dataset, problem_type=kind, baseline_statistics=baseline, **settings) == 0
    assert job.container.read("verdict.json")["drift"] is worse


def test_a_baseline_that_does_not_say_its_rows():
    given = {name: {"value": value, "standard_deviation": 0.004} for name, value in DOCUMENTED_REGRESSION.items()}
    assert Regression(JOB).baseline_metrics(given, 0).rows == 200
    few = {name: each | {"standard_deviation": "NaN"} for name, each in given.items()}
    assert Regression(JOB).baseline_metrics(few, 0).rows == 20


def limits(kind: str, content: dict) -> dict:
    return {"version": 0.0, f"{KEYS[kind]}_constraints": content}


LIMITS = {
    MULTICLASS: {
        "accuracy": {"threshold": 0.8, "comparison_operator": "LessThanThreshold"},
        "weighted_f2": {"threshold": 0.8, "comparison_operator": "LessThanThreshold"},
        "accuracy_best_constant_classifier": {"threshold": 0.9, "comparison_operator": "LessThanThreshold"},
    },
    REGRESSION: {
        "mae": {"threshold": 4.5, "comparison_operator": "GreaterThanThreshold"},
        "mse": {"threshold": 30.0, "comparison_operator": "GreaterThanThreshold"},
        "rmse": {"threshold": 5.5, "comparison_operator": "GreaterThanThreshold"},
        "r2": {"threshold": 0.85, "comparison_operator": "LessThanThreshold"},
    },
}


@pytest.mark.parametrize("worse", [False, True])
@pytest.mark.parametrize("kind", LIMITS)
def test_constraints_of_awss_form(job, kind, worse):
    file = job.container.root / "processing/input/constraints.json"
    file.write_text(json.dumps(limits(kind, LIMITS[kind])))
    change = ({"right": 0.6} if kind == MULTICLASS else {"error": 11.0}) if worse else {}
    dataset, settings = give(job, "merged", *DRAWS[kind](400, **change), kind)
    where = "/opt/ml/processing/input/constraints.json"
    assert job.run(dataset, problem_type=kind, baseline_constraints=where, **settings) == 0
    found = {each["metric_name"]: each for each in job.container.read("constraint_violations.json")["violations"]}
    expected = {name for name in LIMITS[kind] if "constant" not in name} if worse else set()
    assert set(found) == expected
    for name, each in found.items():
        assert each["constraint_check_type"] == LIMITS[kind][name]["comparison_operator"]


@pytest.mark.parametrize("kind", LIMITS)
def test_suggested_constraints_and_published_metrics_are_the_documented_ones(job, kind):
    dataset, settings = give(job, "csv", *DRAWS[kind](100), kind)
    assert job.run(dataset, problem_type=kind, publish_cloudwatch_metrics="Enabled", **settings) == 0
    suggested = job.container.read("constraints.json")[f"{KEYS[kind]}_constraints"]
    names = set(DOCUMENTED_REGRESSION if kind == REGRESSION else DOCUMENTED_MULTICLASS)
    assert set(suggested) == names
    above = {name for name, each in suggested.items() if each["comparison_operator"] == "GreaterThanThreshold"}
    assert above == ({"mae", "mse", "rmse"} if kind == REGRESSION else set())
    file = job.container.root / "output/metrics/cloudwatch/cloudwatch_metrics.jsonl"
    published = {json.loads(line)["MetricName"] for line in file.read_text().splitlines()}
    assert published == names | {"violations"} | ({"bias"} if kind == REGRESSION else set())


def test_a_class_that_is_lost_is_seen_though_it_is_rare(job):
    before = members(MULTICLASS, *classified(2000, 5))
    baseline = register(job, {"multiclass_classification_metrics": before})
    labels, predicted = classified(600, right=0.9)
    lost = [
        CLASSES[0] if a == CLASSES[2] and i % 3 else p for i, (a, p) in enumerate(zip(labels, predicted, strict=True))
    ]
    dataset, settings = give(job, "merged", labels, lost, MULTICLASS)
    assert job.run(dataset, problem_type=MULTICLASS, baseline_statistics=baseline, **settings) == 0
    found = {each["metric_name"]: each for each in job.container.read("constraint_violations.json")["violations"]}
    assert "unclear" in found["class_recall"]["description"]
    assert "unclear" not in job.container.message, "a message holds no value of a row"


def test_a_class_that_labels_never_have_is_counted(job):
    labels, predicted = classified(100)
    predicted[3] = "other"
    dataset, settings = give(job, "joined", labels, predicted, MULTICLASS)
    assert job.run(dataset, problem_type=MULTICLASS, **settings) == 0
    found = job.container.read("statistics.json")["multiclass_classification_metrics"]["confusion_matrix"]
    assert found[labels[3]]["other"] == 1 and sum(found["other"].values()) == 0
    assert "predicted other" in page(job.container)


def test_predicted_labels_of_two_classes_without_probabilities(job):
    labels, probabilities = scored(300)
    baseline = register(job, {"binary_classification_metrics": members(BINARY, *scored(300, 5))})
    for skill, drift in ((1.0, False), (0.3, True)):
        labels, probabilities = scored(300, skill=skill)
        dataset, settings = give(job, "merged", labels, [int(p >= 0.5) for p in probabilities], REGRESSION)
        assert job.run(dataset, problem_type=BINARY, baseline_statistics=baseline, **settings) == 0
        assert job.container.read("verdict.json")["drift"] is drift
        assert "; accuracy 0." in job.container.message
        assert "auc" not in job.container.read("statistics.json")["binary_classification_metrics"]
        assert "Confusion matrix" in page(job.container)


def test_predicted_labels_beside_probabilities_make_the_matrix(job):
    labels, probabilities = scored(100)
    job.container.setenv("ground_truth_source", "")
    job.container.write([[p, 1, label] for label, p in zip(labels, probabilities, strict=True)])
    settings = {"probability_attribute": "0", "inference_attribute": "1", "ground_truth_attribute": "2"}
    assert job.run(**settings) == 0
    found = job.container.read("statistics.json")["binary_classification_metrics"]
    assert found["confusion_matrix"]["0"]["0"] == 0 and found["auc"]["value"] > 0.8


def test_equal_labels_leave_r2_undefined_and_say_so(job):
    baseline = register(job, {"regression_metrics": members(REGRESSION, *measured(200))})
    file = job.container.root / "processing/input/constraints.json"
    file.write_text(json.dumps(limits(REGRESSION, LIMITS[REGRESSION])))
    dataset, settings = give(job, "csv", [0.1] * 100, [0.1 + i % 3 for i in range(100)], REGRESSION)
    settings |= {"baseline_constraints": "/opt/ml/processing/input/constraints.json"}
    settings |= {"publish_cloudwatch_metrics": "Enabled", "baseline_statistics": baseline}
    assert job.run(dataset, problem_type=REGRESSION, **settings) == 0
    assert job.container.message.endswith("R² is undefined, because all labels are equal.")
    found = job.container.read("statistics.json")["regression_metrics"]["r2"]
    assert found == {"value": "NaN", "standard_deviation": "NaN"}
    assert '"r2"' not in (job.container.root / "output/metrics/cloudwatch/cloudwatch_metrics.jsonl").read_text()
    assert "Metric r2 is undefined here." in page(job.container)


def test_a_perfect_model_is_no_error(job):
    baseline = register(job, {"regression_metrics": members(REGRESSION, [1.0, 2.0] * 50, [1.0, 2.0] * 50)})
    for change, drift in ((0.0, False), (1.0, True)):
        labels = [float(i % 7) for i in range(100)]
        dataset, settings = give(job, "csv", labels, [each + change for each in labels], REGRESSION)
        assert job.run(dataset, problem_type=REGRESSION, baseline_statistics=baseline, **settings) == 0
        assert job.container.read("verdict.json")["drift"] is drift


def test_a_fall_of_r2_in_many_rows_is_quick_and_seen():
    problem = Regression(JOB)
    before = problem.baseline_metrics(members(REGRESSION, *measured(5_000, 5)), 5_000)
    for error, worse in ((5.0, False), (6.0, True)):
        comparisons = problem.compare(problem.rows(*measured(20_000, 6, error)), before)
        problems.correct(comparisons)
        assert {comparison.name for comparison in comparisons if comparison.violated} == (
            {"mae", "rmse", "r2"} if worse else set()
        )
    assert math.isclose(before.rmse, 5, rel_tol=0.05)
