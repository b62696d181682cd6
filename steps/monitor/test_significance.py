"""The tests behind the checks: right p-values, whatever the size."""

import math

import numpy as np
import pytest

from steps.monitor import significance


def counts(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def test_fishers_test_agrees_with_counting_all_tables():
    def choose(n, r):
        return math.comb(n, r)

    hits, rows, before, baseline_rows = 9, 48, 20, 300
    pooled, total = hits + before, rows + baseline_rows
    chances = [choose(pooled, k) * choose(total - pooled, rows - k) / choose(total, rows) for k in range(pooled + 1)]
    expected = sum(chances[hits + 1 :]) + chances[hits] / 2
    assert significance.more_than_baseline(hits, rows, before, baseline_rows) == pytest.approx(expected)


@pytest.mark.parametrize("hits", [0, 1, 3, 10, 40, 48])
def test_fishers_test_is_a_probability_that_falls_with_the_hits(hits):
    p = significance.more_than_baseline(hits, 48, 30, 600)
    assert 0 <= p <= 1
    assert p >= significance.more_than_baseline(min(48, hits + 1), 48, 30, 600)


def test_fishers_test_holds_for_many_rows():
    assert significance.more_than_baseline(5_000_000, 100_000_000, 30, 600) == pytest.approx(0.5, abs=0.1)
    assert significance.more_than_baseline(40_000_000, 100_000_000, 30, 600) < 1e-6


def test_one_unseen_row_is_as_likely_as_being_drawn_into_the_batch():
    batch, baseline = counts(1, 47), counts(0, 600)
    assert significance.unseen_values(batch, baseline) == pytest.approx(48 / 648, rel=1e-3)


def test_many_rows_of_one_unseen_value_are_no_chance():
    assert significance.unseen_values(counts(8, 40), counts(0, 600)) < 1e-7


def test_unseen_values_are_no_surprise_where_all_values_are_rare():
    batch, baseline = np.zeros(648, dtype=np.int64), np.zeros(648, dtype=np.int64)
    batch[:48], baseline[48:] = 1, 1
    assert significance.unseen_values(batch, baseline) > 0.3


@pytest.mark.parametrize("test", [significance.order_differs, significance.categories_differ])
@pytest.mark.parametrize("rows", [48, 5000])
def test_a_permutation_test_rejects_a_true_hypothesis_as_often_as_it_states(test, rows):
    rng = np.random.default_rng(5)
    shares = [0.4, 0.25, 0.15, 0.1, 0.06, 0.03, 0.01]
    p_values = np.array([test(rng.multinomial(rows, shares), rng.multinomial(600, shares)) for _ in range(400)])
    # 400 tests at 10 %: 40 expected, 64 is four standard deviations above.
    assert (p_values <= 0.1).sum() <= 64
    assert (p_values <= 0.5).mean() > 0.35


@pytest.mark.parametrize("test", [significance.order_differs, significance.categories_differ])
def test_the_far_tail_is_far_below_what_was_drawn(test):
    assert test(counts(0, 8, 40), counts(300, 200, 100)) < 1e-9


@pytest.mark.parametrize(("shape", "x"), [(0.5, 0.2), (0.5, 9.0), (3.0, 2.0), (3.0, 30.0), (50.0, 90.0)])
def test_the_gamma_tail_is_its_integral(shape, x):
    grid = np.linspace(x, x + 200, 2_000_001)
    density = np.exp((shape - 1) * np.log(grid) - grid - math.lgamma(shape))
    assert significance.upper_gamma(shape, x) == pytest.approx(np.trapezoid(density, grid), rel=1e-4)


def test_holm_is_stricter_than_each_alone_and_laxer_than_bonferroni():
    thresholds = significance.holm([0.001, 0.02, 0.04, 0.5], 0.05)
    assert thresholds == pytest.approx([0.0125, 0.05 / 3, 0.05 / 3, 0.05 / 3])
