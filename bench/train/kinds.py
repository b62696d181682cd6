"""Which kind the example's shape and margin are: `.venvs/train/bin/python -m bench.train.kinds [--repeats N]`.

Repeated ten-fold cross-validation on the published table with the train step's settings, equal rows in the same fold;
early stopping on a seventh of each fold's training rows, as the pipeline's validation split. The intervals of the
differences come from 300 bootstrap samples of kinds of equal rows.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xgboost

from steps.common import reader
from steps.common.schema import Schema

TABLE = Path(__file__).parent.parent.parent / "data" / "mammographic_masses.data"
SETTINGS = {
    "objective": "binary:logistic", "eta": 0.05, "max_depth": 3, "min_child_weight": 4, "subsample": 0.8,
    "eval_metric": "logloss", "nthread": 1,
}  # fmt: skip
ROUNDS, EARLY, FOLDS, SAMPLES = 600, 30, 10, 300
READINGS: dict[str, tuple[set[str], set[str]]] = {
    "ordinal, monotone": (set(), {"bi_rads", "age", "shape", "margin"}),
    "ordinal, not monotone": (set(), {"bi_rads", "age"}),
    "both categorical": ({"shape", "margin"}, {"bi_rads", "age"}),
    "shape categorical": ({"shape"}, {"bi_rads", "age", "margin"}),
    "margin categorical": ({"margin"}, {"bi_rads", "age", "shape"}),
}
"""Which columns are categories, and in which the answer may only rise."""


def auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Return the area under the curve, ties as halves."""
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    ill = int((labels == 1).sum())
    return float((ranks[labels == 1].sum() - ill * (ill + 1) / 2) / (ill * (len(labels) - ill)))


def scored(
    rows: np.ndarray, labels: np.ndarray, names: Sequence[str], groups: np.ndarray, repeats: int
) -> dict[str, np.ndarray]:
    """Return each reading's probabilities of rows that its model didn't see: (repeats, rows)."""
    found = {name: np.zeros((repeats, len(labels))) for name in READINGS}
    count = int(groups.max()) + 1
    for repeat in range(repeats):
        chance = np.random.default_rng(repeat)
        folds = (chance.permutation(count) % FOLDS)[groups]
        for fold in range(FOLDS):
            stops = (chance.permutation(count) % 7 == 0)[groups]
            learned, watched, asked = (folds != fold) & ~stops, (folds != fold) & stops, folds == fold
            for reading, (categories, rising) in READINGS.items():
                table = rows - [name in categories for name in names]  # Codes begin at 0.
                types = ["c" if name in categories else "q" for name in names]

                def matrix(which: np.ndarray, table: np.ndarray = table, types: list[str] = types) -> xgboost.DMatrix:
                    return xgboost.DMatrix(
                        table[which], label=labels[which], feature_types=types, enable_categorical=True
                    )

                constraints = "(" + ",".join(str(int(name in rising)) for name in names) + ")"
                booster = xgboost.train(
                    SETTINGS | {"monotone_constraints": constraints, "seed": repeat},
                    matrix(learned),
                    ROUNDS,
                    evals=[(matrix(watched), "validation")],
                    early_stopping_rounds=EARLY,
                    verbose_eval=False,
                )
                best = (0, booster.best_iteration + 1)
                found[reading][repeat, asked] = booster.predict(matrix(asked), iteration_range=best)
    return found


def measured(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return mean AUC and Brier score of the repeats."""
    return np.array([np.mean([auc(labels, each) for each in scores]), ((scores - labels) ** 2).mean()])


def main() -> None:
    """Print a line for each reading."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=10)
    repeats = parser.parse_args().repeats
    schema = Schema.read()
    rows = reader.read(reader.listed(TABLE), schema.layout([*schema.names, schema.label]))
    features, labels = rows[:, :-1], rows[:, -1]
    for place, column in enumerate(schema.columns):
        features[~column.holds(features[:, place]), place] = np.nan
    _, groups = np.unique(np.nan_to_num(features, nan=-1), axis=0, return_inverse=True)
    groups = groups.ravel()
    found = scored(features, labels, schema.names, groups, repeats)
    chance = np.random.default_rng(0)
    members = [np.flatnonzero(groups == group) for group in range(groups.max() + 1)]
    samples = [
        np.concatenate([members[group] for group in chance.integers(0, len(members), len(members))])
        for _ in range(SAMPLES)
    ]
    first, *others = READINGS
    base, of_samples = measured(labels, found[first]), [measured(labels[s], found[first][:, s]) for s in samples]
    print(f"{len(labels)} rows, {len(members)} kinds of them, {repeats} times {FOLDS} folds")
    print(f"{first}: AUC {base[0]:.4f}, Brier {base[1]:.4f}")
    for reading in others:
        own = measured(labels, found[reading])
        less = [measured(labels[s], found[reading][:, s]) - b for s, b in zip(samples, of_samples, strict=True)]
        low, high = np.quantile(less, [0.025, 0.975], axis=0)
        print(
            f"{reading}: AUC {own[0]:.4f} ({own[0] - base[0]:+.4f}, 95 % {low[0]:+.4f} to {high[0]:+.4f}), "
            f"Brier {own[1]:.4f} ({own[1] - base[1]:+.4f}, 95 % {low[1]:+.4f} to {high[1]:+.4f})"
        )


if __name__ == "__main__":
    main()
