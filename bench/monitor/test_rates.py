"""A bounded sample of what `make soak/monitor` measures: false alarms, detections, memory."""

import numpy as np
import pytest

from bench.monitor import error_rates, generator, quality_rates, sagemaker_rules, shifts, speed
from bench.monitor.generator import NAMES, Generator

SEED = 2_026_114
CLEAN = {48: 50, 500: 15, 50_000: 3}
SHIFTED = 12
CONFIDENCE = 0.999
"""So few batches can only contradict a goal: they do so where its exact bound of this confidence is beyond it."""


@pytest.fixture(scope="module")
def fitted() -> Generator:
    return Generator.fit(generator.table())


def alarms(fitted, batches, rows, shift=None) -> int:
    return sum(map(bool, error_rates.study(batches, SEED, rows, shift, fitted)))


def middle_ranks(column):
    """Return ranks in which equal values share theirs."""
    ordered = np.sort(column)
    return np.searchsorted(ordered, column, "left") + np.searchsorted(ordered, column, "right")


@pytest.mark.parametrize("rows", CLEAN)
def test_batches_like_the_baseline_hardly_ever_alarm(fitted, rows):
    found = alarms(fitted, CLEAN[rows], rows)
    assert error_rates.lower_bound(found, CLEAN[rows], CONFIDENCE) <= error_rates.MAX_FALSE_ALARMS


@pytest.mark.parametrize("name", shifts.DETECTED)
def test_shifts_are_seen_in_48_rows(fitted, name):
    found = alarms(fitted, SHIFTED, 48, shifts.DETECTED[name])
    assert error_rates.upper_bound(found, SHIFTED, CONFIDENCE) >= error_rates.MIN_DETECTION


def test_columns_that_no_longer_belong_together_are_seen_in_many_rows(fitted):
    assert alarms(fitted, 5, 5_000, shifts.independent) == 5


def test_a_difference_too_small_to_matter_is_no_alarm_in_many_rows(fitted):
    assert alarms(fitted, 5, 50_000, shifts.slightly_older) == 0


def test_the_generator_draws_rows_like_the_tables(fitted):
    table, rows = generator.table(), fitted.draw(np.random.default_rng(1), 50_000)
    for position in range(len(NAMES)):
        one, two = table[:, position], rows[:, position]
        assert np.isnan(one).mean() == pytest.approx(np.isnan(two).mean(), abs=0.005)
        assert sagemaker_rules.largest_gap(one[~np.isnan(one)], two[~np.isnan(two)]) < 0.02
    complete = [part[~np.isnan(part).any(axis=1)] for part in (table, rows)]
    ranks = [np.column_stack([middle_ranks(column) for column in part.T]) for part in complete]
    assert np.abs(np.corrcoef(ranks[0].T) - np.corrcoef(ranks[1].T)).max() < 0.05


@pytest.mark.parametrize(("hits", "trials", "limit"), [(0, 300, 0.00994), (3, 1000, 0.00774), (1000, 1000, 1.0)])
def test_upper_bounds_are_clopper_and_pearsons(hits, trials, limit):
    assert error_rates.upper_bound(hits, trials) == pytest.approx(limit, rel=0.01)


def test_a_bound_holds_for_many_trials():
    assert error_rates.lower_bound(900, 4_000) == pytest.approx(0.2142, abs=0.001)


def test_a_model_that_is_as_good_as_before_hardly_ever_alarms():
    found, evaluated = quality_rates.alarms(300, SEED, 200, None)
    assert evaluated == 300 and found <= 9


def test_a_model_that_is_much_worse_is_seen():
    found, evaluated = quality_rates.alarms(40, SEED, 1_000, quality_rates.noisy)
    assert found >= 28 and evaluated == 40


def test_a_million_rows_are_read_in_half_a_gibibyte(tmp_path):
    files = speed.write(tmp_path, 1_000_000)
    monitor = speed.Monitor(tmp_path, {f".{kind}": file for kind, file in files[speed.BASELINE].items()})
    for file in files[1_000_000].values():
        assert monitor.check(file).memory < speed.GIB / 2
