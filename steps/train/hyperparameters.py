"""The built-in XGBoost algorithm's hyperparameters, from strings to what XGBoost takes.

Names and meaning: Amazon SageMaker AI developer guide, "XGBoost hyperparameters".
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from steps.common.failure import StepFailed

WHOLE_NUMBERS = {
    "max_depth", "max_leaves", "max_bin", "max_cached_hist_node", "nthread", "seed", "num_class",
    "num_parallel_tree", "verbosity", "refresh_leaf", "one_drop", "top_k",
}  # fmt: skip
NUMBERS = {
    "eta", "gamma", "min_child_weight", "max_delta_step", "subsample", "colsample_bytree",
    "colsample_bylevel", "colsample_bynode", "lambda", "alpha", "scale_pos_weight", "base_score",
    "rate_drop", "skip_drop", "tweedie_variance_power", "huber_slope", "quantile_alpha",
    "aft_loss_distribution_scale",
}  # fmt: skip
TEXTS = {
    "booster", "objective", "tree_method", "grow_policy", "sampling_method", "sample_type", "normalize_type",
    "process_type", "updater", "feature_selector", "monotone_constraints", "interaction_constraints",
    "aft_loss_distribution",
}  # fmt: skip
SHARES = {"subsample", "colsample_bytree", "colsample_bylevel", "colsample_bynode"}
"""Above 0, at most 1; XGBoost itself takes a share of nothing, and learns nothing."""

WITHOUT_EFFECT = {
    "predictor", "dsplit", "sketch_eps", "prob_buffer_row", "lambda_bias", "single_precision_histogram",
    "deterministic_histogram", "use_dask_gpu_training", "save_model_on_termination",
}  # fmt: skip
"""The built-in algorithm takes them; today's XGBoost doesn't, or this image does what they ask for anyway."""


@dataclass(frozen=True)
class Hyperparameters:
    """Rounds, early stopping, metrics, and the parameters of the booster."""

    num_round: int
    early_stopping_rounds: int | None = None
    eval_metric: tuple[str, ...] = ()
    csv_weights: bool = False
    booster: dict[str, str | int | float] = field(default_factory=dict)

    @property
    def binary(self) -> bool:
        """Whether the objective wants labels that are 0 or 1."""
        return str(self.booster.get("objective", "")).startswith("binary:")

    @classmethod
    def parse(cls, given: Mapping[str, str]) -> "Hyperparameters":
        """Read the strings of hyperparameters.json.

        Raises:
            StepFailed: naming the first unknown, missing or ill-typed hyperparameter.
        """
        rest = {name: str(text) for name, text in given.items()}
        if "num_round" not in rest:
            raise StepFailed("hyperparameter num_round: missing.")
        rounds = _whole(rest, "num_round", at_least=1)
        early = _whole(rest, "early_stopping_rounds", at_least=1) if "early_stopping_rounds" in rest else None
        metrics = _metrics(rest.pop("eval_metric", ""))
        # A tuning job hands over its objective, such as validation:auc; it must be measured to be found.
        tuned = rest.pop("_tuning_objective_metric", "").rpartition(":")[2]
        if tuned and tuned not in metrics:
            metrics = (*metrics, tuned)
        weights = rest.pop("csv_weights", "0")
        if weights not in ("0", "1"):
            raise StepFailed("hyperparameter csv_weights: not 0 or 1.")
        booster: dict[str, str | int | float] = {"seed": 0}
        for name in list(rest):
            if name in WHOLE_NUMBERS:
                booster[name] = _whole(rest, name)
            elif name in NUMBERS:
                booster[name] = _number(rest, name)
            elif name in TEXTS:
                booster[name] = rest[name]
            elif name not in WITHOUT_EFFECT:
                raise StepFailed(f"hyperparameter {name}: unknown.")
        return cls(rounds, early, metrics, weights == "1", booster)


def _whole(rest: dict[str, str], name: str, at_least: int | None = None) -> int:
    try:
        value = int(rest.pop(name))
    except ValueError:
        raise StepFailed(f"hyperparameter {name}: not a whole number.") from None
    if at_least is not None and value < at_least:
        raise StepFailed(f"hyperparameter {name}: less than {at_least}.")
    return value


def _number(rest: dict[str, str], name: str) -> float:
    try:
        value = float(rest.pop(name))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise StepFailed(f"hyperparameter {name}: not a number.")
    if name in SHARES and not 0 < value <= 1:
        raise StepFailed(f"hyperparameter {name}: not above 0 and at most 1.")
    return value


def _metrics(text: str) -> tuple[str, ...]:
    """Read the names of metrics: with commas between them, or as a JSON list."""
    if not text.startswith("["):
        return tuple(metric.strip() for metric in text.split(",") if metric.strip())
    try:
        return tuple(str(metric) for metric in json.loads(text))
    except ValueError:
        raise StepFailed("hyperparameter eval_metric: not a list of names.") from None
