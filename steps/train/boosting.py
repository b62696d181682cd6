"""Boosting: matrices in, the best model's bytes out."""

from collections.abc import Callable
from dataclasses import dataclass

import xgboost

from steps.common.failure import StepFailed
from steps.train.channels import Channel
from steps.train.hyperparameters import Hyperparameters


@dataclass(frozen=True)
class Trained:
    """A model as XGBoost's UBJSON, the number of its rounds, and the last value of every metric."""

    model: bytes
    rounds: int
    metrics: dict[str, float]


class Progress(xgboost.callback.TrainingCallback):
    """Prints each round's metrics as the built-in algorithm does, and ends training when asked to."""

    def __init__(self, stop: Callable[[], bool]) -> None:
        self._stop = stop

    def after_iteration(self, model, epoch, evals_log) -> bool:  # noqa: D102
        values = [
            f"{data}-{metric}:{series[-1]:.5f}"
            for data, metrics in evals_log.items()
            for metric, series in metrics.items()
        ]
        print(f"[{epoch}]#011" + "#011".join(values), flush=True)
        return self._stop()


def train(
    hyperparameters: Hyperparameters,
    training: Channel,
    validation: Channel | None,
    stop: Callable[[], bool] = lambda: False,
) -> Trained:
    """Train, with early stopping on the validation channel where there is one.

    Args:
        hyperparameters: of the built-in algorithm.
        training: rows to learn from.
        validation: rows to stop early on.
        stop: asked after every round; True ends training with the best model so far.

    Raises:
        StepFailed: XGBoost refuses a hyperparameter.
    """
    parameters = dict(hyperparameters.booster)
    if hyperparameters.eval_metric:
        parameters["eval_metric"] = list(hyperparameters.eval_metric)
    matrices = [(_matrix(training), "train")]
    if validation is not None:
        matrices.append((_matrix(validation), "validation"))
    history: dict[str, dict[str, list[float]]] = {}
    try:
        booster = xgboost.train(
            parameters,
            matrices[0][0],
            num_boost_round=hyperparameters.num_round,
            evals=matrices,
            early_stopping_rounds=hyperparameters.early_stopping_rounds if validation is not None else None,
            evals_result=history,
            verbose_eval=False,
            callbacks=[Progress(stop)],
        )
    except (xgboost.core.XGBoostError, ValueError, TypeError) as error:
        raise StepFailed(f"XGBoost refuses the hyperparameters: {_first_line(error)}") from None
    if validation is not None and hyperparameters.early_stopping_rounds:
        booster = booster[: booster.best_iteration + 1]
    rounds = booster.num_boosted_rounds()
    metrics = {
        f"{data}:{metric}": series[rounds - 1] for data, of in history.items() for metric, series in of.items()
    }
    # The best round's score is an attribute of the sliced model too; it is in the metadata instead.
    booster.set_attr(best_iteration=None, best_score=None)
    return Trained(bytes(booster.save_raw("ubj")), rounds, metrics)


def _matrix(channel: Channel) -> xgboost.DMatrix:
    return xgboost.DMatrix(channel.features, label=channel.labels, weight=channel.weights)


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip() and "Stack trace" not in line]
    return lines[0].split("] ")[-1].strip() if lines else type(error).__name__
