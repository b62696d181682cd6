"""evidently's defaults on batches: `evidently_rates.py FOLDER`.

Each NAME.npz of the folder gets a NAME.json. It holds `baselines` and `batches`, each of shape (batches, rows,
columns), NaN where missing. The verdicts of DataDriftPreset: whether any column drifted, and whether half of the
columns did, which is its default for a dataset.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset

NAMES = ["bi_rads", "age", "shape", "margin", "density"]


def main() -> int:
    """Write the verdicts of every file."""
    for source in sorted(Path(sys.argv[1]).glob("*.npz")):
        source.with_suffix(".json").write_text(json.dumps(verdicts(source)))
    return 0


def verdicts(source: Path) -> dict[str, list[bool]]:
    """Return one verdict of each kind per batch."""
    found: dict[str, list[bool]] = {"evidently, any column": [], "evidently, half of the columns (its default)": []}
    with np.load(source) as arrays:
        for baseline, batch in zip(arrays["baselines"], arrays["batches"], strict=True):
            snapshot = Report([DataDriftPreset()]).run(
                pd.DataFrame(batch, columns=NAMES), pd.DataFrame(baseline, columns=NAMES)
            )
            counted = next(m for m in snapshot.dict()["metrics"] if m["metric_name"].startswith("DriftedColumnsCount"))
            found["evidently, any column"].append(bool(counted["value"]["count"] >= 1))
            share = counted["value"]["share"] >= counted["config"]["drift_share"]
            found["evidently, half of the columns (its default)"].append(bool(share))
    return found


if __name__ == "__main__":
    sys.exit(main())
