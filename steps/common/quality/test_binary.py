"""Every metric is held against another's computation: scikit-learn's, the formula itself, or a published number."""

import numpy as np
import pytest

from steps.common.quality import binary, ranking
from steps.common.quality.intervals import around, wilson

peer = pytest.importorskip("sklearn.metrics")


def scored(rows: int, seed: int, digits: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities, many of them equal."""
    random = np.random.default_rng(seed)
    labels = (random.random(rows) < 0.4).astype(float)
    scores = np.round(np.clip(0.35 * labels + 0.65 * random.random(rows), 0, 1), digits)
    labels[:4] = 0, 0, 1, 1
    return labels, scores


def measured(labels: np.ndarray, scores: np.ndarray) -> dict:
    return binary.members(binary.Rows.at(0.5, labels, scores))


CASES = [scored(rows, seed, digits) for seed, (rows, digits) in enumerate([(4, 2), (30, 1), (156, 2), (1000, 2)])]


@pytest.mark.parametrize("case", range(len(CASES)))
def test_metrics_are_scikit_learns(case):
    labels, scores = CASES[case]
    found = measured(labels, scores)
    predicted = scores >= 0.5
    expected = {
        "auc": peer.roc_auc_score(labels, scores),
        "average_precision": peer.average_precision_score(labels, scores),
        "brier": peer.brier_score_loss(labels, scores),
        "log_loss": peer.log_loss(labels, scores),
        "accuracy": peer.accuracy_score(labels, predicted),
        "precision": peer.precision_score(labels, predicted, zero_division=0),
        "recall": peer.recall_score(labels, predicted),
        "f0_5": peer.fbeta_score(labels, predicted, beta=0.5, zero_division=0),
        "f1": peer.f1_score(labels, predicted, zero_division=0),
        "f2": peer.fbeta_score(labels, predicted, beta=2, zero_division=0),
    }
    assert {name: found[name]["value"] for name in expected} == pytest.approx(expected, abs=1e-12)
    matrix = peer.confusion_matrix(labels, predicted)
    assert [[found["confusion_matrix"][a][b] for b in "01"] for a in "01"] == matrix.tolist()
    assert found["true_negative_rate"]["value"] == pytest.approx(matrix[0, 0] / matrix[0].sum())
    assert found["false_positive_rate"]["value"] == pytest.approx(matrix[0, 1] / matrix[0].sum())
    assert found["false_negative_rate"]["value"] == pytest.approx(matrix[1, 0] / matrix[1].sum())


@pytest.mark.parametrize("case", range(len(CASES)))
def test_curves_are_scikit_learns(case):
    labels, scores = CASES[case]
    false_rates, true_rates, _ = peer.roc_curve(labels, scores, drop_intermediate=False)
    precisions, recalls, _ = peer.precision_recall_curve(labels, scores)
    found = measured(labels, scores)
    roc, curve = found["receiver_operating_characteristic_curve"], found["precision_recall_curve"]
    # As Spark's, SageMaker's first curve ends twice, and the second one begins with the first threshold's precision.
    assert roc["false_positive_rates"] == pytest.approx([*false_rates, 1])
    assert roc["true_positive_rates"] == pytest.approx([*true_rates, 1])
    assert curve["precisions"] == pytest.approx([precisions[-2], *precisions[-2::-1]])
    assert curve["recalls"] == pytest.approx(recalls[::-1])


def placements(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Structural components by their definition: each pair of a positive and a negative row is looked at."""
    positive, negative = scores[labels == 1, np.newaxis], scores[labels == 0]
    wins = (positive > negative) + (positive == negative) / 2
    return wins.mean(axis=1), wins.mean(axis=0)


@pytest.mark.parametrize("case", range(len(CASES)))
def test_delongs_interval_is_the_direct_computation(case):
    labels, scores = CASES[case]
    other = np.random.default_rng(99).permutation(scores)
    (by_positive, by_negative), (other_positive, other_negative) = placements(labels, scores), placements(labels, other)
    n, m = len(by_positive), len(by_negative)
    variance = by_positive.var(ddof=1) / n + by_negative.var(ddof=1) / m
    area = measured(labels, scores)["auc"]
    assert area["value"] == pytest.approx(by_positive.mean())
    assert area["standard_deviation"] == pytest.approx(variance**0.5)
    assert area["upper"] == pytest.approx(min(area["value"] + 1.959964 * variance**0.5, 1))
    assert area["lower"] == pytest.approx(max(area["value"] - 1.959964 * variance**0.5, 0))
    difference = binary.difference(labels, scores, other)
    variance = (by_positive - other_positive).var(ddof=1) / n + (by_negative - other_negative).var(ddof=1) / m
    assert difference.value == pytest.approx(by_positive.mean() - other_positive.mean())
    assert difference.upper - difference.lower == pytest.approx(2 * 1.959964 * variance**0.5)


def test_delongs_interval_covers_what_it_should():
    random = np.random.default_rng(7)
    labels = np.repeat([0.0, 1.0], 60)
    truth = 0.7602  # Of two normal distributions one standard deviation apart: Φ(1/√2).
    held = 0
    for _ in range(400):
        area = around(*ranking.auc_and_deviation(labels, random.normal(size=120) + labels))
        held += area.lower <= truth <= area.upper
    assert 0.92 < held / 400 < 0.98


def test_a_model_is_no_better_than_itself():
    labels, scores = CASES[2]
    assert vars(binary.difference(labels, scores, scores)) == {"value": 0, "lower": 0, "upper": 0}


def test_wilsons_interval_is_the_published_one():
    # Newcombe, Statistics in Medicine 17 (1998) 857-872, table I: 81 of 263 and 0 of 20.
    found = wilson(81, 263)
    assert (round(found.lower, 4), round(found.upper, 4)) == (0.2553, 0.3662)
    found = wilson(0, 20)
    assert (round(found.lower, 4), round(found.upper, 4)) == (0, 0.1611)


def test_calibration_sorts_rows_into_tenths_and_joins_the_small_ones():
    scores = np.repeat([0.0, 0.05, 0.15, 0.95, 1.0, 0.5], [3, 3, 2, 4, 1, 7])
    labels = np.array([0] * 6 + [0, 1] + [1] * 5 + [0, 1, 1, 1, 0, 0, 0], float)
    found = [(round(each.predicted, 4), each.observed, each.rows) for each in binary.calibration(labels, scores)]
    assert found == [(0.025, 0.0, 6), (pytest.approx(3.8 / 9, abs=1e-4), pytest.approx(4 / 9), 9), (0.96, 1.0, 5)]
    written = measured(labels, scores)["calibration"]
    assert [each["rows"] for each in written] == [6, 9, 5]
    assert [each["observed"]["value"] for each in written] == pytest.approx([0, 4 / 9, 1])
    assert written[1]["observed"] == vars(wilson(4, 9))


def test_probabilities_of_nought_and_one_keep_the_loss_finite():
    labels = np.array([0, 1, 0, 1], float)
    assert binary.log_loss(labels, labels) == pytest.approx(0)
    assert np.isfinite(binary.log_loss(labels, 1 - labels))


DOCUMENTED = {
    "confusion_matrix", "recall", "precision", "accuracy", "recall_best_constant_classifier",
    "precision_best_constant_classifier", "accuracy_best_constant_classifier", "true_positive_rate",
    "true_negative_rate", "false_positive_rate", "false_negative_rate", "receiver_operating_characteristic_curve",
    "precision_recall_curve", "auc", "f0_5", "f1", "f2", "f0_5_best_constant_classifier",
    "f1_best_constant_classifier", "f2_best_constant_classifier",
}  # fmt: skip
"""Fields of the developer guide's example of binary classification metrics."""


def test_every_documented_field_is_there():
    found = measured(*CASES[1])
    assert not DOCUMENTED - set(found)
    for name in DOCUMENTED - {"confusion_matrix", "receiver_operating_characteristic_curve", "precision_recall_curve"}:
        assert not {"value", "standard_deviation"} - set(found[name])


def test_the_constant_classifier_is_the_documented_one():
    # The guide's example: three negative rows and a positive one.
    always = binary.of_matrix(np.array([[0.0, 3, 0, 1]]))
    assert [always[name][0] for name in ("f0_5", "f1", "f2")] == pytest.approx([0.29411764705882354, 0.4, 0.625])
    labels, scores = np.array([0.0, 0, 0, 0, 0, 0, 1, 1]), np.array([0.1, 0.1, 0.6, 0.6, 0.6, 0.6, 0.9, 0.9])
    found = {name: metric["value"] for name, metric in measured(labels, scores).items() if "value" in metric}
    assert found["recall_best_constant_classifier"] == 1
    assert found["precision_best_constant_classifier"] == found["accuracy_best_constant_classifier"] == 0.25
    assert (found["recall"], found["precision"], found["accuracy"]) == (1, pytest.approx(1 / 3), 0.5)
    assert (found["f0_5"], found["f1"], found["f2"]) == pytest.approx((0.3846153846153846, 0.5, 0.7142857142857143))
