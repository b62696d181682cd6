"""The model is the same bytes every time, stops early where it is best, and obeys a stop."""

import numpy as np
import pytest
import xgboost

from steps.common.failure import StepFailed
from steps.train import boosting
from steps.train.channels import Channel
from steps.train.hyperparameters import Hyperparameters


def rows(count: int, seed: int, noise: float = 1.0) -> Channel:
    random = np.random.default_rng(seed)
    features = random.normal(size=(count, 4)).astype(np.float32)
    features[random.random(features.shape) < 0.1] = np.nan
    chance = np.nan_to_num(features[:, 0]) + noise * random.normal(size=count)
    return Channel(features, list("abcd"), (chance > 0).astype(np.float32))


def parsed(**given: object) -> Hyperparameters:
    fixed = {"num_round": 30, "objective": "binary:logistic", "eval_metric": "logloss", "subsample": 0.7}
    return Hyperparameters.parse({name: str(value) for name, value in (fixed | given).items()})


def trained(training: Channel | None = None, validation: Channel | None = None, **given: object) -> boosting.Trained:
    return boosting.train(parsed(**given), training or rows(400, 1), validation)


@pytest.mark.parametrize("tree_method", ["hist", "approx", "exact"])
def test_runs_and_threads_give_the_same_bytes(tree_method):
    models = {trained(tree_method=tree_method, nthread=threads).model for threads in (1, 1, 2, 3)}
    assert len(models) == 1
    assert trained(tree_method=tree_method, seed=1).model not in models


def test_many_rows_give_the_same_bytes_with_any_number_of_threads():
    training = rows(boosting.FEW_ROWS, 2)
    models = {trained(training, num_round=3, **threads).model for threads in ({}, {"nthread": 1}, {"nthread": 2})}
    assert len(models) == 1


def test_the_best_round_is_kept():
    history = []
    validation = rows(300, 9)
    for rounds in range(1, 30):
        history.append(trained(validation=validation, num_round=rounds).metrics["validation:logloss"])
    best = int(np.argmin(history)) + 1
    assert 1 < best < 20
    stopped = trained(validation=validation, num_round=500, early_stopping_rounds=10)
    assert stopped.rounds == best
    assert stopped.metrics["validation:logloss"] == history[best - 1]
    assert stopped.model == trained(num_round=best).model


def test_without_a_validation_channel_every_round_is_kept(capsys):
    assert trained(early_stopping_rounds=2).rounds == 30
    assert "no effect without a validation channel" in capsys.readouterr().out


def test_a_stop_ends_training_with_the_best_model_so_far():
    validation = rows(300, 9)
    whole = trained(validation=validation, num_round=500, early_stopping_rounds=50)
    asked = iter([False] * (whole.rounds + 5))
    stopped = boosting.train(
        parsed(num_round=500, early_stopping_rounds=50), rows(400, 1), validation, lambda: next(asked, True)
    )
    assert stopped.model == whole.model
    at_once = boosting.train(parsed(), rows(400, 1), None, lambda: True)
    assert at_once.rounds == 1


def test_the_log_is_what_the_built_in_algorithms_metric_definitions_look_for(capsys):
    trained(validation=rows(50, 3), num_round=2, eval_metric="auc,logloss")
    first, second = capsys.readouterr().out.splitlines()
    names, values = zip(*(part.rsplit(":", 1) for part in second.split("#011")[1:]), strict=True)
    assert first.startswith("[0]#011train-auc:") and second.startswith("[1]#011")
    assert names == ("train-auc", "train-logloss", "validation-auc", "validation-logloss")
    assert all(0 < float(value) <= 1 for value in values)


def test_missing_stays_missing():
    features = np.array([[0], [1], [np.nan]] * 20, np.float32)
    labels = np.array([0, 0, 1] * 20, np.float32)
    model = trained(Channel(features, ["a"], labels), num_round=10, subsample=1, min_child_weight=0)
    booster = xgboost.Booster(model_file=bytearray(model.model))
    zero, one, missing = booster.inplace_predict(features[:3])
    assert zero < 0.2 and one < 0.2 and missing > 0.8


def test_weights_count():
    channel = rows(400, 5)
    weights = np.where(channel.labels == 1, 3.0, 1.0).astype(np.float32)
    weighted = Channel(channel.features, channel.names, channel.labels, weights)
    mean = {
        name: float(xgboost.Booster(model_file=bytearray(trained(data).model)).inplace_predict(data.features).mean())
        for name, data in (("plain", channel), ("weighted", weighted))
    }
    assert mean["weighted"] > mean["plain"] + 0.05


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_is_too_few(label):
    channel = rows(20, 1)
    channel.labels[:] = label
    with pytest.raises(StepFailed, match=f"^channel train, column 1: no row has the label {1 - label}; both classes"):
        trained(channel)


def test_channels_of_different_width_do_not_go_together():
    narrow = rows(20, 1)
    narrow = Channel(narrow.features[:, :2], ["a", "b"], narrow.labels)
    with pytest.raises(StepFailed, match=r"^channel validation: 2 features where 4 belong\.$"):
        boosting.agreed(rows(20, 1), narrow)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"max_bin": 1}, "XGBoost refuses to train: value 1 for Parameter max_bin should be greater equal to 2."),
        ({"updater": "grow_colmaker,refresh", "process_type": "update"}, "XGBoost refuses to train: "),
    ],
)
def test_what_xgboost_refuses_is_one_sentence(given, said):
    with pytest.raises(StepFailed) as failed:
        trained(**given)
    assert str(failed.value).startswith(said) and "\n" not in str(failed.value)
