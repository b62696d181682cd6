"""The built-in algorithm's own metrics are scikit-learn's, on all rows of all hosts."""

import importlib.util
import re

import numpy as np
import pytest

from steps.train import metrics
from steps.train.hyperparameters import Hyperparameters
from steps.train.test_boosting import rows, trained

LISTED = """accuracy auc aucpr balanced_accuracy f1 f1_binary f1_macro map ndcg precision r2 recall precision_macro
precision_micro recall_macro recall_micro cox-nloglik error gamma-deviance gamma-nloglik logloss mae mape merror
mlogloss mphe mse poisson-nloglik rmse rmsle tweedie-nloglik aft-nloglik interval-regression-accuracy"""
"""Every metric of AWS's XGBoost container (constants/xgb_constants.py), those of its tuning page included."""

MAXIMIZED = LISTED.split()[:16]


def test_every_listed_metric_is_known_and_has_its_direction():
    for name in LISTED.split():
        assert metrics.known(name), name
        assert metrics.is_maximized(name) == (name in MAXIMIZED), name
    for name in ("error@0.3", "ndcg@5", "ndcg@5-", "map@2", "ndcg-", "pre@3"):
        assert metrics.known(name), name
    for name in ("F1", "auc@0.5", "error@", "error@x", "", "validation:auc"):
        assert not metrics.known(name), name


@pytest.mark.parametrize("classes", [2, 3, 4])
@pytest.mark.parametrize("seed", range(4))
def test_counts_give_what_their_definitions_say(classes, seed):
    chance = np.random.default_rng(seed)
    count = (3, 10, 200, 1000)[seed]
    labels, found = chance.integers(0, classes, count), chance.integers(0, classes, count)
    if seed == 1:
        found[:] = 1  # A class that nobody predicts.
    got = metrics.counted(metrics.confusion(labels, found, classes, lambda array: array))
    there = sorted({*labels.tolist(), *found.tolist()})

    def share(part: np.ndarray, of: np.ndarray) -> float:
        return part[of].mean() if of.any() else 0.0

    precision = {each: share(labels == each, found == each) for each in range(classes)}
    recall = {each: share(found == each, labels == each) for each in range(classes)}
    f1 = {each: 2 * precision[each] * recall[each] / (precision[each] + recall[each] or 1) for each in range(classes)}
    assert got["accuracy"] == pytest.approx((labels == found).mean())
    assert got["balanced_accuracy"] == pytest.approx(np.mean([recall[each] for each in set(labels.tolist())]))
    assert got["precision_macro"] == pytest.approx(np.mean([precision[each] for each in there]))
    assert got["recall_macro"] == pytest.approx(np.mean([recall[each] for each in there]))
    assert got["f1"] == got["f1_macro"] == pytest.approx(np.mean([f1[each] for each in there]))
    assert (got["precision"], got["recall"], got["f1_binary"]) == pytest.approx((precision[1], recall[1], f1[1]))
    assert got["precision_micro"] == got["recall_micro"] == got["accuracy"]


def test_squares_give_what_their_definitions_say():
    chance = np.random.default_rng(1)
    labels, found = chance.normal(3, 2, 500), chance.normal(3, 2, 500)
    got = metrics.squared(labels, found, lambda array: array)
    assert got["mse"] == pytest.approx(((labels - found) ** 2).mean())
    assert got["r2"] == pytest.approx(1 - ((labels - found) ** 2).sum() / ((labels - labels.mean()) ** 2).sum())
    assert np.isnan(metrics.squared(labels[:1], found[:1], lambda array: array)["r2"])


def test_hosts_sum_their_counts():
    labels, found = np.array([0, 1, 1, 0]), np.array([0, 1, 0, 0])
    whole = metrics.counted(metrics.confusion(labels, found, 2, lambda array: array))
    other = metrics.confusion(labels[2:], found[2:], 2, lambda array: array)
    assert metrics.counted(metrics.confusion(labels[:2], found[:2], 2, lambda array: array + other.ravel())) == whole


@pytest.mark.parametrize("objective", ["binary:logistic", "binary:hinge"])
def test_they_are_measured_beside_xgboosts_own(objective):
    found = trained(
        rows(400, 1), rows(200, 2), objective=objective, eval_metric="f1,error,accuracy", num_round=5
    ).metrics
    assert list(found) == [f"{data}:{name}" for data in ("train", "validation") for name in ("error", "f1", "accuracy")]
    assert found["validation:accuracy"] == pytest.approx(1 - found["validation:error"], abs=1e-4)


@pytest.mark.parametrize("objective", ["multi:softmax", "multi:softprob"])
def test_several_classes_have_them_too(objective):
    channel = rows(300, 1)
    channel.labels[:100] = 2
    found = trained(
        channel, objective=objective, num_class=3, eval_metric="merror,accuracy,f1_macro", num_round=5
    ).metrics
    assert found["train:accuracy"] == pytest.approx(1 - found["train:merror"], abs=1e-4)


def test_early_stopping_takes_the_last_metric_and_its_direction(capsys):
    given = {"eval_metric": "accuracy,logloss,f1", "num_round": 200, "early_stopping_rounds": 5}
    stopped = trained(rows(400, 1), rows(200, 9), **given)
    series = [float(value) for value in re.findall(r"validation-f1:([\d.]+)", capsys.readouterr().out)]
    assert stopped.rounds == int(np.argmax(series)) + 1 and len(series) == stopped.rounds + 5


def test_a_tuning_jobs_objective_may_be_one_of_them():
    given = {"num_round": "1", "objective": "binary:logistic", "_tuning_objective_metric": "validation:f1"}
    assert Hyperparameters.parse(given).eval_metric == ("f1",)


def test_scikit_learn_stays_away():
    assert importlib.util.find_spec("sklearn") is None
