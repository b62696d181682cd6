"""The classifier's scores are those of the classifiers that were fitted one by one, by either way to compute them."""

import numpy as np
import pytest

from steps.monitor.drift import multivariate

ROWS, COLUMNS = 60, 4


@pytest.fixture
def codes() -> multivariate.Codes:
    return np.random.default_rng(1).integers(-2, 3, (ROWS, COLUMNS)).astype(np.int16)


def labels(rows: int) -> np.ndarray:
    found = (np.arange(rows) % 3 == 0).astype(np.float32)
    return found - found.mean()


def one_by_one(codes: multivariate.Codes, y: np.ndarray) -> np.ndarray:
    """Fit the classifier once per row, without it: kernel ridge over the centred kernel, as the module describes."""
    kernel = (1.0 + (codes[:, None, :] == codes[None, :, :]).sum(axis=2)) ** 2
    middle = np.eye(len(codes)) - 1 / len(codes)
    kernel = middle @ kernel @ middle
    ridge = multivariate.RIDGE * np.trace(kernel) / len(codes)
    found = []
    for row in range(len(codes)):
        others = np.delete(np.arange(len(codes)), row)
        weights = np.linalg.solve(kernel[np.ix_(others, others)] + ridge * np.eye(len(others)), y[others])
        found.append(kernel[row, others] @ weights)
    return np.array(found)


@pytest.mark.parametrize("by_features", [True, False])
def test_scores_are_those_of_classifiers_fitted_without_the_row(codes, monkeypatch, by_features):
    most = 1_000 if by_features else 0
    features = multivariate._features
    assert (features(codes, most) is not None) == by_features
    monkeypatch.setattr(multivariate, "_features", lambda rows, **_: features(rows, most))
    y = labels(ROWS)
    assert multivariate.leave_one_out(codes)(y) == pytest.approx(one_by_one(codes, y), abs=1e-4)


def test_rows_that_are_all_equal_tell_nothing():
    assert multivariate.check(np.zeros((20, 3), np.int16), np.zeros((50, 3), np.int16), 0.05) is None


def test_a_table_of_many_columns():
    rng = np.random.default_rng(2)
    batch, baseline = (rng.integers(0, 6, (rows, 40)).astype(np.int16) for rows in (48, 200))
    assert multivariate._features(np.concatenate([batch, baseline]), 248) is None
    found = multivariate.check(batch, baseline, 0.05)
    assert found is not None and found.p_value > 0.01
    batch[:, 1] = batch[:, 0]
    found = multivariate.check(batch, baseline, 0.05)
    assert found is not None and found.effect > 0.05
