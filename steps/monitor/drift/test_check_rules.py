"""Each check's rule on columns made by hand: what it counts, what it allows, and where its line lies."""

import copy

import numpy as np
import pytest
from scipy import stats

from steps.monitor import significance
from steps.monitor.data.histograms import ALL_BITS, Moments, Numbers, Table, Texts
from steps.monitor.drift import checks
from steps.monitor.drift.checks import Check
from steps.monitor.drift.constraints import DEFAULTS, suggest


def numbers(values: dict[float, int], missing: int = 0, mistyped: int = 0, fractional: int = 0) -> Numbers:
    keys = np.array(sorted(values), dtype=float)
    counts = np.array([values[key] for key in sorted(values)], dtype=np.int64)
    total = int(counts.sum())
    mean = float((keys * counts).sum() / total) if total else 0.0
    squares = float((counts * (keys - mean) ** 2).sum())
    moments = Moments(total, mean, squares, float(keys.min()), float(keys.max())) if total else Moments()
    return Numbers(keys, counts, ALL_BITS, missing, mistyped, moments, fractional)


def texts(values: dict[str, int], missing: int = 0) -> Texts:
    return Texts(dict(values), missing, len(values))


def config(**changes) -> dict:
    found = copy.deepcopy(DEFAULTS)
    for name, value in changes.items():
        holder = next(
            part for part in (found, *(each for each in found.values() if isinstance(each, dict))) if name in part
        )
        holder[name] = value
    return found


def ran(batch: dict, baseline: dict, rows: int, before: int, **changes) -> list[Check]:
    table = Table(before, baseline)
    limits = suggest(table)
    limits["monitoring_config"] = config(**changes)
    return checks.run(Table(rows, batch), table, limits)


def of(found: list[Check], what: str) -> Check:
    (check,) = [each for each in found if each.what == what]
    return check


FIVE = {1.0: 60, 2.0: 120, 3.0: 240, 4.0: 120, 5.0: 60}


@pytest.mark.parametrize(
    ("effect", "allowed", "p", "needed", "violated"),
    [
        (0.2, 0.1, None, None, True), (0.1, 0.1, None, None, False), (0.2, 0.1, 0.01, 0.01, True),
        (0.2, 0.1, 0.011, 0.01, False), (0.1, 0.1, 0.001, 0.01, False), (0.2, 0.1, 0.01, None, False),
        (0.05, 0.1, None, None, False),
    ],
)  # fmt: skip
def test_a_check_is_violated_beyond_what_is_allowed_and_what_chance_does(effect, allowed, p, needed, violated):
    assert Check("a", checks.DRIFT, "", p, effect, allowed, needed).violated is violated


@pytest.mark.parametrize(
    ("rows", "least", "most", "violated", "allowed"),
    [
        (5, 5, None, False, "at least 5"), (4, 5, None, True, "at least 5"), (9, 5, 9, False, "5 to 9"),
        (10, 5, 9, True, "5 to 9"), (1, None, 9, False, "None to 9"), (1, 2, 9, True, "2 to 9"),
    ],
)  # fmt: skip
def test_the_rows_of_a_batch_lie_within_both_ends(rows, least, most, violated, allowed):
    found = checks.row_count(rows, {"row_count_constraints": {"minimum": least, "maximum": most}})
    assert found.violated is violated and found.feature == checks.WHOLE_TABLE
    assert found.sentence == f"{rows} row{'s' * (rows != 1)} where {allowed} belong."
    assert (found.kind, found.what, found.effect) == (checks.COMPLETENESS, "number of rows", float(violated))


def test_missing_and_extra_columns_are_violations_of_their_own():
    found = ran({"b": numbers(FIVE), "c": numbers(FIVE)}, {"a": numbers(FIVE), "b": numbers(FIVE)}, 600, 600)
    structure = [(each.feature, each.kind, each.violated) for each in found if "column_check" in each.kind]
    assert structure == [("a", "missing_column_check", True), ("c", "extra_column_check", True)]
    assert {each.feature for each in found if each.feature in "ac"} == {"a", "c"}


