"""evidently's defaults on batches: `evidently_rates.py FOLDER`; see `files.py` for the files.

The verdicts of DataDriftPreset: whether any column drifted, and whether half of the columns did, which is its default
for a dataset.
"""

import sys

from evidently import Report
from evidently.presets import DataDriftPreset
from files import Pairs, judge


def verdicts(pairs: Pairs) -> dict[str, list[bool]]:
    """Return one verdict of each kind per batch."""
    found: dict[str, list[bool]] = {"evidently, any column": [], "evidently, half of the columns (its default)": []}
    for baseline, batch in pairs:
        snapshot = Report([DataDriftPreset()]).run(batch, baseline)
        counted = next(m for m in snapshot.dict()["metrics"] if m["metric_name"].startswith("DriftedColumnsCount"))
        found["evidently, any column"].append(bool(counted["value"]["count"] >= 1))
        share = counted["value"]["share"] >= counted["config"]["drift_share"]
        found["evidently, half of the columns (its default)"].append(bool(share))
    return found


if __name__ == "__main__":
    sys.exit(judge(verdicts))
