"""How fast the monitor is, beside its peers, in one run: `python -m bench.monitor.speed [--rows N] [--json FILE]`.

Each contender is a process that reads the same file and computes the same figures; the monitor also compares them
with a baseline, draws rows for its classifier and writes its report. Rows per second are those after the imports and
after Spark's start, which favours the slow ones; the whole process's seconds and what 48 rows take, which is nearly all
start, stand beside them. whylogs and evidently get a tenth of the rows, since they would take minutes. Seconds depend
on the machine and on who else works on it, ratios hold.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import duckdb
import numpy as np

from bench.monitor import environments
from bench.monitor.cost import Cost, Failed, run
from bench.monitor.generator import NAMES, Generator, table

CHUNK = 500_000
SMALL_BATCH = 48
BASELINE = 600
REPEATS = 7
"""Rounds in which the fast contenders take turns; of each one's measurements the fastest counts."""

OWN, IMPORTS = "this monitor", "imports alone"
FAST = ("duckdb", "polars", "pyarrow")
LEAST = {"spark": 20.0, "whylogs": 20.0, "evidently": 80.0}
"""How many times as fast as these the monitor is to be."""

SLOW = {"pandas": 1, "spark": 1, "whylogs": 10, "evidently": 10}
"""Peers that run once, on that part of the rows."""

GIB = 1 << 30


@dataclass(frozen=True)
class Line:
    """One contender on one format: rows per second after the imports, the whole process, and the same for 48 rows."""

    name: str
    format: str
    rows: int
    rows_per_second: float
    wall: float
    cpu: float
    memory_mb: float
    start: float

    @property
    def per_processor(self) -> float:
        """Rows per second of processors, of the whole process: what a busy machine doesn't change much."""
        return self.rows / self.cpu


@dataclass(frozen=True)
class Goal:
    """What is to be reached, the figure, its limit, and the same ratio by seconds of processors."""

    said: str
    figure: float
    limit: float
    met: bool
    by_processors: float | None = None


@dataclass(frozen=True)
class Contender:
    """How to run a contender on a file, which part of the rows it reads, and how often."""

    measure: Callable[[Path], Cost]
    part: int = 1
    repeats: int = REPEATS


