"""Boosting: matrices in, the best model's bytes out."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xgboost
from xgboost import collective
from xgboost.callback import EarlyStopping, TrainingCallback

from steps.common import log
from steps.common.failure import StepFailed
from steps.train.channels import Channel
from steps.train.hyperparameters import Hyperparameters

FEW_ROWS = 20_000
"""Below, a second thread costs more than it does; the model is the same."""

History = dict[str, dict[str, list[float]]]


@dataclass(frozen=True)
class Trained:
    """A model as XGBoost's UBJSON, all hosts' rows, the number of its rounds, and every metric after the last."""

    model: bytes
    rows: int
    rounds: int
    metrics: dict[str, float]


class Progress(TrainingCallback):
    """Logs each round's metrics as the built-in algorithm does, so that its metric definitions find them."""

    def after_iteration(self, model: xgboost.Booster, epoch: int, evals_log: History) -> bool:
        """Log the round; never ends the training."""
        values = [f"{data}-{metric}:{series[-1]:.5f}" for data, metric, series in _series(evals_log)]
        log.info("#011".join([f"[{epoch}]", *values]))
        return False


class Stop(TrainingCallback):
    """Ends the training after the round in which any host was asked to stop."""

    def __init__(self, asked: Callable[[], bool]) -> None:
        self._asked = asked

    def after_iteration(self, model: xgboost.Booster, epoch: int, evals_log: History) -> bool:
        """Return whether to end; all hosts agree, because each waits for the others in the next round."""
        return bool(_over_hosts(np.array([self._asked()], np.int32), collective.Op.MAX)[0])


def agreed(training: Channel, validation: Channel | None) -> tuple[Channel, Channel | None]:
    """Return the channels with the number of features that all of the job's hosts agree on.

    Raises:
        StepFailed: a host, or the validation channel, has another number.
    """
    found = [channel.features.shape[1] for channel in (training, validation) if channel is not None]
    width = int(_over_hosts(np.array([max(found)], np.int64), collective.Op.MAX)[0])
    for name, channel in (("train", training), ("validation", validation)):
        if channel is not None and channel.widened(width).features.shape[1] != width:
            features = channel.features.shape[1]
            raise StepFailed(f"channel {name}: {features} feature{'s'[features == 1 :]} where {width} belong.")
    return training.widened(width), validation and validation.widened(width)


def train(
    hyperparameters: Hyperparameters,
    training: Channel,
    validation: Channel | None,
    asked_to_stop: Callable[[], bool] = lambda: False,
) -> Trained:
    """Train, with early stopping on the validation channel where there is one.

    Args:
        hyperparameters: of the built-in algorithm.
        training: rows to learn from.
        validation: rows to stop early on.
        asked_to_stop: asked after every round; True ends training with the best model so far.

    Raises:
        StepFailed: only one class occurs, or XGBoost refuses a hyperparameter.
    """
    if hyperparameters.binary:
        _require_both_classes(training)
    parameters = hyperparameters.booster | {"eval_metric": list(hyperparameters.eval_metric)}
    if len(training.labels) < FEW_ROWS:
        parameters.setdefault("nthread", 1)
    stop_early = validation is not None and hyperparameters.early_stopping_rounds
    if hyperparameters.early_stopping_rounds and not stop_early:
        log.info("early_stopping_rounds has no effect without a validation channel.")
    # Early stopping comes first: once a callback ends the training, those behind it don't see the round.
    early = [EarlyStopping(rounds=hyperparameters.early_stopping_rounds)] if stop_early else []
    history: History = {}
    try:
        matrices = [(_matrix(training), "train")]
        if validation is not None:
            matrices.append((_matrix(validation), "validation"))
        booster = xgboost.train(
            parameters,
            matrices[0][0],
            num_boost_round=hyperparameters.num_round,
            evals=matrices,
            evals_result=history,
            verbose_eval=False,
            callbacks=[Progress(), *early, Stop(asked_to_stop)],
        )
        if stop_early and hyperparameters.booster.get("booster") != "gblinear":  # It has no rounds to cut.
            booster = booster[: booster.best_iteration + 1]
    except (xgboost.core.XGBoostError, ValueError, TypeError) as error:
        if "/collective/" in str(error):  # Another host is lost; whoever joined them tells that.
            raise
        raise StepFailed(f"XGBoost refuses to train: {_sentence(error)}") from None
    rounds = booster.num_boosted_rounds()
    # What the metadata says needn't be in the model as well, where it would tell two equal models apart.
    booster.set_attr(best_iteration=None, best_score=None)
    metrics = {f"{data}:{metric}": series[rounds - 1] for data, metric, series in _series(history)}
    rows = int(_over_hosts(np.array([len(training.labels)], np.int64), collective.Op.SUM)[0])
    return Trained(bytes(booster.save_raw("ubj")), rows, rounds, metrics)


def _require_both_classes(training: Channel) -> None:
    rows = np.array([(training.labels == 0).sum(), (training.labels == 1).sum()], np.int64)
    rows = _over_hosts(rows, collective.Op.SUM)
    for value in (0, 1):
        if not rows[value]:
            raise StepFailed(f"channel train, column 1: no row has the label {value}; both classes are needed.")


def _over_hosts(numbers: np.ndarray, operation: collective.Op) -> np.ndarray:
    return collective.allreduce(numbers, operation) if collective.get_world_size() > 1 else numbers


def _matrix(channel: Channel) -> xgboost.DMatrix:
    return xgboost.DMatrix(channel.features, label=channel.labels, weight=channel.weights)


def _series(history: History) -> list[tuple[str, str, list[float]]]:
    return [(data, metric, series) for data, of in history.items() for metric, series in of.items()]


def _sentence(error: Exception) -> str:
    """Return what XGBoost says, without time, place in its source and stack trace."""
    line = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return re.sub(r"^(\[[\d:]+\] )?(/\S+:\d+: )?(Check failed: )?", "", line).strip().rstrip(".") + "."
