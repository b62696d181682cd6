"""The summary that `make test` closes with, and the Python that make takes."""

import os
import subprocess
from pathlib import Path

from tests import run

ROOT = Path(__file__).parent.parent
REPORT = '<testsuites><testsuite errors="1" failures="2" skipped="3" tests="10" time="90.0"/></testsuites>'


def test_the_table_counts_every_report_once_and_puts_the_longest_first(tmp_path):
    (tmp_path / "quick.xml").write_text(REPORT.replace("90.0", "6.0"))
    (tmp_path / "slow.xml").write_text(REPORT)
    assert run.count(tmp_path) == (8, 6, 6)
    lines = run.table(run.parts(tmp_path), 1.55).splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["slow", "1.5", "4", "3", "3"],
        ["quick", "0.1", "4", "3", "3"],
        ["together", "1.6"],
    ]


def test_a_python_that_will_not_do_is_refused_before_anything_is_made(tmp_path):
    for name in ("no-such-python", "false"):
        done = subprocess.run(
            ["make", "-C", ROOT, "-n", "setup", f"PYTHON={name}"], capture_output=True, text=True, env=dict(os.environ)
        )
        assert done.returncode != 0
        assert f"PYTHON={name} is no Python 3.11, 3.12 or 3.13 of this machine" in done.stderr
