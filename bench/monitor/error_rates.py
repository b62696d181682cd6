"""How often the monitor is wrong: `python -m bench.monitor.error_rates [--batches N] [--seed N] [--json FILE]`.

Every batch gets a baseline of its own; both are drawn from the copula of `bench.monitor.generator`. A false alarm
is a clean batch that violates anything at all. The bounds are exact one-sided 95 % limits (Clopper and Pearson).
"""

import argparse
import json
import math
import sys
from pathlib import Path

import numpy as np

from bench.monitor import generator, shifts
from bench.monitor.generator import NAMES, Generator, Rows
from steps.monitor.data.histograms import Numbers, Table
from steps.monitor.drift import checks, constraints, multivariate

BASELINE_ROWS = 600
SIZES = (48, 500, 50_000)
MAX_FALSE_ALARMS, MIN_DETECTION = 0.01, 0.95
SEED = 2_026_111
"""Not used while the thresholds were chosen."""


def sketch(rows: Rows) -> Table:
    """Return the sketch that the scan of a file with these rows gives."""
    columns = {}
    for name, column in zip(NAMES, rows.T, strict=True):
        present = ~np.isnan(column)
        keys, counts = np.unique(column[present], return_counts=True)
        columns[name] = Numbers.of(keys, counts, missing=int((~present).sum()))
    return Table(len(rows), columns)


def violations(batch: Rows, baseline: Rows) -> list[checks.Check]:
    """Return what a batch violates of the constraints that a baseline suggests."""
    before = sketch(baseline)
    limits = constraints.suggest(before)
    threshold = limits["monitoring_config"]["significance_constraints"]["multivariate_threshold"]
    together = multivariate.check(_codes(batch, before), _codes(baseline, before), threshold)
    found = checks.run(sketch(batch), before, limits, together)
    return [check for check in found if check.violated]


def _codes(rows: Rows, before: Table) -> multivariate.Codes:
    rows = rows[: 4 * multivariate.MAX_ROWS]
    cells = [[None if cell != cell else repr(cell) for cell in row] for row in rows.tolist()]
    return multivariate.codes(cells, NAMES, before)


def study(batches: int, seed: int, rows: int, shift: shifts.Shift | None, fitted: Generator) -> list[list[str]]:
    """Return for each batch the kinds of checks it violated, each with its column."""
    found = []
    for number in range(batches):
        rng = np.random.default_rng([seed, rows, number])
        baseline, batch = fitted.draw(rng, BASELINE_ROWS), fitted.draw(rng, rows)
        if shift:
            batch = shift(rng, batch)
        found.append([f"{check.feature} {check.kind}" for check in violations(batch, baseline)])
    return found


def upper_bound(hits: int, trials: int, confidence: float = 0.95) -> float:
    """Return the exact one-sided upper limit of a binomial share."""
    if hits >= trials:
        return 1.0
    logs = [math.lgamma(trials + 1) - math.lgamma(k + 1) - math.lgamma(trials - k + 1) for k in range(hits + 1)]
    low, high = hits / trials, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        yes, no = math.log(middle), math.log1p(-middle)
        total = sum(math.exp(log + k * yes + (trials - k) * no) for k, log in enumerate(logs))
        low, high = (middle, high) if total > 1 - confidence else (low, middle)
    return high


def lower_bound(hits: int, trials: int, confidence: float = 0.95) -> float:
    """Return the exact one-sided lower limit of a binomial share."""
    return 1 - upper_bound(trials - hits, trials, confidence)


def main(arguments: list[str] | None = None) -> int:
    """Print the table of error rates; fail where a figure misses its goal."""
    parser = argparse.ArgumentParser(prog="python -m bench.monitor.error_rates", description=__doc__)
    parser.add_argument("--batches", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    fitted = Generator.fit(generator.table())
    lines, missed = [], []
    for rows in SIZES:
        found = study(options.batches, options.seed, rows, None, fitted)
        lines.append(_line(f"clean, {rows} rows", found, upper_bound, "<="))
        missed += [lines[-1]["name"]] * (lines[-1]["share"] > MAX_FALSE_ALARMS)
    for name, shift in (shifts.DETECTED | shifts.REPORTED).items():
        found = study(options.batches, options.seed + 1, 48, shift, fitted)
        lines.append(_line(f"{name}, 48 rows", found, lower_bound, ">="))
        missed += [lines[-1]["name"]] * (name in shifts.DETECTED and lines[-1]["share"] < MIN_DETECTION)
    large = min(options.batches, 200)
    for name, shift in shifts.REPORTED.items():
        found = study(large, options.seed + 2, 50_000, shift, fitted)
        lines.append(_line(f"{name}, 50000 rows", found, lower_bound, ">="))
    if options.json:
        options.json.write_text(json.dumps(lines, indent=1))
    for name in missed:
        print(f"missed: {name}")
    return int(bool(missed))


def _line(name: str, found: list[list[str]], bound, sign: str) -> dict:
    hits, trials = sum(map(bool, found)), len(found)
    share, limit = hits / trials, bound(hits, trials)
    print(f"{name:40} {hits:5} of {trials}  {100 * share:6.2f} %  ({sign} {100 * limit:.2f} %)", flush=True)
    kinds: dict[str, int] = {}
    for each in found:
        for kind in set(each):
            kinds[kind] = kinds.get(kind, 0) + 1
    return {"name": name, "alarms": hits, "batches": trials, "share": share, "bound": limit, "kinds": kinds}


if __name__ == "__main__":
    sys.exit(main())
