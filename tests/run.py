"""Run every tox environment and close with a table of minutes and one summary of all executed tests."""

import json
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
REPORTS = ROOT / ".baton" / "reports"
RESULT = REPORTS / "tox.json"
SIDE_BY_SIDE = ["run-parallel", "--parallel", "2", "--parallel-no-spinner"]
"""Two at a time: much of what is tested waits for Terraform, for containers or for events."""


class Part(NamedTuple):
    """What the JUnit report of one environment says; `seconds` are those of its tests."""

    name: str
    passed: int
    failed: int
    skipped: int
    seconds: float


def parts(reports: Path) -> list[Part]:
    """Return what each JUnit report in a folder says."""
    found = []
    for report in sorted(reports.glob("*.xml")):
        tests = failed = skipped = 0
        seconds = 0.0
        for suite in ElementTree.parse(report).getroot().iter("testsuite"):
            tests += int(suite.get("tests", 0))
            failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
            skipped += int(suite.get("skipped", 0))
            seconds += float(suite.get("time", 0))
        found.append(Part(report.stem, tests - failed - skipped, failed, skipped, seconds))
    return found


def count(reports: Path) -> tuple[int, int, int]:
    """Return (passed, failed, skipped) over the JUnit reports in a folder."""
    found = parts(reports)
    return sum(part.passed for part in found), sum(part.failed for part in found), sum(part.skipped for part in found)


def table(found: list[Part], minutes: float) -> str:
    """Return minutes and tests of every part, the longest first; two parts run side by side."""
    lines = [f"{'part':<12}{'minutes':>8}{'passed':>8}{'failed':>8}{'skipped':>9}"]
    for part in sorted(found, key=lambda part: -part.seconds):
        lines.append(f"{part.name:<12}{part.seconds / 60:>8.1f}{part.passed:>8}{part.failed:>8}{part.skipped:>9}")
    return "\n".join([*lines, f"{'together':<12}{minutes:>8.1f}"])


def tox(*arguments: str) -> list[str]:
    """Run tox; return the environments that failed, or ["tox"] if it ended without a result."""
    RESULT.unlink(missing_ok=True)
    command = [sys.executable, "-m", "tox", *arguments, "--result-json", str(RESULT)]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"NO_COLOR": "1"})
    if done.returncode == 0:
        return []
    try:
        results = json.loads(RESULT.read_text())["testenvs"]
    except (OSError, ValueError, KeyError):
        return ["tox"]
    return [name for name, found in results.items() if not found.get("result", {}).get("success", True)] or ["tox"]


def main() -> int:
    """Run tox with this command's arguments; return 0 if everything passed the first time."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    for report in REPORTS.glob("*.xml"):
        report.unlink()
    began = time.monotonic()
    failed = tox(*SIDE_BY_SIDE, *sys.argv[1:])
    found = parts(REPORTS)
    passed, bad, skipped = count(REPORTS)
    print("\n" + table(found, (time.monotonic() - began) / 60))
    if failed:
        print(f"\nFailed: {', '.join(failed)}")
    print(f"\n{passed} passed, {bad} failed, {skipped} skipped")
    return 1 if failed or bad or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
