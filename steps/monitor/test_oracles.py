"""Statistics held against SciPy, and to what they must satisfy for any input."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import special, stats

from steps.monitor import significance

settings.register_profile("steady", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("steady")


def counts(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


TABLES = [
    (9, 48, 20, 300), (1, 48, 20, 300), (3, 48, 20, 300), (4, 5, 1, 7), (5, 5, 1, 7), (5, 5, 0, 7), (1, 2, 1, 2),
    (48, 48, 600, 600), (30, 48, 2, 600), (2, 5, 5, 5), (1, 1, 0, 1), (7, 1000, 3, 900), (40, 1000, 20, 900),
    (13, 20, 400, 600), (14, 20, 400, 600),
]  # fmt: skip


def mid_p(hits: int, rows: int, before: int, baseline: int) -> float:
    """SciPy's hypergeometric tail with half of what was found."""
    law = stats.hypergeom(rows + baseline, hits + before, rows)
    return float(law.sf(hits) + law.pmf(hits) / 2)


@pytest.mark.parametrize("table", TABLES)
def test_fishers_mid_p_is_scipys(table):
    assert significance.more_than_baseline(*table) == pytest.approx(mid_p(*table), rel=1e-9, abs=1e-15)


@given(st.integers(1, 120), st.integers(1, 400), st.data())
def test_fishers_mid_p_is_scipys_for_any_table(rows, baseline, data):
    hits, before = data.draw(st.integers(1, rows)), data.draw(st.integers(0, baseline))
    expected = mid_p(hits, rows, before, baseline)
    assert significance.more_than_baseline(hits, rows, before, baseline) == pytest.approx(expected, rel=1e-8, abs=1e-12)


@pytest.mark.parametrize("table", [(0, 48, 3, 600), (3, 0, 3, 600), (3, 48, 3, 0), (0, 0, 0, 0)])
def test_nothing_to_compare_is_no_evidence(table):
    assert significance.more_than_baseline(*table) == 1.0


def test_a_mid_p_far_in_the_tail_stays_relative():
    assert significance.more_than_baseline(400, 1000, 1, 5000) == pytest.approx(mid_p(400, 1000, 1, 5000), rel=1e-6)


@given(st.floats(0.05, 400), st.floats(0, 900))
def test_the_gamma_tail_is_scipys(shape, x):
    assert significance.upper_gamma(shape, x) == pytest.approx(special.gammaincc(shape, x), rel=1e-8, abs=1e-13)


@pytest.mark.parametrize("shape", [0.3, 1.0, 2.5, 40.0])
def test_the_gamma_tail_is_scipys_on_both_sides_of_its_two_series(shape):
    for x in (-1.0, 0.0, 1e-9, shape, shape + 0.999, shape + 1, shape + 1.001, 5 * shape + 20):
        expected = special.gammaincc(shape, max(0.0, x))
        assert significance.upper_gamma(shape, x) == pytest.approx(expected, rel=1e-10, abs=1e-14)


@pytest.mark.parametrize("x", np.linspace(-4, 12, 17).tolist())
def test_pearsons_tail_is_scipys_of_the_same_moments(x):
    draws = np.random.default_rng(3).gamma(2.0, 1.5, 5_000)
    skew = float(((draws - draws.mean()) ** 3).mean() / draws.std() ** 3)
    expected = stats.pearson3(skew, draws.mean(), draws.std()).sf(x)
    assert significance.pearson_tail(draws, x) == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_pearsons_tail_without_skew_is_a_normal_one():
    draws = np.concatenate([np.arange(-50.0, 51), [0.0]])
    for x in (-30.0, 0.0, 20.0, 80.0):
        expected = stats.norm.sf(x, draws.mean(), draws.std())
        assert significance.pearson_tail(draws, x) == pytest.approx(expected, rel=1e-9)
    left = -np.random.default_rng(3).gamma(2.0, 1.5, 5_000)
    expected = stats.norm.sf(1.0, left.mean(), left.std())
    assert significance.pearson_tail(left, 1.0) == pytest.approx(expected, rel=1e-9)


def test_pearsons_tail_of_draws_that_are_all_equal():
    draws = np.full(9, 2.0)
    assert [significance.pearson_tail(draws, x) for x in (1.0, 2.0, 3.0)] == [1.0, 1.0, 0.1]


