"""whylogs' defaults on batches: `whylogs_rates.py FOLDER`; see `evidently_rates.py` for the files.

The verdicts of `calculate_drift_scores`: whether it calls any column DRIFT, and whether any POSSIBLE_DRIFT or worse.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import whylogs
from whylogs.viz.drift.column_drift_algorithms import calculate_drift_scores

NAMES = ["bi_rads", "age", "shape", "margin", "density"]


def main() -> int:
    """Write the verdicts of every file."""
    for source in sorted(Path(sys.argv[1]).glob("*.npz")):
        source.with_suffix(".json").write_text(json.dumps(verdicts(source)))
    return 0


def verdicts(source: Path) -> dict[str, list[bool]]:
    """Return one verdict of each kind per batch."""
    found: dict[str, list[bool]] = {"whylogs, any column DRIFT": [], "whylogs, any column POSSIBLE_DRIFT": []}
    with np.load(source) as arrays:
        for baseline, batch in zip(arrays["baselines"], arrays["batches"], strict=True):
            views = [whylogs.log(pd.DataFrame(rows, columns=NAMES)).view() for rows in (baseline, batch)]
            scores = calculate_drift_scores(target_view=views[1], reference_view=views[0], with_thresholds=True)
            categories = {score["drift_category"] for score in scores.values() if score}
            found["whylogs, any column DRIFT"].append("DRIFT" in categories)
            found["whylogs, any column POSSIBLE_DRIFT"].append(bool(categories & {"DRIFT", "POSSIBLE_DRIFT"}))
    return found


if __name__ == "__main__":
    sys.exit(main())
