"""The built-in algorithm's hyperparameters: its names, its types, strings all."""

import pytest

from steps.common.failure import StepFailed
from steps.train.hyperparameters import Hyperparameters

DOCUMENTED = {
    "num_class": "2", "num_round": "7", "alpha": "0.5", "base_score": "0.4", "booster": "gbtree",
    "colsample_bylevel": "0.9", "colsample_bynode": "1", "colsample_bytree": "0.8", "csv_weights": "1",
    "deterministic_histogram": "true", "early_stopping_rounds": "3", "eta": "0.3", "eval_metric": "auc,error@0.4",
    "gamma": "0", "grow_policy": "depthwise", "interaction_constraints": "[[1, 2], [3]]", "lambda": "1",
    "lambda_bias": "0", "max_bin": "256", "max_delta_step": "0", "max_depth": "6", "max_leaves": "0",
    "min_child_weight": "1", "monotone_constraints": "(1, 0)", "normalize_type": "tree", "nthread": "2",
    "objective": "binary:logistic", "one_drop": "0", "process_type": "default", "rate_drop": "0.0",
    "refresh_leaf": "1", "sample_type": "uniform", "scale_pos_weight": "1", "seed": "0",
    "single_precision_histogram": "false", "sketch_eps": "0.03", "skip_drop": "0.0", "subsample": "1",
    "tree_method": "auto", "tweedie_variance_power": "1.5", "updater": "grow_colmaker,prune", "verbosity": "1",
}  # fmt: skip
"""Every name in the developer guide's table, with a value that it allows."""

SILENT = {"csv_weights", "deterministic_histogram", "early_stopping_rounds", "eval_metric", "lambda_bias",
          "num_round", "single_precision_histogram", "sketch_eps"}  # fmt: skip
"""Those that aren't parameters of the booster."""


def test_every_documented_name_is_taken():
    parsed = Hyperparameters.parse(DOCUMENTED)
    assert (parsed.num_round, parsed.early_stopping_rounds, parsed.csv_weights) == (7, 3, True)
    assert parsed.eval_metric == ("auc", "error@0.4")
    assert set(parsed.booster) == set(DOCUMENTED) - SILENT


def test_types_are_xgboosts():
    booster = Hyperparameters.parse(DOCUMENTED).booster
    assert {name for name, value in booster.items() if type(value) is int} == {
        "num_class", "max_bin", "max_depth", "max_leaves", "nthread", "one_drop", "refresh_leaf", "seed", "verbosity",
    }  # fmt: skip
    assert booster["eta"] == 0.3 and booster["objective"] == "binary:logistic"


def test_the_seed_is_fixed_where_none_is_given():
    assert Hyperparameters.parse({"num_round": "1"}).booster == {"seed": 0}


@pytest.mark.parametrize(
    ("alias", "name"),
    [("learning_rate", "eta"), ("min_split_loss", "gamma"), ("reg_lambda", "lambda"), ("reg_alpha", "alpha")],
)
def test_aliases_are_the_same_parameter(alias, name):
    given = {"num_round": "1", "objective": "binary:logistic"}
    assert Hyperparameters.parse(given | {alias: "0.25"}) == Hyperparameters.parse(given | {name: "0.25"})


@pytest.mark.parametrize(
    ("objective", "good", "bad"),
    [
        ("binary:logistic", [0, 1], [2, -1, 0.5, float("nan")]),
        ("multi:softprob", [0, 1, 2], [3, -1, 1.5, float("nan")]),
        ("reg:squarederror", [-7.5, 0], [float("nan")]),
        ("reg:gamma", [0.1], [0, -1, float("nan")]),
        ("reg:tweedie", [0, 3], [-1, float("nan")]),
        ("count:poisson", [0, 3], [-1, float("nan")]),
        ("reg:logistic", [0, 0.5, 1], [1.5, -0.1, float("nan")]),
        ("reg:squaredlogerror", [0, -0.5], [-1, float("nan")]),
    ],
)
def test_labels_are_what_the_objective_learns_from(objective, good, bad):
    check = Hyperparameters.parse({"num_round": "1", "objective": objective, "num_class": "3"}).label_check
    assert all(check.holds(value) for value in good)
    assert not any(check.holds(value) for value in bad)