@given(st.floats(-8, 8))
def test_without_degrees_of_freedom_the_tail_is_a_normal_one(t):
    assert significance.upper_tail(t, 1.0) == pytest.approx(stats.norm.sf(t), rel=1e-9)
    assert significance.upper_tail(3 * t, 3.0) == pytest.approx(stats.norm.sf(t), rel=1e-9)


@given(st.floats(-4, 4), st.floats(9, 400))
def test_the_tail_of_students_t_is_near_scipys(t, freedom):
    found, exact = significance.upper_tail(t, 1.0, freedom), stats.t.sf(t, freedom)
    assert abs(found - exact) < 0.002 + 0.03 / freedom


@given(st.floats(3, 6), st.floats(9, 400))
def test_the_far_tail_of_students_t_is_not_understated(t, freedom):
    exact = stats.t.sf(t, freedom)
    assert exact * 0.97 < significance.upper_tail(t, 1.0, freedom)
    assert freedom < 30 or significance.upper_tail(t, 1.0, freedom) < exact * 2


@pytest.mark.parametrize(
    ("t", "freedom", "expected"),
    [(2.0, 10, 0.0367), (3.0, 19, 0.0037), (1.0, 2.5, 0.2022), (-1.0, 2.5, 0.7978), (2.5, 5, 0.0272)],
)
def test_the_tail_of_students_t_is_never_smaller_than_the_exact_one(t, freedom, expected):
    assert stats.t.sf(t, freedom) == pytest.approx(expected, abs=6e-4)
    assert significance.upper_tail(t, 1.0, freedom) == pytest.approx(
        stats.norm.sf(t * (1 - 1 / (4 * freedom)) / math.sqrt(1 + t * t / (2 * freedom))), rel=1e-9
    )


@pytest.mark.parametrize(("value", "expected"), [(1.0, 0.0), (1e-9, 0.0), (0.0, 1.0), (-1.0, 1.0)])
@pytest.mark.parametrize("deviation", [0.0, -1.0])
def test_without_spread_only_the_side_counts(value, deviation, expected):
    assert significance.upper_tail(value, deviation) == expected


def test_a_value_of_any_size_has_a_tail():
    assert significance.upper_tail(1e300, 1e-10) == 0.0
    assert significance.upper_tail(-1e300, 1e-10, 3) > 0.98
    assert 0 < significance.upper_tail(1e300, 1.0, 19) == significance.upper_tail(2e300, 1.0, 19) < 1e-8


def exact_p(batch: np.ndarray, baseline: np.ndarray, statistic) -> float:
    """The share of all draws without replacement, by their probability, that are as extreme as the batch."""
    pooled, rows = batch + baseline, int(batch.sum())
    law = stats.multivariate_hypergeom(pooled.tolist(), rows)
    chances = 0.0
    for draw in np.ndindex(*(pooled + 1)):
        if sum(draw) == rows and statistic(np.array(draw)) >= statistic(batch) - 1e-9:
            chances += float(law.pmf(list(draw)))
    return chances


SMALL = [((3, 1, 1), (1, 5, 4)), ((5, 2, 1), (4, 3, 6)), ((2, 2, 2), (4, 5, 4)), ((1, 0, 4), (6, 4, 2))]


@pytest.mark.parametrize(("batch", "baseline"), SMALL)
def test_the_test_of_categories_is_the_exact_one(batch, baseline):
    batch, baseline = counts(*batch), counts(*baseline)
    pooled = batch + baseline
    expected = pooled * batch.sum() / pooled.sum()
    exact = exact_p(batch, baseline, lambda draw: ((draw - expected) ** 2 / pooled).sum())
    assert significance.categories_differ(batch, baseline) == pytest.approx(exact, abs=0.09, rel=0.25)


@pytest.mark.parametrize(("batch", "baseline"), SMALL)
def test_the_test_of_an_order_is_the_exact_one(batch, baseline):
    batch, baseline = counts(*batch), counts(*baseline)
    pooled = batch + baseline
    total, up_to = pooled.sum(), np.cumsum(pooled)[:-1]

    def statistic(draw):
        apart = (np.cumsum(draw)[:-1] - batch.sum() / total * up_to) ** 2
        return (apart * pooled[:-1] / (up_to * (total - up_to))).sum()

    exact = exact_p(batch, baseline, statistic)
    assert significance.order_differs(batch, baseline) == pytest.approx(exact, abs=0.09, rel=0.25)


