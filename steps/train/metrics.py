"""The metrics that SageMaker's built-in algorithm has beside XGBoost's own, and which of all are better when larger.

Names: constants/xgb_constants.py of github.com/aws/sagemaker-xgboost-container. There scikit-learn computes them host
by host; here counts are summed over the hosts first, so that each host sees the metric of all rows.
"""

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import xgboost

COUNTED = {
    "accuracy", "balanced_accuracy", "f1", "f1_binary", "f1_macro", "precision", "precision_macro", "precision_micro",
    "recall", "recall_macro", "recall_micro",
}  # fmt: skip
"""Those that count right and wrong classes."""

SQUARED = {"mse", "r2"}
OWN = COUNTED | SQUARED
REFUSED_FOR_MORE = {"f1_binary", "precision", "recall"}
"""Those that tell of one class, and need two in all."""

XGBOOSTS = {
    "aft-nloglik", "auc", "aucpr", "cox-nloglik", "error", "gamma-deviance", "gamma-nloglik",
    "interval-regression-accuracy", "logloss", "mae", "map", "mape", "merror", "mlogloss", "mphe", "ndcg",
    "poisson-nloglik", "pre", "quantile", "rmse", "rmsle", "tweedie-nloglik",
}  # fmt: skip
RANKED = {"error", "ndcg", "map", "pre", "tweedie-nloglik"}
"""Those that take a threshold or a rank after @."""

MAXIMIZED = COUNTED | {"r2", "auc", "aucpr", "map", "ndcg", "pre"}

Sum = Callable[["np.ndarray"], "np.ndarray"]


def known(metric: str) -> bool:
    """Whether a metric's name, with what stands after @, is one of the built-in algorithm's or XGBoost's."""
    name, at, rest = metric.partition("@")
    if at:
        return name in RANKED and bool(re.fullmatch(r"\d+(\.\d+)?-?", rest))
    return name.removesuffix("-") in XGBOOSTS or name in OWN


def is_maximized(metric: str) -> bool:
    """Whether a larger value is better."""
    return metric.partition("@")[0].removesuffix("-") in MAXIMIZED


def measured_by(names: Sequence[str], objective: str, classes: int, over_hosts: Sum) -> Any:
    """Return what XGBoost calls after each round: predictions and a matrix in, the named metrics out.

    Args:
        names: of the metrics, each in OWN.
        objective: what the predictions are of.
        classes: number of classes.
        over_hosts: sums an array over the job's hosts.
    """

    def measure(predictions: "np.ndarray", data: "xgboost.DMatrix") -> list[tuple[str, float]]:
        labels = data.get_label()
        found = {}
        if COUNTED & set(names):
            found |= counted(confusion(labels, _classes(predictions, objective), classes, over_hosts))
        if SQUARED & set(names):
            found |= squared(labels, predictions, over_hosts)
        return [(name, found[name]) for name in names]

    return measure


def _classes(predictions: "np.ndarray", objective: str) -> "np.ndarray":
    if predictions.ndim > 1:
        return predictions.argmax(axis=1)
    if objective.startswith("multi:"):
        return predictions.astype(int)
    return (predictions > (0.0 if objective == "binary:logitraw" else 0.5)).astype(int)


def confusion(labels: "np.ndarray", found: "np.ndarray", classes: int, over_hosts: Sum) -> "np.ndarray":
    """Return how many rows of each class (rows) got which (columns)."""
    import numpy as np

    cells = labels.astype(int) * classes + found.astype(int)
    return over_hosts(np.bincount(cells, minlength=classes * classes).astype(np.float64)).reshape(classes, classes)


def counted(table: "np.ndarray") -> dict[str, float]:
    """Return the metrics of a confusion table, as scikit-learn defines them; what has no denominator is 0.

    A class that is neither a label nor a prediction doesn't count in the averages.
    """
    import numpy as np

    right, actual, given = np.diag(table), table.sum(axis=1), table.sum(axis=0)
    there = (actual + given) > 0

    def shares(part: "np.ndarray", of: "np.ndarray") -> "np.ndarray":
        return np.divide(part, of, out=np.zeros(len(part)), where=of > 0)

    precision, recall, f1 = shares(right, given), shares(right, actual), shares(2 * right, actual + given)
    accuracy = float(right.sum() / table.sum()) if table.sum() else float("nan")

    def mean(values: "np.ndarray", which: "np.ndarray") -> float:
        return float(values[which].mean()) if which.any() else float("nan")

    return {
        "accuracy": accuracy,
        "balanced_accuracy": mean(recall, actual > 0),
        "f1": mean(f1, there),
        "f1_macro": mean(f1, there),
        "f1_binary": float(f1[1]),
        "precision": float(precision[1]),
        "precision_macro": mean(precision, there),
        "precision_micro": accuracy,
        "recall": float(recall[1]),
        "recall_macro": mean(recall, there),
        "recall_micro": accuracy,
    }


def squared(labels: "np.ndarray", predictions: "np.ndarray", over_hosts: Sum) -> dict[str, float]:
    """Return the mean squared error and the share of variance explained (R²)."""
    import numpy as np

    labels = labels.astype(np.float64)
    sums = over_hosts(np.array([len(labels), labels.sum(), (labels**2).sum(), ((labels - predictions) ** 2).sum()]))
    count, total, squares, residual = sums.tolist()
    spread = squares - total**2 / count if count else 0.0
    nan = float("nan")
    return {"mse": residual / count if count else nan, "r2": 1 - residual / spread if spread > 0 else nan}
