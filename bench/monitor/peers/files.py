"""The files that batches are handed to a peer in, and its verdicts back.

Each NAME.npz of a folder gets a NAME.json. It holds `baselines` and `batches`, each of shape (batches, rows, columns),
NaN where missing.
"""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

NAMES = ["bi_rads", "age", "shape", "margin", "density"]
Pairs = Iterator[tuple[pd.DataFrame, pd.DataFrame]]


def judge(verdicts: Callable[[Pairs], dict[str, list[bool]]]) -> int:
    """Write the verdicts on every file of the folder that the command line names; return 0.

    Args:
        verdicts: given each baseline and batch as tables, returns one verdict of each kind per batch.
    """
    for source in sorted(Path(sys.argv[1]).glob("*.npz")):
        source.with_suffix(".json").write_text(json.dumps(verdicts(_pairs(source))))
    return 0


def _pairs(source: Path) -> Pairs:
    with np.load(source) as arrays:
        for pair in zip(arrays["baselines"], arrays["batches"], strict=True):
            baseline, batch = (pd.DataFrame(rows, columns=NAMES) for rows in pair)
            yield baseline, batch
