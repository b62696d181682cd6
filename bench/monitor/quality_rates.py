"""How often the check of a model's quality is wrong: `python -m bench.monitor.quality_rates [--jobs N] [--type T]`.

A job's rows are drawn from a stated model of each problem type. Each job has a baseline of its own, drawn in the same
way; it says what AWS's analyzer would have said of it, or all that Baton's own says. A false alarm is any violation
where nothing changed; the shifts are what becomes of models.

- BinaryClassification: probabilities from a mixture of two Beta distributions, labels that follow them (so the model is
  calibrated, with an AUC near 0.9, like the example's).
- MulticlassClassification: four classes of 40, 30, 20 and 10 % of rows; 80 % of predictions are right, the others are
  drawn by the classes' shares.
- Regression: labels of R² near 0.8; errors have the tails of Student's t with 5 degrees of freedom and grow with the
  prediction.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.monitor.error_rates import lower_bound, upper_bound
from steps.monitor.contract import Job
from steps.monitor.quality import problems
from steps.monitor.quality.binary import Binary
from steps.monitor.quality.multiclass import Multiclass
from steps.monitor.quality.problems import Problem
from steps.monitor.quality.regression import Regression

BASELINE_ROWS = 180
SIZES = (48, 200, 1_000)
SEED = 2_026_112
"""Not used while the thresholds were chosen."""

CLASSES = np.array([0.4, 0.3, 0.2, 0.1])
BEYOND = ("brier", "bias", "calibration", "residuals")
"""Members that AWS's analyzer doesn't write."""

Rows = tuple[NDArray[Any], NDArray[Any]]
Draw = Callable[[np.random.Generator, int], Rows]
Shift = Callable[[np.random.Generator, Rows], Rows]


def draw(rng: np.random.Generator, count: int) -> Rows:
    """Return labels and probabilities of rows."""
    high = rng.random(count) < 0.46
    probabilities = np.where(high, rng.beta(5, 1.3, count), rng.beta(1.3, 7, count))
    return (rng.random(count) < probabilities).astype(np.int64), probabilities


def draw_classes(rng: np.random.Generator, count: int) -> Rows:
    """Return labels and predicted labels."""
    labels, others = (rng.choice(len(CLASSES), count, p=CLASSES) for _ in range(2))
    return labels, np.where(rng.random(count) < 0.8 - 0.2 * CLASSES[others], labels, others)


def draw_numbers(rng: np.random.Generator, count: int) -> Rows:
    """Return labels and predictions."""
    predictions = rng.gamma(8, 5, count)
    return predictions + 0.16 * predictions * rng.standard_t(5, count) * 0.775, predictions


def noisy(rng: np.random.Generator, rows: Rows) -> Rows:
    """A third of the predictions are those of other rows: a column was swapped, or a join went wrong."""
    labels, predictions = rows
    chosen = np.flatnonzero(rng.random(len(labels)) < 1 / 3)
    shuffled = predictions.copy()
    shuffled[chosen] = predictions[rng.permutation(chosen)]
    return labels, shuffled


def more_positives(rng: np.random.Generator, rows: Rows) -> Rows:
    """A fifth of the negatives are positive: the disease has become more frequent than the model knows."""
    labels, probabilities = rows
    return np.where(rng.random(len(labels)) < 0.2, 1, labels), probabilities


def lost_class(rng: np.random.Generator, rows: Rows) -> Rows:
    """Half of the rarest class is taken for the most frequent one: its cases look different now."""
    labels, predicted = rows
    return labels, np.where((labels == len(CLASSES) - 1) & (rng.random(len(labels)) < 0.5), 0, predicted)


def higher(rng: np.random.Generator, rows: Rows) -> Rows:
    """Labels are higher by a tenth than they were: prices rose, and the model doesn't know."""
    labels, predictions = rows
    return labels * 1.1, predictions


@dataclass(frozen=True)
class Study:
    """A problem type, the model its rows are drawn from, and what may become of them."""

    problem: Problem
    draw: Draw
    shifts: dict[str, Shift]

    def rows(self, rows: Rows) -> Any:
        """Return rows as the problem type has them."""
        labels, predictions = (part.tolist() for part in rows)
        if isinstance(self.problem, Binary):
            return self.problem.rows(labels, [(-1, each) for each in predictions])
        if isinstance(self.problem, Multiclass):
            labels, predictions = ([str(each) for each in part] for part in (labels, predictions))
        return self.problem.rows(labels, predictions)


JOB = Job("csv", Path(), Path())
STUDIES = {
    study.problem.name: study
    for study in (
        Study(Binary(JOB), draw, {"a third shuffled": noisy, "more positives": more_positives}),
        Study(Multiclass(JOB), draw_classes, {"a third shuffled": noisy, "a class half lost": lost_class}),
        Study(Regression(JOB), draw_numbers, {"a third shuffled": noisy, "labels a tenth higher": higher}),
    )
}


def alarms(
    jobs: int, seed: int, rows: int, shift: Shift | None, kind: str = Binary.name, documented: bool = False
) -> tuple[int, int]:
    """Return in how many jobs there was an alarm, and in how many there were labels enough.

    `documented` leaves the baseline those members that AWS's analyzer writes.
    """
    study = STUDIES[kind]
    problem = study.problem
    found = evaluated = 0
    for number in range(jobs):
        rng = np.random.default_rng([seed, rows, number])
        members = problem.members(study.rows(study.draw(rng, BASELINE_ROWS)))
        if documented:
            members = {name: each for name, each in members.items() if name not in BEYOND}
        drawn = study.draw(rng, rows)
        measured = study.rows(shift(rng, drawn) if shift else drawn)
        if problem.lacking(measured):
            continue
        evaluated += 1
        comparisons = problem.compare(measured, problem.baseline_metrics(members, BASELINE_ROWS))
        problems.correct(comparisons)
        found += any(comparison.violated for comparison in comparisons)
    return found, evaluated


def main(arguments: list[str] | None = None) -> int:
    """Print the table of error rates."""
    parser = argparse.ArgumentParser(prog="python -m bench.monitor.quality_rates", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--shifted", type=int, default=300, help="jobs of each shift")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--type", choices=STUDIES, help="one problem type only")
    options = parser.parse_args(arguments)
    for kind in [options.type] if options.type else STUDIES:
        for documented in (False, True) if STUDIES[kind].problem.extra_metrics else (False,):
            print(f"{kind}, a baseline with {'AWS members only' if documented else 'all members'}", flush=True)
            for rows in SIZES:
                for name, shift in ({"nothing changed": None} | STUDIES[kind].shifts).items():
                    jobs = options.shifted if shift else options.jobs
                    found, evaluated = alarms(jobs, options.seed, rows, shift, kind, documented)
                    limit = lower_bound(found, evaluated) if shift else upper_bound(found, evaluated)
                    sign = ">=" if shift else "<="
                    share = f"{100 * found / evaluated:6.2f} %  ({sign} {100 * limit:.2f} %)"
                    print(f"  {name}, {rows:5} labels {found:6} of {evaluated}  {share}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
