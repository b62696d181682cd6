"""How often the check of a model's quality is wrong: `python -m bench.monitor.quality_rates [--jobs N] [--seed N]`.

A job's rows are drawn from a stated model: probabilities from a mixture of two Beta distributions, labels that follow
them (so the model is calibrated, with an AUC near 0.9, like the example's). Each job has a baseline of its own, drawn
in the same way. A false alarm is any violation where nothing changed; the shifts are what becomes of models.
"""

import argparse
import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bench.monitor.error_rates import lower_bound, upper_bound
from steps.monitor import quality

BASELINE_ROWS = 180
SIZES = (48, 200, 1_000)
SEED = 2_026_112
"""Not used while the thresholds were chosen."""

Rows = tuple[NDArray[np.int64], NDArray[np.float64]]
Shift = Callable[[np.random.Generator, Rows], Rows]


def draw(rng: np.random.Generator, count: int) -> Rows:
    """Return labels and probabilities of rows."""
    high = rng.random(count) < 0.46
    probabilities = np.where(high, rng.beta(5, 1.3, count), rng.beta(1.3, 7, count))
    return (rng.random(count) < probabilities).astype(np.int64), probabilities


def noisy(rng: np.random.Generator, rows: Rows) -> Rows:
    """A third of the probabilities are those of other rows: a column was swapped, or a join went wrong."""
    labels, probabilities = rows
    chosen = np.flatnonzero(rng.random(len(labels)) < 1 / 3)
    shuffled = probabilities.copy()
    shuffled[chosen] = probabilities[rng.permutation(chosen)]
    return labels, shuffled


def more_positives(rng: np.random.Generator, rows: Rows) -> Rows:
    """A fifth of the negatives are positive: the disease has become more frequent than the model knows."""
    labels, probabilities = rows
    return np.where(rng.random(len(labels)) < 0.2, 1, labels), probabilities


SHIFTS: dict[str, Shift] = {"a third shuffled": noisy, "more positives": more_positives}


def alarms(jobs: int, seed: int, rows: int, shift: Shift | None) -> tuple[int, int]:
    """Return in how many jobs there was an alarm, and in how many there were labels enough."""
    found = judged = 0
    for number in range(jobs):
        rng = np.random.default_rng([seed, rows, number])
        before = quality.figures(*draw(rng, BASELINE_ROWS))
        labels, probabilities = draw(rng, rows)
        if shift:
            labels, probabilities = shift(rng, (labels, probabilities))
        if not quality.enough(labels):
            continue
        judged += 1
        drops = quality.compare(labels, probabilities, quality.figures(labels, probabilities), before)
        quality.correct(drops)
        found += any(drop.violated for drop in drops)
    return found, judged


def main(arguments: list[str] | None = None) -> int:
    """Print the table of error rates."""
    parser = argparse.ArgumentParser(prog="python -m bench.monitor.quality_rates", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args(arguments)
    for rows in SIZES:
        for name, shift in ({"nothing changed": None} | SHIFTS).items():
            found, judged = alarms(options.jobs, options.seed, rows, shift)
            limit = lower_bound(found, judged) if shift else upper_bound(found, judged)
            sign = ">=" if shift else "<="
            share = 100 * found / judged
            print(f"{name}, {rows:5} labels {found:6} of {judged}  {share:6.2f} %  ({sign} {100 * limit:.2f} %)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
