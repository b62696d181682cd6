"""Classes, numbers, ranks and intervals: each metric is SciPy's, scikit-learn's, the formula's or a published one."""

import itertools
import math

import numpy as np
import pytest

from steps.common.quality import binary, intervals, multiclass, ranking, regression
from steps.common.quality.members import Bin, is_known, member, number

peer = pytest.importorskip("sklearn.metrics")
stats = pytest.importorskip("scipy.stats")


def classes(rows: int, seed: int, names=("0", "1", "2", "11")) -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(seed)
    labels = rng.choice(len(names), rows, p=(0.45, 0.3, 0.2, 0.05))
    predicted = np.where(rng.random(rows) < 0.8, labels, rng.integers(0, len(names), rows))
    return [names[each] for each in labels], [names[each] for each in predicted]


def numbers(rows: int, seed: int) -> regression.Rows:
    rng = np.random.default_rng(seed)
    predictions = rng.gamma(8, 5, rows)
    return regression.Rows(predictions + rng.normal(0.5, 5, rows), predictions)


@pytest.mark.parametrize(("rows", "seed"), [(12, 1), (40, 2), (500, 3)])
def test_classes_are_measured_as_scikit_learn_does(rows, seed):
    labels, predicted = classes(rows, seed)
    found = multiclass.members(multiclass.of(labels, predicted))
    names = ["0", "1", "2", "11"]
    present = [name for name in names if name in {*labels, *predicted}]
    assert list(found["confusion_matrix"]) == present
    matrix = peer.confusion_matrix(labels, predicted, labels=present).tolist()
    assert [[found["confusion_matrix"][a][b] for b in present] for a in present] == matrix
    assert found["accuracy"]["value"] == pytest.approx(peer.accuracy_score(labels, predicted))
    for beta, name in ((0.5, "f0_5"), (1, "f1"), (2, "f2")):
        precision, recall, score, _ = peer.precision_recall_fscore_support(
            labels, predicted, beta=beta, average="weighted", zero_division=0
        )
        assert found[f"weighted_{name}"]["value"] == pytest.approx(score)
        assert found["weighted_precision"]["value"] == pytest.approx(precision)
        assert found["weighted_recall"]["value"] == pytest.approx(recall)
    always = [present[-1]] * rows
    assert found["accuracy_best_constant_classifier"]["value"] == pytest.approx(peer.accuracy_score(labels, always))
    score = peer.f1_score(labels, always, average="weighted", zero_division=0)
    assert found["weighted_f1_best_constant_classifier"]["value"] == pytest.approx(score)
    assert found["accuracy_best_constant_classifier"]["standard_deviation"] == "NaN"


def test_the_deviation_of_an_accuracy_is_the_binomial_one():
    labels, predicted = classes(400, 5)
    accuracy = multiclass.members(multiclass.of(labels, predicted))["accuracy"]
    expected = math.sqrt(accuracy["value"] * (1 - accuracy["value"]) / 400)
    assert accuracy["standard_deviation"] == pytest.approx(expected, rel=0.06)


def test_classes_are_ordered_as_numbers_and_then_as_texts():
    assert multiclass.ordered(["b", "10", "2", "-1", "a", "nan", "2.5"]) == ["-1", "2", "2.5", "10", "a", "b", "nan"]


def test_a_matrix_stands_among_more_classes():
    matrix = multiclass.of(["b", "a", "b"], ["b", "c", "a"])
    assert matrix.classes == ["a", "b", "c"]
    assert matrix.counts.tolist() == [[0, 0, 1], [1, 1, 0], [0, 0, 0]]
    assert matrix.over(["a", "aa", "b", "c"]).tolist() == [[0, 0, 0, 1], [0] * 4, [1, 0, 1, 0], [0] * 4]


def test_large_matrices_are_drawn_less_often_and_in_pieces():
    assert multiclass.sizes(4) == [4_000]
    assert multiclass.sizes(1_000) == [2_000, 2_000]
    assert multiclass.sizes(10_000) == [200] * 20
    assert sum(multiclass.sizes(20_000)) == 2_000
    assert sum(multiclass.sizes(1_000_000)) == 400 and set(multiclass.sizes(1_000_000)) == {2}
    assert multiclass.sizes(3_000_000) == [1] * 400


