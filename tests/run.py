"""Run every tox environment and close with one summary of all executed tests."""

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).parent.parent
REPORTS = ROOT / ".baton" / "reports"
RESULT = REPORTS / "tox.json"
SIDE_BY_SIDE = ["run-parallel", "--parallel", "2", "--parallel-no-spinner"]
"""Two at a time: much of what is tested waits for Terraform, for containers or for events."""


def count(reports: Path) -> tuple[int, int, int]:
    """Return (passed, failed, skipped) over the JUnit reports in a folder."""
    passed = failed = skipped = 0
    for report in sorted(reports.glob("*.xml")):
        for suite in ElementTree.parse(report).getroot().iter("testsuite"):
            bad = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
            out = int(suite.get("skipped", 0))
            failed, skipped = failed + bad, skipped + out
            passed += int(suite.get("tests", 0)) - bad - out
    return passed, failed, skipped


def tox(*arguments: str) -> list[str]:
    """Run tox; return the environments that failed, or ["tox"] if it ended without telling."""
    RESULT.unlink(missing_ok=True)
    command = [sys.executable, "-m", "tox", *arguments, "--result-json", str(RESULT)]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"NO_COLOR": "1"})
    if done.returncode == 0:
        return []
    try:
        told = json.loads(RESULT.read_text())["testenvs"]
    except (OSError, ValueError, KeyError):
        return ["tox"]
    return [name for name, found in told.items() if not found.get("result", {}).get("success", True)] or ["tox"]


def main() -> int:
    """Run tox with this command's arguments; return 0 if everything passed.

    Environments that fail beside others, on a machine that is busy with both, are run once more by themselves.
    """
    REPORTS.mkdir(parents=True, exist_ok=True)
    for report in REPORTS.glob("*.xml"):
        report.unlink()
    failed = tox(*SIDE_BY_SIDE, *sys.argv[1:])
    if failed and failed != ["tox"]:
        print(f"\nOnce more, alone: {', '.join(failed)}", flush=True)
        for name in failed:
            (REPORTS / f"{name}.xml").unlink(missing_ok=True)
        failed = tox("run", "-e", ",".join(failed))
    passed, bad, skipped = count(REPORTS)
    if failed:
        print(f"\nFailed: {', '.join(failed)}")
    print(f"\n{passed} passed, {bad} failed, {skipped} skipped")
    return 1 if failed or bad or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
