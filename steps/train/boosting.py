"""Boosting: matrices in, the best model's bytes out."""

import math
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xgboost
from xgboost import collective
from xgboost.callback import TrainingCallback

from steps.common import log
from steps.common.failure import StepFailed
from steps.common.layout import listing
from steps.train import metrics
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


class Early(TrainingCallback):
    """Ends the training once a metric of the validation rows hasn't become better for some rounds.

    A metric that isn't a number says nothing of a round: it neither counts nor ends anything.
    """

    def __init__(self, rounds: int, metric: str | None) -> None:
        """Take the rounds to wait, and the metric's name; without one it is the last that is measured."""
        self._rounds, self._metric = rounds, metric
        self._best = math.nan
        self.best_round: int | None = None

    def after_iteration(self, model: xgboost.Booster, epoch: int, evals_log: History) -> bool:
        """Return whether to end."""
        measured = evals_log["validation"]
        name = self._metric if self._metric in measured else list(measured)[-1]
        value = measured[name][-1]
        if math.isnan(value):
            return False
        better = value > self._best if metrics.is_maximized(name) else value < self._best
        if self.best_round is None or better:
            self._best, self.best_round = value, epoch
        return epoch - self.best_round >= self._rounds


def agreed(training: Channel, validation: Channel | None) -> tuple[Channel, Channel | None]:
    """Return the channels with the number of features that all of the job's hosts agree on.

    Raises:
        StepFailed: a host, or the validation channel, has another number, or a host has other columns.
    """
    found = [channel.features.shape[1] for channel in (training, validation) if channel is not None]
    width = int(_over_hosts(np.array([max(found)], np.int64), collective.Op.MAX)[0])
    for name, channel in (("train", training), ("validation", validation)):
        if channel is not None and channel.widened(width).features.shape[1] != width:
            features = channel.features.shape[1]
            raise StepFailed(f"channel {name}: {features} feature{'s'[features == 1 :]} where {width} belong.")
    # Each host reads other files; of another table than the schema's, their first one gives the order of its columns.
    mine = zlib.crc32("\n".join(training.names).encode()) if len(training.labels) else None
    least, most = (
        int(_over_hosts(np.array([other if mine is None else mine], np.int64), operation)[0])
        for other, operation in ((1 << 32, collective.Op.MIN), (-1, collective.Op.MAX))
    )
    if least < most:
        raise StepFailed("channel train: the hosts' files have different columns, or the same in another order.")
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
    _require_fitting(hyperparameters, training)
    parameters = _parameters(hyperparameters, training)
    stop_early = validation is not None and hyperparameters.early_stopping_rounds
    if hyperparameters.early_stopping_rounds and not stop_early:
        log.info("early_stopping_rounds has no effect without a validation channel.")
    last = hyperparameters.eval_metric[-1] if hyperparameters.eval_metric else None
    # Early stopping comes first: once a callback ends the training, those behind it don't see the round.
    early = Early(hyperparameters.early_stopping_rounds, last) if stop_early else None
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
            custom_metric=_own_metrics(hyperparameters),
            callbacks=[Progress(), *([early] if early else []), Stop(asked_to_stop)],
        )
        linear = hyperparameters.booster.get("booster") == "gblinear"  # It has no rounds to cut.
        if early and early.best_round is not None and not linear:
            booster = booster[: early.best_round + 1]
    except (xgboost.core.XGBoostError, ValueError, TypeError) as error:
        if "/collective/" in str(error):  # Another host is lost; whoever joined them tells that.
            raise
        raise StepFailed(f"XGBoost refuses to train: {_sentence(error)}") from None
    rounds = booster.num_boosted_rounds()
    # What the metadata says needn't be in the model as well, where it would tell two equal models apart.
    booster.set_attr(best_iteration=None, best_score=None)
    figures = {f"{data}:{metric}": series[rounds - 1] for data, metric, series in _series(history)}
    for name in (name for name, value in figures.items() if not math.isfinite(value)):
        log.info(f"{name} isn't a number: the channel's rows don't allow it, as an AUC of one class.")
    rows = int(_over_hosts(np.array([len(training.labels)], np.int64), collective.Op.SUM)[0])
    return Trained(bytes(booster.save_raw("ubj")), rows, rounds, figures)