@pytest.mark.parametrize(("rows", "seed"), [(9, 1), (251, 2), (2_000, 3)])
def test_numbers_are_measured_as_scikit_learn_does(rows, seed):
    given = numbers(rows, seed)
    found = regression.members(given)
    root = math.sqrt(rows)
    errors = given.labels - given.predictions
    expected = {
        "mae": (peer.mean_absolute_error(given.labels, given.predictions), np.abs(errors).std(ddof=1) / root),
        "mse": (peer.mean_squared_error(given.labels, given.predictions), (errors**2).std(ddof=1) / root),
        "bias": (errors.mean(), errors.std(ddof=1) / root),
    }
    for name, (value, deviation) in expected.items():
        assert found[name] == pytest.approx({"value": value, "standard_deviation": deviation})
    rmse = math.sqrt(expected["mse"][0])
    assert found["rmse"] == pytest.approx({"value": rmse, "standard_deviation": expected["mse"][1] / (2 * rmse)})
    assert found["r2"]["value"] == pytest.approx(peer.r2_score(given.labels, given.predictions))
    assert sum(found["residuals"]["rows"]) == rows
    edges = [-np.inf, *(edge * rmse for edge in regression.RESIDUALS), np.inf]
    assert found["residuals"]["rows"] == [((errors >= a) & (errors < b)).sum() for a, b in itertools.pairwise(edges)]


def test_the_deviation_of_r2_is_the_spread_of_many_samples():
    drawn = [numbers(300, seed) for seed in range(80)]
    spread = np.std([regression.log_ratio(1 - each.r2) for each in drawn])
    assert np.mean([each.ratio_deviation for each in drawn]) == pytest.approx(spread, rel=0.25)
    given = drawn[0]
    expected = (1 - given.r2) * given.ratio_deviation
    assert regression.members(given)["r2"]["standard_deviation"] == pytest.approx(expected)
    order = np.random.default_rng(1).permutation(300)
    other = regression.Rows(given.labels[order], given.predictions[order])
    assert other.ratio_deviation == pytest.approx(given.ratio_deviation, rel=0.25)


def test_what_has_no_spread_has_no_r2():
    equal = regression.Rows(np.full(30, 0.1), np.linspace(0, 0.2, 30))
    assert math.isnan(equal.r2) and regression.members(equal)["r2"] == {"value": "NaN", "standard_deviation": "NaN"}
    perfect = regression.Rows(np.arange(30.0), np.arange(30.0))
    found = regression.members(perfect)
    assert found["r2"]["value"] == 1 and found["rmse"] == {"value": 0.0, "standard_deviation": 0.0}
    assert sum(found["residuals"]["rows"]) == 30 and regression.log_ratio(0.0) == pytest.approx(math.log(1e-12))
    nearly = regression.Rows(np.array([1e6, 1e6 + 1]), np.array([1e6, 1e6]))
    assert nearly.r2 == pytest.approx(-1.0)


def test_bins_of_numbers_hold_about_as_many_rows_each():
    bins = numbers(203, 1).calibration
    assert len(bins) == 10 and sum(each.rows for each in bins) == 203
    assert all(19 <= each.rows <= 22 for each in bins)
    assert [each.predicted for each in bins] == sorted(each.predicted for each in bins)
    tied = regression.Rows(np.arange(40.0), np.repeat([1.0, 2.0], [37, 3]))
    assert tied.calibration == [Bin(1.075, 19.5, 40)]
    assert numbers(4, 1).calibration == [] and len(numbers(5, 1).calibration) == 1
    assert len(numbers(14, 1).calibration) == 2 and len(numbers(15, 1).calibration) == 3
    given = numbers(20, 4)
    order = np.argsort(given.predictions)
    first = given.calibration[0]
    assert first == pytest.approx((given.predictions[order[:5]].mean(), given.labels[order[:5]].mean(), 5))


@pytest.mark.parametrize("seed", range(4))
def test_the_auc_is_mann_whitneys(seed):
    rng = np.random.default_rng(seed)
    one, two = rng.normal(0.5, 1, 30).round(1), rng.normal(0, 1, 50).round(1)
    expected = stats.mannwhitneyu(one, two).statistic / 1_500
    assert ranking.auc(one, two) == pytest.approx(expected)
    labels, scores = np.repeat([1, 0], [30, 50]), np.concatenate([one, two])
    assert ranking.auc_and_deviation(labels, scores)[0] == pytest.approx(expected)
    assert ranking.placements(np.array([1.0, 2.0]), np.array([0.0, 1.0, 3.0, 3.0])).tolist() == [0.375, 0.5]


def test_hanleys_deviation_is_the_published_one():
    # Hanley and McNeil 1982: 51 abnormal and 58 normal images, an area of 0.893.
    assert ranking.hanley(0.893, 51, 58) == pytest.approx(0.0325, abs=5e-5)
    assert ranking.hanley(1.0, 5, 7) == 0.0
    assert ranking.hanley(0.6, 1, 1) == pytest.approx(math.sqrt(0.24))