def test_the_order_statistic_ranks_samples_as_scipys_does():
    rng = np.random.default_rng(1)
    shifts = (0.0, 0.3, 0.6, 1.2)
    found, peer = [], []
    for shift in shifts:
        one, two = rng.normal(shift, 1, 60).round(1), rng.normal(0, 1, 300).round(1)
        values = np.unique(np.concatenate([one, two]))
        batch, before = (np.array([(part == value).sum() for value in values]) for part in (one, two))
        found.append(significance.order_differs(batch, before))
        peer.append(
            stats.anderson_ksamp([one, two], variant="midrank", method=stats.PermutationMethod(n_resamples=999))
        )
    assert found[0] > 0.05 and found[3] < 1e-6
    for p, other in zip(found, peer, strict=True):
        assert p <= max(2.5 * other.pvalue, 0.02) and (p >= 0.3 * other.pvalue or other.pvalue < 0.003)


@pytest.mark.parametrize("test", [significance.order_differs, significance.categories_differ])
def test_there_is_no_evidence_where_there_is_nothing_to_compare(test):
    assert test(counts(), counts()) == 1.0
    assert test(counts(5), counts(7)) == 1.0
    assert test(counts(0, 0), counts(3, 4)) == 1.0
    assert test(counts(3, 4), counts(0, 0)) == 1.0
    assert test(counts(5, 0), counts(7, 0)) == 1.0
    assert test(counts(3, 3), counts(300, 300)) > 0.9


def test_rare_categories_count_as_one():
    batch, before = counts(20, 20, *[1] * 8, *[0] * 8), counts(300, 300, *[0] * 8, *[3] * 8)
    together = significance.categories_differ(counts(20, 20, 8), counts(300, 300, 24))
    assert significance.categories_differ(batch, before) == together
    assert significance.categories_differ(counts(1, 20, 20), counts(0, 300, 300)) != 1.0


def test_pools_of_any_size_are_drawn_from():
    large = 900_000_000
    assert significance.order_differs(counts(large, large), counts(large, large)) > 0.5
    assert significance.categories_differ(counts(large, large // 2), counts(large, large)) < 1e-9
    scaled = significance._within_limit(counts(large, 0), counts(large, large))
    assert scaled[0].tolist() == [133_333_333, 0] and scaled[1].tolist() == [133_333_333, 133_333_333]
    limit = significance.MAX_ROWS
    assert significance._within_limit(counts(limit - 1), counts(1))[0].tolist() == [limit - 1]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.001, 0.2))
def test_holm_is_what_its_definition_does(p_values, level):
    thresholds = significance.holm(p_values, level)
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    rejected, left = set(), len(order)
    for index in order:
        if p_values[index] > level / left:
            break
        rejected.add(index)
        left -= 1
    assert {i for i, p in enumerate(p_values) if p <= thresholds[i]} == rejected
    assert all(level / len(order) - 1e-15 <= threshold <= level + 1e-15 for threshold in thresholds)


def test_holms_weights_share_the_level():
    assert significance.holm([0.5, 0.5], 0.06, [2, 1]) == pytest.approx([0.04, 0.02])
    assert significance.holm([0.03, 0.05], 0.06, [2, 1]) == pytest.approx([0.04, 0.06])
    assert significance.holm([0.03, 0.07], 0.06, [2, 1]) == pytest.approx([0.04, 0.06])
    assert significance.holm([0.0, 0.0], 0.06, [0, 1]) == pytest.approx([0.0, 0.06])
    assert significance.holm([0.0], 0.06, [0]) == [0.0]
    assert significance.holm([0.05, 0.0], 0.06, [1, 0]) == pytest.approx([0.06, 0.0])
    assert significance.holm([], 0.05) == []


def unseen_exactly(batch: np.ndarray, baseline: np.ndarray, draws: int = 60_000) -> float:
    """The share of random batches of the pooled rows in which as many rows hold values that the rest lacks."""
    pooled, rows = batch + baseline, int(batch.sum())
    drawn = np.random.default_rng(4).multivariate_hypergeometric(pooled, rows, size=draws)
    alone = np.where(drawn == pooled, drawn, 0).sum(axis=1)
    return float((alone >= int(batch[baseline == 0].sum())).mean())


