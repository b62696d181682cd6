"""The built-in XGBoost algorithm's hyperparameters, from strings to what XGBoost takes.

Names and meaning: Amazon SageMaker AI developer guide, "XGBoost hyperparameters".
"""

import json
from dataclasses import dataclass, field

from steps.common.failure import StepFailed

WHOLE_NUMBERS = {
    "max_depth", "max_leaves", "max_bin", "nthread", "seed", "num_class", "num_parallel_tree", "verbosity",
    "refresh_leaf", "one_drop",
}  # fmt: skip
NUMBERS = {
    "eta", "gamma", "min_child_weight", "max_delta_step", "subsample", "colsample_bytree", "colsample_bylevel",
    "colsample_bynode", "lambda", "alpha", "lambda_bias", "scale_pos_weight", "base_score", "rate_drop",
    "skip_drop", "tweedie_variance_power", "huber_slope", "aft_loss_distribution_scale",
}  # fmt: skip
TEXTS = {
    "booster", "objective", "tree_method", "grow_policy", "sampling_method", "sample_type", "normalize_type",
    "process_type", "updater", "monotone_constraints", "interaction_constraints", "aft_loss_distribution",
}  # fmt: skip
WITHOUT_EFFECT = {
    "predictor", "dsplit", "sketch_eps", "prob_buffer_row", "single_precision_histogram",
    "deterministic_histogram", "use_dask_gpu_training", "_tuning_objective_metric", "save_model_on_termination",
}  # fmt: skip
"""The built-in algorithm takes them; today's XGBoost doesn't, or does what they ask for anyway."""


@dataclass(frozen=True)
class Hyperparameters:
    """Rounds, early stopping, metrics, and the parameters of the booster."""

    num_round: int
    early_stopping_rounds: int | None = None
    eval_metric: tuple[str, ...] = ()
    csv_weights: bool = False
    booster: dict[str, str | int | float] = field(default_factory=dict)

    @classmethod
    def parse(cls, given: dict[str, str]) -> "Hyperparameters":
        """Read the strings of hyperparameters.json.

        Raises:
            StepFailed: naming the first unknown, missing or ill-typed hyperparameter.
        """
        given = {name: str(value) for name, value in given.items()}
        if "num_round" not in given:
            raise StepFailed("hyperparameter num_round: missing.")
        booster: dict[str, str | int | float] = {"seed": 0}
        for name, text in given.items():
            if name in WHOLE_NUMBERS:
                booster[name] = _number(name, text, int)
            elif name in NUMBERS:
                booster[name] = _number(name, text, float)
            elif name in TEXTS:
                booster[name] = text
            elif name not in WITHOUT_EFFECT | {
                "num_round", "early_stopping_rounds", "eval_metric", "csv_weights",
            }:  # fmt: skip
                raise StepFailed(f"hyperparameter {name}: unknown to this image.")
        stop = given.get("early_stopping_rounds")
        return cls(
            num_round=_number("num_round", given["num_round"], int, at_least=1),
            early_stopping_rounds=_number("early_stopping_rounds", stop, int, at_least=1) if stop else None,
            eval_metric=_metrics(given.get("eval_metric", "")),
            csv_weights=given.get("csv_weights", "0") == "1",
            booster=booster,
        )


def _number(name: str, text: str, kind: type, at_least: float | None = None):
    try:
        value = kind(text)
    except ValueError:
        noun = "a whole number" if kind is int else "a number"
        raise StepFailed(f"hyperparameter {name}: not {noun}.") from None
    if at_least is not None and value < at_least:
        raise StepFailed(f"hyperparameter {name}: less than {at_least:g}.")
    return value


def _metrics(text: str) -> tuple[str, ...]:
    if text.startswith("["):
        return tuple(json.loads(text))
    return tuple(metric.strip() for metric in text.split(",") if metric.strip())
