"""The built-in XGBoost algorithm's hyperparameters, from strings to what XGBoost takes.

Names, ranges and meaning: Amazon SageMaker AI developer guide, "XGBoost hyperparameters" and "Tune an XGBoost Model";
aliases and metrics as the algorithm's public code lists them (github.com/aws/sagemaker-xgboost-container,
algorithm_mode/hyperparameter_validation.py and constants/xgb_constants.py).
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from steps.common.failure import StepFailed
from steps.common.layout import PRESENT, Check, one_of
from steps.train.metrics import COUNTED, RANKED, REFUSED_FOR_MORE, known

WHOLE_NUMBERS = {
    "max_depth", "max_leaves", "max_bin", "max_cached_hist_node", "nthread", "seed", "num_class",
    "num_parallel_tree", "verbosity", "refresh_leaf", "one_drop", "top_k", "max_cat_to_onehot", "max_cat_threshold",
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
ALIASES = {
    "learning_rate": "eta", "min_split_loss": "gamma", "reg_lambda": "lambda", "reg_alpha": "alpha",
    "random_state": "seed", "n_jobs": "nthread",
}  # fmt: skip
"""Other names of the same: the first four are the built-in algorithm's, the rest XGBoost's."""

AT_LEAST_ZERO = {
    "gamma", "max_depth", "min_child_weight", "max_delta_step", "lambda", "alpha", "max_leaves", "nthread",
}  # fmt: skip
AT_MOST_ONE = {"eta", "rate_drop", "skip_drop"}
SHARES = {"subsample", "colsample_bytree", "colsample_bylevel", "colsample_bynode"}
"""Above 0, at most 1; XGBoost itself takes a share of nothing, and learns nothing."""

CHOICES = {
    "booster": {"gbtree", "gblinear", "dart"},
    "tree_method": {"auto", "exact", "approx", "hist"},
    "grow_policy": {"depthwise", "lossguide"},
    "process_type": {"default", "update"},
    "sample_type": {"uniform", "weighted"},
    "normalize_type": {"tree", "forest"},
    "sampling_method": {"uniform", "gradient_based"},
    "objective": {
        "binary:hinge", "binary:logistic", "binary:logitraw", "count:poisson", "multi:softmax", "multi:softprob",
        "rank:map", "rank:ndcg", "rank:pairwise", "reg:absoluteerror", "reg:gamma", "reg:linear", "reg:logistic",
        "reg:pseudohubererror", "reg:quantileerror", "reg:squarederror", "reg:squaredlogerror", "reg:tweedie",
        "survival:aft", "survival:cox",
    },
}  # fmt: skip

UPDATERS = {
    "coord_descent", "grow_colmaker", "grow_histmaker", "grow_quantile_histmaker", "prune", "refresh", "shotgun",
    "sync",
}  # fmt: skip
"""Those of the built-in algorithm that XGBoost still has."""

BOUNDED = {"aft-nloglik", "interval-regression-accuracy"}

WITHOUT_EFFECT = {
    "predictor", "dsplit", "sketch_eps", "prob_buffer_row", "lambda_bias", "single_precision_histogram",
    "deterministic_histogram", "use_dask_gpu_training", "save_model_on_termination",
}  # fmt: skip
"""The built-in algorithm takes them; today's XGBoost doesn't, or this image does what they ask for anyway."""

LABELS = {
    "binary:": one_of((0.0, 1.0)),
    "reg:logistic": Check(lambda cell: (cell >= 0) & (cell <= 1), "not between 0 and 1"),
    "reg:gamma": Check(lambda cell: cell > 0, "not above 0"),
    "reg:tweedie": Check(lambda cell: cell >= 0, "not 0 or above"),
    "reg:squaredlogerror": Check(lambda cell: cell > -1, "not above -1"),
    "count:poisson": Check(lambda cell: cell >= 0, "not 0 or above"),
    "rank:": Check(lambda cell: cell >= 0, "not 0 or above"),
}
"""What labels an objective learns from, by how its name begins."""


@dataclass(frozen=True)
class Hyperparameters:
    """Rounds, early stopping, metrics, and the parameters of the booster."""

    num_round: int
    early_stopping_rounds: int | None = None
    eval_metric: tuple[str, ...] = ()
    csv_weights: bool = False
    booster: dict[str, str | int | float] = field(default_factory=dict)

    @property
    def objective(self) -> str:
        """The objective's name."""
        return str(self.booster.get("objective", "reg:squarederror"))

    @property
    def binary(self) -> bool:
        """Whether the objective wants labels that are 0 or 1."""
        return self.objective.startswith("binary:")

    @property
    def label_check(self) -> Check:
        """What each label must pass."""
        if self.objective.startswith("multi:"):
            classes = int(self.booster["num_class"])
            return Check(
                lambda cell: (cell >= 0) & (cell < classes) & (cell % 1 == 0), f"not a class from 0 to {classes - 1}"
            )
        return next((check for start, check in LABELS.items() if self.objective.startswith(start)), PRESENT)

    @classmethod
    def parse(cls, given: Mapping[str, str]) -> "Hyperparameters":
        """Read the strings of hyperparameters.json.

        Raises:
            StepFailed: naming the first unknown, missing or ill-typed hyperparameter.
        """
        rest = _named({name: str(text).strip() for name, text in given.items()})
        if "num_round" not in rest:
            raise StepFailed("hyperparameter num_round: missing.")
        rounds = _whole(rest, "num_round", at_least=1)
        early = _whole(rest, "early_stopping_rounds", at_least=1) if "early_stopping_rounds" in rest else None
        metrics = _metrics("eval_metric", rest.pop("eval_metric", ""))
        # A tuning job hands over its objective, such as validation:auc; it must be measured to be found.
        objective = rest.pop("_tuning_objective_metric", "")
        for tuned in _metrics("_tuning_objective_metric", objective.rpartition(":")[2]):
            metrics = metrics if tuned in metrics else (*metrics, tuned)
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
                booster[name] = _choice(rest, name)
            elif name not in WITHOUT_EFFECT:
                raise StepFailed(f"hyperparameter {name}: unknown.")
        parsed = cls(rounds, early, metrics, weights == "1", booster)
        parsed._require_classes()
        return parsed

    def _require_classes(self) -> None:
        several = self.objective.startswith("multi:")
        if self.objective == "survival:aft":
            raise StepFailed("hyperparameter objective: survival:aft needs two bounds for a label, and there is one.")
        logistic = self.objective in ("binary:logistic", "binary:logitraw", "reg:logistic")
        if logistic and not 0 < float(self.booster.get("base_score", 0.5)) < 1:
            raise StepFailed(f"hyperparameter base_score: not between 0 and 1, as {self.objective} needs it.")
        if several and int(self.booster.get("num_class", 0)) < 2:
            raise StepFailed(f"hyperparameter num_class: {self.objective} needs it, with 2 or more.")
        for metric in self.eval_metric:
            if metric in BOUNDED:
                raise StepFailed(
                    f"hyperparameter eval_metric: {metric} needs two bounds for a label, and there is one."
                )
            if metric in ("merror", "mlogloss") and not several:
                raise StepFailed(f"hyperparameter eval_metric: {metric} needs an objective that begins with multi:.")
            if several and int(self.booster["num_class"]) > 2 and metric in REFUSED_FOR_MORE:
                other = f"{metric.removesuffix('_binary')}_macro"
                raise StepFailed(f"hyperparameter eval_metric: {metric} is for two classes; {other} is for more.")
            if metric in COUNTED and not (several or self.binary):
                raise StepFailed(
                    f"hyperparameter eval_metric: {metric} is for classes, {self.objective} predicts none."
                )