@pytest.mark.parametrize(
    ("batch", "baseline"),
    [
        ((1, 47), (0, 600)), ((1, 1, 46), (0, 0, 600)), ((2, 46), (0, 600)), ((1, 1, 2, 40), (0, 0, 1, 200)),
        ((1, 1, 1, 1, 20), (1, 1, 0, 0, 60)), ((3, 1, 20), (0, 2, 60)), ((1, 0, 0, 10), (0, 1, 1, 30)),
        ((2, 1, 8), (0, 0, 8)), ((1, 5), (0, 5)),
    ],
)  # fmt: skip
def test_unseen_values_are_as_likely_as_random_batches_have_them(batch, baseline):
    batch, baseline = counts(*batch), counts(*baseline)
    found = significance.unseen_values(batch, baseline)
    assert found == pytest.approx(unseen_exactly(batch, baseline), rel=0.15, abs=0.002)


@pytest.mark.parametrize(
    ("batch", "baseline"), [((5, 5), (0, 0)), ((5, 5), (1, 1)), ((0, 0), (1, 1)), ((0, 3), (2, 4))]
)
def test_no_unseen_value_is_no_evidence(batch, baseline):
    assert significance.unseen_values(counts(*batch), counts(*baseline)) == 1.0


def test_a_value_of_more_than_sixty_rows_is_no_chance():
    assert significance.unseen_values(counts(61, 500), counts(0, 500)) == 0.0
    assert significance.unseen_values(counts(60, 4), counts(0, 4)) > 0.0


@given(st.integers(1, 6), st.integers(1, 4), st.floats(0.01, 1.0), st.integers(1, 9))
def test_a_repeated_step_is_a_binomial_sum(top, step, share, repeats):
    start = np.zeros(top + 1)
    start[0] = 1.0
    found = significance._repeat(start, step, share, repeats)
    expected = np.zeros(top + 1)
    for k in range(repeats + 1):
        expected[min(top, k * step)] += stats.binom.pmf(k, repeats, share)
    assert found == pytest.approx(expected, abs=1e-9)
    again = significance._repeat(found, step, share, repeats)
    assert again.sum() == pytest.approx(1.0)
    assert again[-1] >= found[-1] - 1e-12


@given(st.integers(0, 9), st.integers(0, 9), st.floats(0.01, 1.0))
def test_a_binomials_logarithm_is_scipys(k, n, share):
    assume(k <= n)
    assert math.exp(significance._log_binomial(k, n, share)) == pytest.approx(stats.binom.pmf(k, n, share), abs=1e-12)


def test_drawing_ends_as_soon_as_it_is_plain():
    asked: list[int] = []

    def draw(size: int) -> np.ndarray:
        asked.append(size)
        return np.arange(size, dtype=float) % 10

    assert significance.permutation(9.0, draw) == pytest.approx(26 / 251)
    assert asked == [250]
    asked.clear()
    # 25 of 250 reach it, and an equal value counts in spite of rounding.
    assert significance.permutation(9.0 * (1 + 1e-13), draw) == pytest.approx(26 / 251)
    asked.clear()
    assert significance.permutation(1e6, draw) == pytest.approx(1e-300)
    assert asked == [250, 250, 500]


def test_drawing_that_is_never_plain_ends_at_the_most():
    asked: list[int] = []
    rng = np.random.default_rng(1)

    def draw(size: int) -> np.ndarray:
        asked.append(size)
        return rng.normal(size=size)

    p = significance.permutation(3.3, draw, most=3_000)
    assert asked == [250, 250, 500, 1000, 1000] and 0 < p < 0.004
    assert p <= (sum(asked) + 1) / sum(asked)


def test_few_exceedances_are_counted_and_none_is_estimated():
    draws = np.linspace(0, 1, 20_000)
    position = iter(range(0, 20_000, 250))

    def draw(size: int) -> np.ndarray:
        return np.random.default_rng(next(position)).choice(draws, size)

    p = significance.permutation(0.9996, draw)
    assert 0 < p <= 0.002
