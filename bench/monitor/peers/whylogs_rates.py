"""whylogs' defaults on batches: `whylogs_rates.py FOLDER`; see `files.py` for the files.

The verdicts of `calculate_drift_scores`: whether it calls any column DRIFT, and whether any POSSIBLE_DRIFT or worse.
"""

import sys

import whylogs
from files import Pairs, judge
from whylogs.viz.drift.column_drift_algorithms import calculate_drift_scores


def verdicts(pairs: Pairs) -> dict[str, list[bool]]:
    """Return one verdict of each kind per batch."""
    found: dict[str, list[bool]] = {"whylogs, any column DRIFT": [], "whylogs, any column POSSIBLE_DRIFT": []}
    for tables in pairs:
        baseline, batch = (whylogs.log(rows).view() for rows in tables)
        scores = calculate_drift_scores(target_view=batch, reference_view=baseline, with_thresholds=True)
        categories = {score["drift_category"] for score in scores.values() if score}
        found["whylogs, any column DRIFT"].append("DRIFT" in categories)
        found["whylogs, any column POSSIBLE_DRIFT"].append(bool(categories & {"DRIFT", "POSSIBLE_DRIFT"}))
    return found


if __name__ == "__main__":
    sys.exit(judge(verdicts))