def _named(given: dict[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, text in given.items():
        own = ALIASES.get(name, name)
        if own in found:
            other = next(each for each in given if ALIASES.get(each, each) == own and each != name)
            raise StepFailed(f"hyperparameter {name}: the same as {other}, which is given too.")
        found[own] = text
    return found


def _whole(rest: dict[str, str], name: str, at_least: int | None = None) -> int:
    try:
        value = int(rest.pop(name))
    except ValueError:
        raise StepFailed(f"hyperparameter {name}: not a whole number.") from None
    least = 0 if at_least is None and name in AT_LEAST_ZERO else at_least
    if least is not None and value < least:
        raise StepFailed(f"hyperparameter {name}: less than {least}.")
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
    if name in AT_LEAST_ZERO and value < 0:
        raise StepFailed(f"hyperparameter {name}: less than 0.")
    if name in AT_MOST_ONE and not 0 <= value <= 1:
        raise StepFailed(f"hyperparameter {name}: not between 0 and 1.")
    if name == "scale_pos_weight" and value <= 0:
        raise StepFailed(f"hyperparameter {name}: not above 0.")
    if name == "tweedie_variance_power" and not 1 < value < 2:
        raise StepFailed(f"hyperparameter {name}: not between 1 and 2.")
    return value


def _choice(rest: dict[str, str], name: str) -> str:
    text = rest.pop(name)
    if name == "updater" and not {part.strip() for part in text.split(",")} <= UPDATERS:
        raise StepFailed(f"hyperparameter updater: not of {', '.join(sorted(UPDATERS))}.")
    if name == "interaction_constraints" and not _is_groups(text):
        raise StepFailed(
            "hyperparameter interaction_constraints: not a list of lists of columns, such as [[0, 1], [2]]."
        )
    if name == "tree_method" and text == "gpu_hist":
        raise StepFailed("hyperparameter tree_method: gpu_hist needs a GPU, which this image doesn't use; take hist.")
    if name in CHOICES and text not in CHOICES[name]:
        raise StepFailed(f"hyperparameter {name}: none of {', '.join(sorted(CHOICES[name]))}.")
    return text


def _is_groups(text: str) -> bool:
    try:
        groups = json.loads(text)
    except ValueError:
        return False
    return isinstance(groups, list) and all(
        isinstance(group, list) and all(isinstance(each, int | str) for each in group) for group in groups
    )


def _metrics(name: str, text: str) -> tuple[str, ...]:
    """Read the names of metrics: with commas between them, or as a JSON list."""
    found = [metric.strip() for metric in text.split(",") if metric.strip()]
    if text.startswith("["):
        try:
            found = [str(metric) for metric in json.loads(text)]
        except ValueError:
            raise StepFailed(f"hyperparameter {name}: not a list of names.") from None
    for metric in found:
        if not known(metric):
            also = f"; of those with @ there are {', '.join(sorted(RANKED))}" if "@" in metric else ""
            raise StepFailed(f"hyperparameter {name}: {metric[:40]} is no metric that is known{also}.")
    return tuple(dict.fromkeys(found))
