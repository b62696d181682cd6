"""A bounded sample of the error rates of each problem type."""

import pytest

from bench.monitor import error_rates, quality_rates
from steps.monitor.quality import problems

SEED = 2_026_115
CONFIDENCE = 0.999
JOBS, SHIFTED = 150, 30
BASELINES = [
    (kind, documented)
    for kind, study in quality_rates.STUDIES.items()
    for documented in ((False, True) if study.problem.extra_metrics else (False,))
]


@pytest.mark.parametrize(("kind", "documented"), BASELINES)
def test_models_as_good_as_before_hardly_ever_alarm(kind, documented):
    found, evaluated = quality_rates.alarms(JOBS, SEED, 200, None, kind, documented)
    assert evaluated == JOBS
    assert error_rates.lower_bound(found, evaluated, CONFIDENCE) <= problems.FALSE_ALARM_RATE


@pytest.mark.parametrize(("kind", "documented"), BASELINES)
def test_predictions_of_other_rows_are_seen(kind, documented):
    found, evaluated = quality_rates.alarms(SHIFTED, SEED, 1_000, quality_rates.noisy, kind, documented)
    assert error_rates.upper_bound(found, evaluated, CONFIDENCE) >= 0.9