def test_a_long_curve_holds_some_of_its_points():
    rng = np.random.default_rng(1)
    scores = rng.permutation(3_000) / 3_000
    labels = (rng.random(3_000) < scores).astype(int)
    found = ranking.curves(labels, scores)
    roc, curve = found["receiver_operating_characteristic_curve"], found["precision_recall_curve"]
    assert {len(each) for each in roc.values()} == {ranking.POINTS + 2}
    assert {len(each) for each in curve.values()} == {ranking.POINTS + 1}
    area = np.trapezoid(roc["true_positive_rates"], roc["false_positive_rates"])
    assert area == pytest.approx(peer.roc_auc_score(labels, scores), abs=0.005)
    assert curve["recalls"][-1] == 1.0 and curve["precisions"][-1] == pytest.approx(labels.mean())


def test_a_curve_of_as_many_points_as_may_be_is_whole():
    labels, scores = np.array([0, 1] * 100), np.arange(200) / 200
    assert len(ranking.curves(labels, scores)["precision_recall_curve"]["recalls"]) == 201
    labels, scores = np.array([0, 1] * 101), np.arange(202) / 202
    assert len(ranking.curves(labels, scores)["precision_recall_curve"]["recalls"]) == 201


@pytest.mark.parametrize(("hits", "rows"), [(0, 1), (1, 1), (0, 20), (81, 263), (20, 20), (3, 7)])
def test_wilsons_interval_is_scipys(hits, rows):
    found = intervals.wilson(hits, rows)
    expected = stats.binomtest(hits, rows).proportion_ci(method="wilson")
    assert (found.value, found.lower, found.upper) == pytest.approx(
        (hits / rows, expected.low, expected.high), abs=1e-9
    )


def test_a_normal_interval_is_cut_to_what_can_be():
    assert vars(intervals.around(0.5, 0.1)) == pytest.approx({"value": 0.5, "lower": 0.3040036, "upper": 0.6959964})
    assert vars(intervals.around(0.9, 0.1, 0, 1)) == pytest.approx({"value": 0.9, "lower": 0.7040036, "upper": 1.0})
    assert intervals.around(0.05, 0.1, 0, 1).lower == 0
    values = np.array([1.0, 2.0, 4.0, 9.0])
    found = intervals.of_mean(values)
    assert found.value == 4 and found.upper - found.value == pytest.approx(1.9599640 * stats.sem(values))


def test_models_are_compared_row_by_row():
    labels = ["a", "b", "c", "a", "b"]
    found = multiclass.difference(labels, ["a", "b", "c", "a", "c"], ["a", "c", "c", "b", "b"])
    paired = np.array([0.0, 1, 0, 1, -1])
    assert found.value == pytest.approx(0.2)
    assert found.upper - found.value == pytest.approx(1.9599640 * stats.sem(paired))
    truth, one, two = np.array([1.0, 2, 3, 4]), np.array([1.0, 2, 3, 5]), np.array([2.0, 2, 5, 4])
    found = regression.difference(truth, one, two)
    assert found.value == pytest.approx(1.0)  # 5 of squared errors against 1, over four rows.
    assert found.value - found.lower == pytest.approx(1.9599640 * stats.sem(np.array([1.0, 0, 4, -1])))


@pytest.mark.parametrize(
    ("cells", "precision", "recall"),
    [((3, 1, 2, 4), 0.8, 2 / 3), ((0, 0, 0, 5), 1, 1), ((5, 0, 0, 0), 0, 0), ((5, 2, 3, 0), 0, 0)],
)
def test_what_nothing_is_found_of_is_0(cells, precision, recall):
    found = {name: float(value[0]) for name, value in binary.of_matrix(np.array([cells], dtype=float)).items()}
    assert (found["precision"], found["recall"]) == pytest.approx((precision, recall))
    below = precision + recall
    assert found["f1"] == pytest.approx(2 * precision * recall / below if below else 0)
    assert found["accuracy"] == pytest.approx((cells[0] + cells[3]) / sum(cells))


def test_rows_of_predicted_labels_only_have_no_ranks():
    rows = binary.Rows(np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 1, 0]))
    assert rows.confusion.tolist() == [[1, 1], [1, 2]]
    assert "auc" not in binary.members(rows) and "brier" not in binary.members(rows)
    assert binary.Rows.at(0.4, np.array([0, 1]), np.array([0.4, 0.39])).predicted.tolist() == [1, 0]


def test_the_bias_is_label_minus_probability():
    assert binary.bias(np.array([1, 0, 1]), np.array([0.5, 0.5, 0.2])) == pytest.approx(0.8 / 3)


def test_a_member_is_a_number_or_a_text():
    assert member(0.5) == {"value": 0.5, "standard_deviation": "NaN"}
    assert member(math.nan, 0.1) == {"value": "NaN", "standard_deviation": 0.1}
    assert is_known(member(0.5)) and not is_known(member(math.nan)) and not is_known([0.5]) and not is_known({})
    assert number(3) == 3.0 and math.isnan(number("NaN")) and math.isnan(number(None))