def test_nothing_is_checked_where_it_is_disabled():
    same = {"a": numbers(FIVE)}
    assert ran(same, same, 600, 600, evaluate_constraints="Disabled") == []
    kinds = {each.what for each in ran(same, same, 600, 600, perform_comparison="Disabled")}
    assert "distribution" not in kinds and "completeness" in kinds
    table = Table(600, same)
    limits = suggest(table)
    limits["features"][0]["monitoringConfigOverrides"] = {"evaluate_constraints": "Disabled"}
    assert [each.what for each in checks.run(table, table, limits)] == ["number of rows"]
    limits = suggest(table)
    limits["features"][0]["inferred_type"] = "Unknown"
    assert [each.what for each in checks.run(table, table, limits)] == ["number of rows", "completeness"]


@pytest.mark.parametrize(("missing", "before", "rows"), [(9, 20, 48), (1, 0, 48), (0, 20, 48), (48, 20, 48)])
def test_completeness_is_fishers_test_of_the_missing(missing, before, rows):
    column, baseline = (
        numbers({1.0: rows - missing} if missing < rows else {}, missing),
        numbers({1.0: 600 - before}, before),
    )
    settings = config()
    found = checks.completeness("a", column, baseline, {}, settings)
    law = stats.hypergeom(rows + 600, missing + before, rows)
    expected = law.sf(missing) + law.pmf(missing) / 2 if missing else 1.0
    assert found.p_value == pytest.approx(expected)
    assert found.effect == pytest.approx(missing / rows - before / 600)
    assert found.effect_threshold == 0.02 and found.at_fault == missing and found.sql == "cell IS NULL"
    assert found.weight == pytest.approx((missing + before) / (rows + 600))


def test_a_persons_completeness_holds_without_a_test_where_it_is_stricter():
    column, baseline = numbers({1.0: 40}, 8), numbers({1.0: 500}, 100)
    settings = config()
    stricter = checks.completeness("a", column, baseline, {"completeness": 0.9}, settings)
    assert stricter.p_value is None and stricter.violated and stricter.at_fault == 8
    assert stricter.effect == pytest.approx(8 / 48 - 0.1)
    assert stricter.sentence == "16.7 % of a is missing where 10.0 % may be."
    laxer = checks.completeness("a", column, baseline, {"completeness": 0.7}, settings)
    assert laxer.effect_threshold == pytest.approx(0.3 - 100 / 600) and laxer.p_value is not None
    same = checks.completeness("a", column, baseline, {"completeness": 5 / 6}, settings)
    assert same.p_value is not None and same.effect_threshold == 0.02
    assert same.sentence == "16.7 % of a is missing where 16.7 % is in the baseline."


def test_mistyped_cells_have_a_test_where_the_baseline_has_such_cells():
    baseline = numbers(FIVE, missing=50, mistyped=30)
    found = list(checks.data_type("a", numbers({3.0: 40}, missing=2, mistyped=6), baseline, "Fractional", 0.0))
    (check,) = found
    assert check.effect == pytest.approx(6 / 46) and check.effect_threshold == pytest.approx(30 / 630)
    assert check.p_value == pytest.approx(significance.more_than_baseline(6, 46, 30, 630))
    assert check.at_fault == 6 and check.weight == 1.0 and check.sentence.startswith("6 rows hold something else")
    (check,) = checks.data_type("a", numbers({3.0: 40}), baseline, "Fractional", 0.2)
    assert check.p_value is None and check.effect == 0 and check.effect_threshold == 0.2
    (check,) = checks.data_type("a", numbers({3.0: 40}, mistyped=1), texts({"a": 600}), "Fractional", 0.0)
    assert check.p_value is None and check.violated and check.sentence.startswith("1 row holds something")


def test_fractions_count_only_where_the_baseline_has_whole_numbers():
    column = numbers({3.0: 30, 3.5: 10}, fractional=10)
    whole = list(checks.data_type("a", column, numbers(FIVE), "Integral", 0.0))
    assert [each.what for each in whole] == ["type", "fractions"]
    assert whole[1].effect == pytest.approx(0.25) and whole[1].at_fault == 10 and whole[1].violated
    assert whole[1].p_value is None
    assert not list(checks.data_type("a", column, numbers(FIVE), "Integral", 0.25))[1].violated
    assert len(list(checks.data_type("a", column, numbers(FIVE), "Fractional", 0.0))) == 1