@pytest.mark.parametrize("text", ["auc,logloss", "auc, logloss", '["auc", "logloss"]'])
def test_metrics_are_a_list_in_either_form(text):
    assert Hyperparameters.parse({"num_round": "1", "eval_metric": text}).eval_metric == ("auc", "logloss")


def test_a_tuning_jobs_objective_is_measured():
    given = {"num_round": "1", "eval_metric": "logloss", "_tuning_objective_metric": "validation:auc"}
    assert Hyperparameters.parse(given).eval_metric == ("logloss", "auc")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "hyperparameter num_round: missing."),
        ({"num_round": "many"}, "hyperparameter num_round: not a whole number."),
        ({"num_round": "0"}, "hyperparameter num_round: less than 1."),
        ({"num_round": "1", "max_depth": "2.5"}, "hyperparameter max_depth: not a whole number."),
        ({"num_round": "1", "eta": "fast"}, "hyperparameter eta: not a number."),
        ({"num_round": "1", "eta": "nan"}, "hyperparameter eta: not a number."),
        ({"num_round": "1", "subsample": "0"}, "hyperparameter subsample: not above 0 and at most 1."),
        ({"num_round": "1", "early_stopping_rounds": "0"}, "hyperparameter early_stopping_rounds: less than 1."),
        ({"num_round": "1", "csv_weights": "yes"}, "hyperparameter csv_weights: not 0 or 1."),
        ({"num_round": "1", "eval_metric": "[auc"}, "hyperparameter eval_metric: not a list of names."),
        ({"num_round": "1", "eval_metric": "auc,f2"}, "hyperparameter eval_metric: f2 is no metric that is known."),
        (
            {"num_round": "1", "_tuning_objective_metric": "validation:f2"},
            "hyperparameter _tuning_objective_metric: f2 is no metric that is known.",
        ),
        (
            {"num_round": "1", "eval_metric": "auc@0.5"},
            "hyperparameter eval_metric: auc@0.5 is no metric that is known; "
            "of those with @ there are error, map, ndcg, pre, tweedie-nloglik.",
        ),
        (
            {"num_round": "1", "eval_metric": "f1"},
            "hyperparameter eval_metric: f1 is for classes, reg:squarederror predicts none.",
        ),
        (
            {"num_round": "1", "objective": "multi:softmax"},
            "hyperparameter num_class: multi:softmax needs it, with 2 or more.",
        ),
        (
            {"num_round": "1", "objective": "multi:softmax", "num_class": "3", "eval_metric": "f1_binary"},
            "hyperparameter eval_metric: f1_binary is for two classes; f1_macro is for more.",
        ),
        (
            {"num_round": "1", "eta": "0.1", "learning_rate": "0.1"},
            "hyperparameter learning_rate: the same as eta, which is given too.",
        ),
        ({"num_round": "1", "reg_lambda": "-1"}, "hyperparameter lambda: less than 0."),
        ({"num_round": "1", "learning_rate": "1.5"}, "hyperparameter eta: not between 0 and 1."),
        ({"num_round": "1", "objective": "binary:none"}, "hyperparameter objective: none of binary:hinge, "),
        (
            {"num_round": "1", "objective": "survival:aft"},
            "hyperparameter objective: survival:aft needs two bounds for a label",
        ),
        ({"num_round": "1", "tree_method": "gpu_hist"}, "hyperparameter tree_method: gpu_hist needs a GPU"),
        ({"num_round": "1", "updater": "distcol"}, "hyperparameter updater: not of coord_descent, "),
        (
            {"num_round": "1", "interaction_constraints": "[[0"},
            "hyperparameter interaction_constraints: not a list of lists",
        ),
        (
            {"num_round": "1", "objective": "binary:logistic", "base_score": "2"},
            "hyperparameter base_score: not between 0 and 1",
        ),
        ({"num_round": "1", "learning_rat": "1"}, "hyperparameter learning_rat: unknown."),
    ],
)
def test_what_is_wrong_is_named(given, said):
    with pytest.raises(StepFailed) as failed:
        Hyperparameters.parse(given)
    assert str(failed.value).startswith(said) and str(failed.value).endswith(".")
