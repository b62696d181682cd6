"""What a process took is measured with its children, and a process that fails says why."""

import sys

import pytest

from bench.monitor import cost
from bench.monitor.speed import Line, goals

HOLDS = "held = b'x' * (200 << 20); import time; time.sleep(0.5)"


def test_the_memory_of_a_child_counts():
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {HOLDS!r}]); print(3, 0.5)"
    found = cost.run([sys.executable, "-c", child])
    assert found.printed == "3 0.5" and found.wall >= 0.5
    if sys.platform == "linux":
        assert found.memory > 200 << 20


def test_a_process_that_fails_says_why():
    with pytest.raises(cost.Failed, match=r"^no such column$"):
        cost.run([sys.executable, "-c", "import sys; print('one'); sys.exit('no such column')"])


def test_goals_are_ratios_within_a_format():
    def line(name: str, kind: str, speed: float) -> Line:
        return Line(name, kind, 10, speed, 1.0, 1.0, 256.0, 0.4)

    found = goals([line("this monitor", "csv", 9.0), line("duckdb", "csv", 10.0), line("polars", "csv", 12.0),
                   line("spark", "csv", 0.5), line("duckdb", "parquet", 99.0)])  # fmt: skip
    assert [(round(goal.figure, 2), goal.met) for goal in found] == [
        (0.75, False), (18.0, False), (0.4, True), (0.25, True),
    ]  # fmt: skip
    assert found[0].by_processors == 1.0