@pytest.mark.parametrize(
    ("values", "limits", "outside", "text", "sql"),
    [
        ({0.0: 2, 1.0: 5, 8.0: 5, 9.0: 3}, {"minimum": 1, "maximum": 8}, 5, "outside the constraint's 1 to 8",
         "isfinite(number) AND (number < 1.0 OR number > 8.0)"),
        ({1.0: 5, 8.0: 5}, {"minimum": 1, "maximum": 8}, 0, "outside the constraint's 1 to 8",
         "isfinite(number) AND (number < 1.0 OR number > 8.0)"),
        ({-1.0: 1, 2.0: 5}, {"is_non_negative": True}, 1, "below the constraint's 0",
         "isfinite(number) AND (number < 0.0)"),
        ({-1.0: 1, 2.0: 5}, {"is_non_negative": False}, 0, "beyond no limit", None),
        ({1.0: 1, 12.0: 5}, {"maximum": 9}, 5, "above the constraint's 9", "isfinite(number) AND (number > 9.0)"),
        ({1.0: 1, 12.0: 5}, {"minimum": 2}, 1, "below the constraint's 2", "isfinite(number) AND (number < 2.0)"),
    ],
)  # fmt: skip
def test_numbers_beyond_the_fences_are_counted(values, limits, outside, text, sql):
    found = checks.value_range("a", numbers(values), limits)
    assert found.at_fault == outside and found.effect == pytest.approx(outside / sum(values.values()))
    assert found.sentence == f"{outside} row{'s' * (outside != 1)} hold{'s' * (outside == 1)} a number {text} in a."
    assert found.sql == sql and found.violated is bool(outside) and found.p_value is None


def test_an_end_that_only_the_moments_know_is_counted_too():
    column = numbers({1.0: 10, 5.0: 10})
    column.moments = Moments(20, 3.0, 80.0, -4.0, 9.0)
    assert checks.value_range("a", column, {"minimum": 0, "maximum": 8}).at_fault == 2
    assert checks.value_range("a", column, {"minimum": -4, "maximum": 8}).at_fault == 1
    assert checks.value_range("a", column, {"minimum": -4, "maximum": 9}).at_fault == 0
    assert checks.value_range("a", numbers({}), {"minimum": 0, "maximum": 8}).effect == 0


def test_a_range_of_the_schemas_column_names_the_schemas_domain():
    assert checks.value_range("age", numbers({200.0: 1}), {"minimum": 0, "maximum": 130}).sentence == (
        "1 row holds a number outside the constraint's 0 to 130 in age, where the schema says 18 to 110."
    )
    inside = checks.value_range("age", numbers({20.0: 1}), {"minimum": 0, "maximum": 130})
    assert "schema" not in inside.sentence


def test_unseen_values_are_tested_and_a_persons_domain_is_not():
    column, baseline = numbers({3.0: 40, 55.0: 8}), numbers(FIVE)
    found = checks.unseen("a", column, baseline, 0.02)
    assert found.effect == pytest.approx(8 / 48) and found.at_fault == 8 and found.effect_threshold == 0.02
    assert found.p_value == significance.unseen_values(*checks.aligned(column, baseline)[:2])
    assert found.sql == "number IS NOT NULL AND number NOT IN (1.0, 2.0, 3.0, 4.0, 5.0)"
    letters, before = texts({"a": 40, "c": 8}), texts({"a": 300, "b": 300})
    found = checks.unseen("x", letters, before, 0.02, ["a", "b"])
    assert found.p_value == significance.unseen_values(*checks.aligned(letters, before)[:2]) and found.at_fault == 8
    edited = checks.unseen("x", letters, before, 0.02, ["a", "c"])
    assert edited.p_value is None and edited.at_fault == 0 and not edited.violated
    edited = checks.unseen("x", letters, before, 0.02, ["b"])
    assert edited.at_fault == 48 and edited.violated and edited.sql == "cell IS NOT NULL AND cell NOT IN ('b')"
    assert checks.unseen("x", texts({}), before, 0.02).effect == 0