def write(folder: Path, rows: int) -> dict[int, dict[str, Path]]:
    """Write the files: per number of rows a CSV file without header, and a Parquet file."""
    fitted = Generator.fit(table())
    rng = np.random.default_rng(1)
    sizes = sorted({SMALL_BATCH, BASELINE, rows, *(rows // part for part in SLOW.values())})
    found = {size: {kind: folder / f"{size}.{kind}" for kind in ("csv", "parquet")} for size in sizes}
    columns = ", ".join(f"'{name}': 'BIGINT'" for name in NAMES)
    for size, files in found.items():
        with files["csv"].open("w") as stream:
            for first in range(0, size, CHUNK):
                cells = fitted.draw(rng, min(CHUNK, size - first))
                text = np.where(np.isnan(cells), 0, cells).astype(int).astype("U3")
                text[np.isnan(cells)] = "?"
                stream.write("\n".join(map(",".join, text.tolist())) + "\n")
        source = f"read_csv('{files['csv']}', header = false, columns = {{{columns}}}, nullstr = '?')"
        duckdb.sql(f"COPY (FROM {source}) TO '{files['parquet']}' (FORMAT parquet)")
    return found


class Monitor:
    """The container, run as a process against baselines of its own making, one per format."""

    def __init__(self, folder: Path, baselines: Mapping[str, Path]) -> None:
        self._folder = folder
        self._common = {"SAGEMAKER_BASE_DIR": str(folder / "ml"), "publish_cloudwatch_metrics": "Disabled"}
        self.costs = {suffix: self.run(file, f"baseline{suffix}", {}) for suffix, file in baselines.items()}
        """What making each baseline took."""

    def run(self, file: Path, goal: str, more: Mapping[str, str]) -> Cost:
        """Run the container on a file, or on the files of a folder."""
        form = '{"parquet": {}}' if goal.endswith(".parquet") else '{"csv": {"header": false}}'
        settings = {"dataset_format": form, "dataset_source": str(file), "output_path": str(self._folder / goal)}
        return run([sys.executable, "-m", "steps.monitor"], self._common | settings | dict(more))

    def check(self, file: Path, suffix: str | None = None, rows: int | None = None) -> Cost:
        """Hold a file, or a folder of files with a suffix and a number of rows, against the baseline of its format.

        Raises:
            Failed: the verdict isn't about the file's rows, or it is that rows like the baseline's are not.
        """
        suffix, rows = suffix or file.suffix, rows or int(file.stem)
        baseline = str(self._folder / f"baseline{suffix}")
        paths = {"baseline_constraints": baseline, "baseline_statistics": baseline}
        cost = self.run(file, f"check{suffix}", paths)
        verdict = json.loads((self._folder / f"check{suffix}" / "verdict.json").read_text())
        if verdict["rows"] != rows or verdict["drift"]:
            raise Failed(verdict["sentence"])
        return cost

    def imports(self, _: Path) -> Cost:
        """Return the cost of a process that only imports the container's code, and ends as the container does."""
        return run([sys.executable, "-c", "import steps.monitor.__main__; steps.monitor.__main__.end(0)"])


def contenders(monitor: Monitor, baselines: Mapping[str, Path]) -> dict[str, Contender | str]:
    """Return how to run each contender, or why it can't run here."""
    found: dict[str, Contender | str] = {OWN: Contender(monitor.check)}
    for name in (*FAST, *SLOW):
        peer, script = {"spark": ("pyspark", "spark"), "whylogs": ("whylogs", "profiles")}.get(name, ("scans", "scans"))
        if name == "evidently":
            peer, script = name, "profiles"
        try:
            program = environments.python(peer)
        except environments.NoEnvironment as problem:
            found[name] = str(problem)
            continue
        command = [program, environments.script(script), name]
        measure = _peer(command, baselines if script == "profiles" else {})
        found[name] = Contender(measure, SLOW.get(name, 1), 1 if name in SLOW else REPEATS)
    return found


def _peer(command: list[str], baselines: Mapping[str, Path]) -> Callable[[Path], Cost]:
    def measure(file: Path) -> Cost:
        more = [str(baselines[file.suffix])] if baselines else []
        cost = run([*command, str(file), ",".join(NAMES), *more])
        rows = cost.printed.split()[-2]
        if rows != file.stem:
            raise Failed(f"it saw {rows} of {file.stem} rows")
        return cost

    return measure


def best(contenders: Mapping[str, Contender], files: Mapping[str, Path]) -> dict[str, Cost]:
    """Return the cost of each contender's fastest run. They take turns, so that a busy moment meets all of them."""
    found: dict[str, Cost] = {}
    failed: set[str] = set()
    for turn in range(REPEATS):
        for name, contender in contenders.items():
            if turn >= contender.repeats or name in failed:
                continue
            try:
                cost = contender.measure(files[name])
            except Failed as problem:
                if name == OWN:
                    raise
                print(f"{name:13} failed: {problem}", flush=True)
                failed.add(name)
                continue
            if name not in found or cost.wall < found[name].wall:
                found[name] = cost
    return {name: cost for name, cost in found.items() if name not in failed}


def lines(folder: Path, rows: int) -> list[Line]:
    """Measure every contender on both formats; say which can't run."""
    files = write(folder, rows)
    baselines = {f".{kind}": file for kind, file in files[BASELINE].items()}
    monitor = Monitor(folder, baselines)
    found = []
    running = {}
    for name, each in contenders(monitor, baselines).items():
        if isinstance(each, str):
            print(f"{name:13} did not run: {each}", flush=True)
        else:
            running[name] = each
    for kind in ("csv", "parquet"):
        small = running | {IMPORTS: Contender(monitor.imports)}
        starts = best(small, {name: files[SMALL_BATCH][kind] for name in small})
        imports = starts[IMPORTS].wall
        costs = best(running, {name: files[rows // each.part][kind] for name, each in running.items()})
        for name in [name for name in running if name in starts and name in costs]:
            cost, count = costs[name], rows // running[name].part
            seconds = cost.wall - imports if name == OWN else float(cost.printed.split()[-1])
            memory, start = cost.memory / (1 << 20), starts[name].wall
            found.append(Line(name, kind, count, count / seconds, cost.wall, cost.cpu, memory, start))
            _print(found[-1])
    return found


def _print(line: Line) -> None:
    print(
        f"{line.name:13} {line.format:8} {line.rows:>11,} rows {line.rows_per_second / 1e6:8.3f} million rows/s "
        f"{line.wall:7.2f} s {line.cpu:7.2f} s of processors {line.memory_mb:7.0f} MB  start {line.start:5.2f} s",
        flush=True,
    )


def goals(found: list[Line]) -> list[Goal]:
    """Return each goal and how far it is met."""
    own = {line.format: line for line in found if line.name == OWN}
    results = []
    for kind, line in own.items():
        others = {other.name: other for other in found if other.format == kind}
        bare = [others[name] for name in FAST if name in others]
        ratios = [("the fastest bare scan", bare, 0.8)]
        ratios += [(name, [others[name]], least) for name, least in LEAST.items() if name in others]
        for name, peers, least in ratios:
            if peers:
                ratio = line.rows_per_second / max(peer.rows_per_second for peer in peers)
                processors = line.per_processor / max(peer.per_processor for peer in peers)
                results.append(Goal(f"{kind}: times {name}", ratio, least, ratio >= least, processors))
        start, memory = line.start, line.memory_mb / 1024
        results.append(Goal(f"{kind}: seconds from start to verdict on 48 rows", start, 0.5, start <= 0.5))
        results.append(Goal(f"{kind}: GiB of memory", memory, 0.5, memory <= 0.5))
    return results


def main(arguments: list[str] | None = None) -> int:
    """Print the table and the goals."""
    parser = argparse.ArgumentParser(prog="python -m bench.monitor.speed", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    environments.FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=environments.FOLDER) as name:
        found = lines(Path(name), options.rows)
    print(f"\nload of the machine over the last minute: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    results = goals(found)
    for goal in results:
        more = f"; {goal.by_processors:.2f} by seconds of processors" if goal.by_processors else ""
        print(f"{'met   ' if goal.met else 'missed'} {goal.said}: {goal.figure:.2f} (goal {goal.limit:g}{more})")
    if options.json:
        options.json.write_text(json.dumps([asdict(line) for line in found], indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