def _require_both_classes(training: Channel) -> None:
    rows = np.array([(training.labels == 0).sum(), (training.labels == 1).sum()], np.int64)
    rows = _over_hosts(rows, collective.Op.SUM)
    for value in (0, 1):
        if not rows[value]:
            raise StepFailed(f"channel train, column 1: no row has the label {value}; both classes are needed.")


def _over_hosts(numbers: np.ndarray, operation: collective.Op) -> np.ndarray:
    return collective.allreduce(numbers, operation) if collective.get_world_size() > 1 else numbers


def _matrix(channel: Channel) -> xgboost.DMatrix:
    return xgboost.DMatrix(
        channel.features,
        label=channel.labels,
        weight=channel.weights,
        feature_types=channel.types,
        enable_categorical=channel.types is not None,
    )


def _parameters(hyperparameters: Hyperparameters, training: Channel) -> dict[str, object]:
    """Return what XGBoost is given; metrics of the container's own are measured beside it."""
    names = [name for name in hyperparameters.eval_metric if name not in metrics.OWN]
    parameters = hyperparameters.booster | {"eval_metric": names}
    if names != list(hyperparameters.eval_metric) and not names:
        parameters["disable_default_eval_metric"] = 1
    if len(training.labels) < FEW_ROWS:
        parameters.setdefault("nthread", 1)
    return parameters


def _own_metrics(hyperparameters: Hyperparameters) -> Callable[..., object] | None:
    names = [name for name in hyperparameters.eval_metric if name in metrics.OWN]
    if not names:
        return None
    classes = int(hyperparameters.booster.get("num_class", 2))
    return metrics.measured_by(
        names, hyperparameters.objective, classes, lambda array: _over_hosts(array, collective.Op.SUM)
    )


def _having(names: list[str]) -> str:
    one = len(names) == 1
    return f"column{'s'[one:]} {listing(names)} {'has' if one else 'have'} categories"


def _require_fitting(hyperparameters: Hyperparameters, training: Channel) -> None:
    """Check the settings against the channel's columns.

    Raises:
        StepFailed: monotone constraints aren't one for each feature, or one is on a category; or the booster or
            tree method takes no categories.
    """
    given, width = hyperparameters.booster, training.features.shape[1]
    categories = [name for name, kind in zip(training.names, training.types or [], strict=False) if kind == "c"]
    if categories and (given.get("booster") == "gblinear" or given.get("tree_method") == "exact"):
        setting = "booster" if given.get("booster") == "gblinear" else "tree_method"
        raise StepFailed(f"hyperparameter {setting}: takes no categories, and {_having(categories)}.")
    text = str(given.get("monotone_constraints", "")).strip()
    if not text:
        return
    try:
        constraints = [int(part) for part in text.strip("()[] ").rstrip(", ").split(",")]
    except ValueError:
        constraints = [2]
    if not set(constraints) <= {-1, 0, 1}:
        raise StepFailed("hyperparameter monotone_constraints: not a list of -1, 0 and 1 in parentheses.")
    if len(constraints) != width:
        raise StepFailed(f"hyperparameter monotone_constraints: {len(constraints)} where {width} features are.")
    wrong = [name for name, each in zip(training.names, constraints, strict=True) if each and name in categories]
    if wrong:
        raise StepFailed(f"hyperparameter monotone_constraints: categories have no order, and {_having(wrong)}.")


def _series(history: History) -> list[tuple[str, str, list[float]]]:
    return [(data, metric, series) for data, of in history.items() for metric, series in of.items()]


def _sentence(error: Exception) -> str:
    """Return what XGBoost says, without time, place in its source and stack trace."""
    line = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return re.sub(r"^(\[[\d:]+\] )?(/\S+:\d+: )?(Check failed: )?", "", line).strip().rstrip(".") + "."