@pytest.mark.parametrize(("method", "distance", "words"), [
    ("ChiSquared", 0.45, "share of rows that moved to other values"),
    ("LInfinity", 0.35, "largest difference of a value's shares"),
])  # fmt: skip
def test_the_distance_of_categories(method, distance, words):
    column, baseline = texts({"a": 60, "b": 30, "c": 10}), texts({"a": 25, "b": 20, "c": 55})
    settings = config(categorical_drift_method=method)["distribution_constraints"]
    found = checks.drift("x", column, baseline, settings)
    assert found.effect == pytest.approx(0.45) if method == "LInfinity" else found.effect == pytest.approx(distance)
    assert words in found.sentence and found.effect_threshold == 0.05 and found.weight == 1.0
    assert found.p_value == significance.categories_differ(*checks.aligned(column, baseline)[:2])


def test_the_distance_of_numbers_is_that_of_their_cumulative_shares():
    rng = np.random.default_rng(1)
    one, two = rng.normal(0.5, 1, 300), rng.normal(0, 1, 600)
    columns = []
    for part in (one, two):
        keys, counts = np.unique(part.round(2), return_counts=True)
        columns.append(numbers(dict(zip(keys.tolist(), counts.tolist(), strict=True)), fractional=len(part)))
    settings = config()["distribution_constraints"] | {"comparison_threshold": 0.07}
    found = checks.drift("x", *columns, settings)
    assert found.effect == pytest.approx(stats.ks_2samp(one, two).statistic, abs=0.03)
    assert found.effect_threshold == 0.07 and "cumulative" in found.sentence and found.p_value < 1e-6
    assert checks.drift("x", numbers({}), columns[1], settings).effect == 0.0


def test_bins_hold_nearly_equal_pooled_counts_and_all_rows():
    rng = np.random.default_rng(2)
    batch, before = rng.integers(0, 4, 500), rng.integers(0, 9, 500)
    small, large = checks.binned(batch, before)
    assert len(small) == len(large) == checks.MAX_BINS == 48
    assert small.sum() == batch.sum() and large.sum() == before.sum()
    assert np.ptp(small + large) <= 2 * (batch + before).max()
    assert (
        checks.binned(batch[:48], before[:48])[0] is not None and len(checks.binned(batch[:48], before[:48])[0]) == 48
    )
    assert (checks.binned(batch[:48], before[:48])[0] == batch[:48]).all()
    assert len(checks.binned(batch[:49], before[:49])[0]) == 48
    total = (small + large).sum()
    up_to = np.cumsum(batch + before)
    assert np.cumsum(small + large)[0] == up_to[up_to <= total / 48 + 1e-9][-1]


def test_columns_are_aligned_over_all_their_values():
    one, two, values = checks.aligned(numbers({1.0: 2, 3.0: 4}), numbers({2.0: 5, 3.0: 6}))
    assert (one.tolist(), two.tolist(), values) == ([2, 0, 4], [0, 5, 6], [1.0, 2.0, 3.0])
    one, two, values = checks.aligned(texts({"b": 2}), texts({"a": 5, "b": 6}))
    assert (one.tolist(), two.tolist(), values) == ([0, 2], [5, 6], ["a", "b"])
    one, two, values = checks.aligned(numbers({1.0: 2, 2.5: 1}), texts({"1": 5, "x": 6}))
    assert (one.tolist(), two.tolist(), values) == ([2, 1, 0], [5, 0, 6], ["1", "2.5", "x"])


def test_largest_gap():
    gap = checks._largest_gap(np.array([3, 0, 1]), np.array([1, 1, 2]))
    assert gap == pytest.approx(0.5)
    assert checks._largest_gap(np.array([0, 0]), np.array([1, 1])) == 0.0
    assert checks._largest_gap(np.array([1, 1]), np.array([0, 0])) == 0.0


