"""What evidently and whylogs do with a batch: `profiles.py PEER FILE NAMES BASELINE`.

Both read with pandas, as their documents show, and compare with the baseline by their defaults. Prints the number of
rows, and the seconds after the imports.
"""

import sys
import time
from collections.abc import Callable

import pandas as pd

Compare = Callable[[pd.DataFrame, pd.DataFrame], object]


def read(file: str, names: list[str]) -> pd.DataFrame:
    """Return a table of a headerless CSV file or of a Parquet file."""
    return pd.read_parquet(file) if file.endswith(".parquet") else pd.read_csv(file, names=names, na_values=["?"])


def evidently() -> Compare:
    """Return what runs the data drift preset."""
    from evidently import Report
    from evidently.presets import DataDriftPreset

    return lambda batch, baseline: Report([DataDriftPreset()]).run(batch, baseline).dict()


def whylogs() -> Compare:
    """Return what profiles both and scores the drift."""
    import whylogs
    from whylogs.viz.drift.column_drift_algorithms import calculate_drift_scores

    def compare(batch: pd.DataFrame, baseline: pd.DataFrame) -> object:
        views = [whylogs.log(frame).view() for frame in (baseline, batch)]
        return calculate_drift_scores(target_view=views[1], reference_view=views[0], with_thresholds=True)

    return compare


def main() -> int:
    """Compare, and print the number of rows and the seconds."""
    peer, file, listed, before = sys.argv[1:]
    names = listed.split(",")
    compare = {"evidently": evidently, "whylogs": whylogs}[peer]()
    began = time.monotonic()
    batch = read(file, names)
    compare(batch, read(before, names))
    print(len(batch), time.monotonic() - began)
    return 0


if __name__ == "__main__":
    sys.exit(main())
