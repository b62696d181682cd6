"""Run every tox environment and close with one summary of all executed tests."""

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).parent.parent
REPORTS = ROOT / ".baton" / "reports"


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


def main() -> int:
    """Run tox with this command's arguments; return its exit code."""
    for report in REPORTS.glob("*.xml"):
        report.unlink()
    # Two at a time: much of what is tested waits for Terraform, for containers or for events.
    several = ["run-parallel", "--parallel", "2", "--parallel-no-spinner"]
    tox = subprocess.run(
        [sys.executable, "-m", "tox", *several, *sys.argv[1:]], cwd=ROOT, env=os.environ | {"PY_COLORS": "0"}
    )
    passed, failed, skipped = count(REPORTS)
    print(f"\n{passed} passed, {failed} failed, {skipped} skipped")
    return tox.returncode or (1 if failed or not passed else 0)


if __name__ == "__main__":
    sys.exit(main())
