"""Does the monitor's memory stay bounded? `python -m bench.monitor.memory [--rows N]`.

Files of 10 million rows like the example's, linked under many names to make 100 million, as CSV and as Parquet; and a
table in which nearly every cell differs, once foreseen by its first rows and once not, because these are all alike.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import duckdb

from bench.monitor import environments, speed
from bench.monitor.cost import Cost
from bench.monitor.speed import BASELINE, GIB, Monitor

PER_FILE = 10_000_000
LIMIT = 0.5
"""GiB that the container may take whatever it reads."""

ALIKE = 100_000
"""First rows that are all alike."""

Found = dict[str, Cost]


def many(folder: Path, rows: int) -> Found:
    """Measure the example's table, its file linked under many names."""
    per_file = min(PER_FILE, rows)
    files = speed.write(folder, per_file)
    monitor = Monitor(folder, {f".{kind}": file for kind, file in files[BASELINE].items()})
    found = {}
    for kind, file in files[per_file].items():
        links = folder / f"many-{kind}"
        links.mkdir()
        for number in range(rows // per_file):
            (links / f"part-{number:04}.{kind}").symlink_to(file)
        found[f"{rows:,} rows like the example's, {kind}"] = monitor.check(links, f".{kind}", rows)
    return found


def different(folder: Path, rows: int) -> Found:
    """Measure a table of numbers and texts of which hardly two are equal."""
    found = {}
    for name, alike in (("foreseen", 0), ("not foreseen", ALIKE)):
        file = folder / f"different-{alike}.csv"
        cells = ", ".join(
            f"CASE WHEN i < {alike} THEN '1' ELSE {cell} END AS {column}"
            for column, cell in {
                "a": "(random() * 1e6)::VARCHAR",
                "b": "exp(20 * random())::VARCHAR",
                "c": "(random() * 1e12)::BIGINT::VARCHAR",
                "d": "'patient ' || (random() * 1e9)::BIGINT",
            }.items()
        )
        duckdb.sql(f"COPY (SELECT {cells} FROM range({rows}) AS rows(i)) TO '{file}' (FORMAT csv, HEADER false)")
        monitor = Monitor(folder, {".csv": file})
        found[f"{rows:,} rows of different cells, {name}, csv"] = monitor.costs[".csv"]
    return found


def main(arguments: list[str] | None = None) -> int:
    """Print the height of the memory of each; fail where one is above the limit."""
    parser = argparse.ArgumentParser(prog="python -m bench.monitor.memory", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000_000)
    options = parser.parse_args(arguments)
    environments.FOLDER.mkdir(parents=True, exist_ok=True)
    worst = 0.0
    with tempfile.TemporaryDirectory(dir=environments.FOLDER) as name:
        for measured in (many, different):
            folder = Path(name) / measured.__name__
            folder.mkdir()
            rows = options.rows if measured is many else options.rows // 10
            for said, cost in measured(folder, rows).items():
                print(
                    f"{said}: {cost.memory / GIB:.2f} GiB, {cost.wall:.1f} s, {cost.cpu:.1f} s of processors",
                    flush=True,
                )
                worst = max(worst, cost.memory / GIB)
    return int(worst > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
