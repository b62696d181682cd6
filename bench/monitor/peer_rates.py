"""How often peers are wrong, on the same batches: `python -m bench.monitor.peer_rates [--batches N] [--evidently N]`.

Every batch and its baseline are drawn from the generator that `error_rates` uses. The monitor and SageMaker's rules
run here; evidently and whylogs run in environments of their own. evidently takes a quarter of a second per batch, so
it sees the first batches only.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from bench.monitor import environments, error_rates, sagemaker_rules, shifts
from bench.monitor.error_rates import BASELINE_ROWS
from bench.monitor.generator import Generator, Rows, table

SEED = 2_026_113
SCENARIOS: dict[str, tuple[int, shifts.Shift | None]] = {
    "clean, 48 rows": (48, None),
    "clean, 500 rows": (500, None),
    "clean, 50000 rows": (50_000, None),
    "age +15 years": (48, shifts.older),
    "30 % of density missing": (48, shifts.missing(shifts.DENSITY)),
    "one bi_rads typed twice": (48, shifts.typed_twice(shifts.BI_RADS)),
    "margin's categories permuted": (48, shifts.permuted_margin),
    "the batch of data.make": (48, shifts.careless_clinic),
    "1 in 20 a year older, 50000 rows": (50_000, shifts.slightly_older),
}
LARGE = 10_000
"""Rows from which a scenario has a tenth of the batches."""

Verdicts = dict[str, list[bool]]


def drawn(name: str, batches: int, seed: int, fitted: Generator) -> tuple[list[Rows], list[Rows]]:
    """Return the baselines and the batches of a scenario."""
    rows, shift = SCENARIOS[name]
    baselines, changed = [], []
    for number in range(batches):
        rng = np.random.default_rng([seed, list(SCENARIOS).index(name), number])
        baselines.append(fitted.draw(rng, BASELINE_ROWS))
        batch = fitted.draw(rng, rows)
        changed.append(shift(rng, batch) if shift else batch)
    return baselines, changed


def here(baselines: list[Rows], batches: list[Rows]) -> Verdicts:
    """Return the monitor's verdicts, and those of SageMaker's rules."""
    found: Verdicts = {"this monitor": []} | {rule: [] for rule in sagemaker_rules.RULES}
    for baseline, batch in zip(baselines, batches, strict=True):
        found["this monitor"].append(bool(error_rates.violations(batch, baseline)))
        for rule, verdict in sagemaker_rules.verdicts(batch, baseline).items():
            found[rule].append(verdict)
    return found


def elsewhere(peer: str, folder: Path) -> dict[str, Verdicts]:
    """Return a peer's verdicts per scenario, made in its own environment from the files of a folder.

    Raises:
        NoEnvironment: the peer can't be installed.
        CalledProcessError: its script failed.
    """
    command = [environments.python(peer), environments.script(f"{peer}_rates"), str(folder)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return {name: json.loads((folder / f"{place}.json").read_text()) for place, name in enumerate(SCENARIOS)}


def main(arguments: list[str] | None = None) -> int:
    """Print one table: rules down, scenarios across, alarms in percent and of how many batches."""
    parser = argparse.ArgumentParser(prog="python -m bench.monitor.peer_rates", description=__doc__)
    parser.add_argument("--batches", type=int, default=1000)
    parser.add_argument("--evidently", type=int, default=100, help="batches per scenario that evidently sees")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    fitted = Generator.fit(table())
    found: dict[str, Verdicts] = {}
    with tempfile.TemporaryDirectory() as folder:
        most = {"whylogs": options.batches, "evidently": options.evidently}
        places = {peer: Path(folder) / peer for peer in most}
        for place, (name, (rows, _)) in enumerate(SCENARIOS.items()):
            count = options.batches if rows < LARGE else max(1, options.batches // 10)
            baselines, batches = drawn(name, count, options.seed, fitted)
            found[name] = here(baselines, batches)
            for peer, goal in places.items():
                goal.mkdir(exist_ok=True)
                some = slice(min(count, most[peer]))
                np.savez(goal / f"{place}.npz", baselines=np.stack(baselines[some]), batches=np.stack(batches[some]))
            print(f"{name}: drawn and judged here", flush=True)
        for peer, goal in places.items():
            try:
                for name, verdicts in elsewhere(peer, goal).items():
                    found[name] |= verdicts
            except environments.NoEnvironment as problem:
                print(f"{peer} did not run: {problem}")
    results = {
        name: {rule: [sum(verdicts), len(verdicts)] for rule, verdicts in each.items()} for name, each in found.items()
    }
    print()
    print(markdown(results))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))
    return 0


def _percent(alarms: int, of: int) -> str:
    return f"{100 * alarms / of:.1f} % of {of}" if of else ""


def markdown(results: dict[str, dict[str, list[int]]]) -> str:
    """Return the results as a table: rules down, scenarios across."""
    rules = list(dict.fromkeys(rule for found in results.values() for rule in found))
    lines = ["| rule | " + " | ".join(results) + " |", "|---" * (len(results) + 1) + "|"]
    for rule in rules:
        cells = [_percent(*found.get(rule, [0, 0])) for found in results.values()]
        lines.append(f"| {rule} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