def test_the_level_is_shared_by_completeness_and_the_others():
    def check(kind: str, weight: float) -> Check:
        return Check("a", kind, "", 0.5, 1.0, 0.0, weight=weight)

    found = [
        check(checks.COMPLETENESS, 0.3),
        check(checks.COMPLETENESS, 0.1),
        check(checks.DRIFT, 1),
        check(checks.DRIFT, 1),
    ]
    found.append(Check("a", checks.DRIFT, "", None, 1.0, 0.0))
    checks.correct(found, {"completeness_share": 0.75, "false_alarm_rate": 0.01})
    weights = [0.75 * 0.75, 0.75 * 0.25, 0.125, 0.125]
    assert [each.weight for each in found[:4]] == pytest.approx(weights)
    assert [each.p_threshold for each in found[:4]] == pytest.approx(significance.holm([0.5] * 4, 0.01, weights))
    assert found[4].p_threshold is None
    unweighted = [check(checks.COMPLETENESS, 0), check(checks.COMPLETENESS, 0)]
    checks.correct(unweighted, {"completeness_share": 0.75, "false_alarm_rate": 0.01})
    assert [each.weight for each in unweighted] == pytest.approx([0.375, 0.375])


def test_the_rows_of_a_column_are_all_of_its_cells():
    assert checks.rows_of(numbers(FIVE, missing=5, mistyped=7)) == 612
    assert checks.rows_of(texts({"a": 3}, missing=2)) == 5


def test_a_batch_like_the_baseline_and_one_that_is_not():
    same = {"a": numbers(FIVE), "b": texts({"x": 300, "y": 300})}
    assert not [each for each in ran(same, same, 600, 600) if each.violated]
    assert [each.what for each in ran(same, same, 600, 600)] == [
        "number of rows", "completeness", "type", "fractions", "numbers outside the range", "values outside the domain",
        "distribution", "completeness", "values outside the domain", "distribution",
    ]  # fmt: skip
    other = {"a": numbers({1.0: 400, 5.0: 200}), "b": texts({"x": 100, "z": 500})}
    found = {(each.feature, each.what) for each in ran(other, same, 600, 600) if each.violated}
    assert found == {("a", "distribution"), ("b", "values outside the domain"), ("b", "distribution")}


def test_a_check_of_nothing_is_passed():
    found = Check("a", checks.DRIFT, "")
    assert (found.effect, found.effect_threshold, found.weight, found.at_fault, found.rows) == (0.0, 0.0, 0.0, 0, [])
    assert found.p_value is None and found.p_threshold is None and found.sql is None and not found.violated


def test_one_row_is_all_of_a_column():
    settings, baseline = config(), numbers(FIVE)
    missing = checks.completeness("a", numbers({}, missing=1), baseline, {}, settings)
    assert missing.effect == 1.0 and missing.weight == pytest.approx(1 / 601)
    (mistyped,) = checks.data_type("a", numbers({}, mistyped=1), baseline, "Fractional", 0.0)
    assert mistyped.effect == 1.0
    whole = list(checks.data_type("a", numbers({1.5: 1}, fractional=1), baseline, "Integral", 0.0))
    assert whole[1].effect == 1.0
    assert checks.value_range("a", numbers({9.0: 1}), {"minimum": 1, "maximum": 5}).effect == 1.0
    assert checks.unseen("a", numbers({9.0: 1}), baseline, 0.0).effect == 1.0
    other = checks.completeness("a", baseline, numbers({}, missing=1), {}, settings)
    assert other.effect == -1.0
    (mistyped,) = checks.data_type("a", baseline, numbers({}, mistyped=1), "Fractional", 0.0)
    assert mistyped.effect_threshold == 1.0
    moved = checks.drift("a", texts({"x": 1}), texts({"y": 1}), settings["distribution_constraints"])
    assert moved.effect == 1.0
    assert checks._largest_gap(np.array([1, 0]), np.array([0, 1])) == 1.0


@pytest.mark.parametrize("swapped", [False, True])
def test_numbers_and_texts_are_compared_as_texts(swapped):
    many = {value / 7: 1 for value in range(1, 61)}
    pair = numbers(many, fractional=52), texts({f"{value:g}": 1 for value in range(60)})
    column, baseline = pair[::-1] if swapped else pair
    found = checks.drift("a", column, baseline, config()["distribution_constraints"])
    assert "moved to other values" in found.sentence and found.effect_threshold == 0.05
    batch, before, values = checks.aligned(column, baseline)
    assert values == sorted(values) and all(isinstance(value, str) for value in values)
    assert found.effect == pytest.approx(np.abs(batch / 60 - before / 60).sum() / 2)
