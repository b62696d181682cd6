"""statistics.json: SageMaker Model Monitor's documented form, written and read, AWS's own files too.

A numeric column's counts are written as the data of a KLL sketch: level i of the sketch holds values that
stand for 2**i rows each, so a value that occurs 5 times lies in levels 0 and 2. Reading adds the levels up
again, and reads the sketches that AWS's analyzer wrote in the same way.
"""

from collections import defaultdict
from pathlib import Path

import numpy as np

from steps.monitor.data.histograms import ALL_BITS, Column, Moments, Numbers, Table, Texts
from steps.monitor.failures import BadBaseline, read_json

BUCKETS = 10
KLL_PARAMETERS = {"c": 0.64, "k": 2048.0}


def write(table: Table) -> dict:
    """Return the content of statistics.json; a baseline's holds the codes of some rows beside SageMaker's own."""
    sampled = {"row_codes": table.codes} if table.codes else {}
    return {
        "version": 0.0,
        "dataset": {"item_count": table.rows, **sampled},
        "features": [_feature(name, column) for name, column in table.columns.items()],
    }


def inferred_type(column: Column) -> str:
    """Return SageMaker's name of the column's type."""
    if not column.present:
        return "Unknown"
    if isinstance(column, Texts):
        return "String"
    return "Fractional" if column.fractional else "Integral"


def _feature(name: str, column: Column) -> dict:
    common = {"num_present": column.present, "num_missing": column.missing}
    feature: dict = {"name": name, "inferred_type": inferred_type(column)}
    if isinstance(column, Texts):
        distribution = {
            "categorical": {
                "buckets": [{"value": value, "count": count} for value, count in column.counts.items()],
                "hashed": column.hashed,
            }
        }
        feature["string_statistics"] = {
            "common": common,
            "distinct_count": column.distinct,
            "distribution": distribution,
        }
        return feature
    moments = column.moments
    feature["numerical_statistics"] = {
        "common": {**common, "num_mistyped": column.mistyped},
        "mean": moments.mean,
        "sum": moments.mean * moments.count,
        "std_dev": moments.deviation,
        "min": moments.minimum if moments.count else None,
        "max": moments.maximum if moments.count else None,
        "num_fractional": column.fractional,
        "distribution": {
            "kll": {
                "buckets": buckets(column),
                "sketch": {"parameters": KLL_PARAMETERS, "bits": column.bits, "data": _levels(column)},
            }
        },
    }
    return feature


def buckets(column: Numbers) -> list[dict]:
    """Return ten buckets of equal width with their counts, as SageMaker shows them."""
    if not column.present:
        return []
    low, high = column.moments.minimum, column.moments.maximum
    edges = np.linspace(low, high, BUCKETS + 1)
    positions = np.clip(np.searchsorted(edges, column.keys, side="right") - 1, 0, BUCKETS - 1)
    counts = np.bincount(positions, weights=column.counts, minlength=BUCKETS)
    return [
        {"lower_bound": float(edges[i]), "upper_bound": float(edges[i + 1]), "count": float(counts[i])}
        for i in range(BUCKETS)
    ]


def _levels(column: Numbers) -> list[list[float]]:
    highest = int(column.counts.max()).bit_length() if column.present else 0
    return [column.keys[(column.counts >> level) & 1 == 1].tolist() for level in range(highest)]


def read(file: Path) -> Table:
    """Return the table that a statistics.json describes.

    Raises:
        BadBaseline: the file isn't one, naming the feature at fault.
    """
    content = read_json(file, "baseline_statistics")
    name = "dataset"
    try:
        rows = int(content["dataset"]["item_count"])
        codes = [[int(code) for code in row] for row in content["dataset"].get("row_codes", [])]
        columns: dict[str, Column] = {}
        for feature in content["features"]:
            name = str(feature["name"])
            columns[name] = _column(feature)
    except (KeyError, TypeError, ValueError, IndexError):
        raise BadBaseline(f"{file.name}: the statistics of {name} aren't in SageMaker's form.") from None
    if not columns:
        raise BadBaseline(f"{file.name}: describes no column.")
    if any(len(row) != len(columns) for row in codes):
        raise BadBaseline(f"{file.name}: row_codes don't have one code per column.")
    return Table(rows, columns, codes)


def _column(feature: dict) -> Column:
    if "string_statistics" in feature:
        found = feature["string_statistics"]
        categorical = found.get("distribution", {}).get("categorical", {})
        counts = {str(entry["value"]): int(entry["count"]) for entry in categorical.get("buckets", [])}
        missing = int(found["common"]["num_missing"])
        return Texts(counts, missing, int(found["distinct_count"]), bool(categorical.get("hashed")))
    if "numerical_statistics" not in feature:
        return Texts({})
    found = feature["numerical_statistics"]
    sketch = found["distribution"]["kll"]["sketch"]
    weights: defaultdict[float, int] = defaultdict(int)
    for level, values in enumerate(sketch["data"]):
        for value in values:
            weights[float(value)] += 1 << level
    keys = np.array(sorted(weights), dtype=float)
    counts = np.array([weights[value] for value in keys.tolist()], dtype=np.int64)
    common = found["common"]
    present = int(common["num_present"])
    moments = Moments(present, float(found["mean"]), float(found["std_dev"]) ** 2 * present)
    if present:
        moments.minimum, moments.maximum = float(found["min"]), float(found["max"])
    fractional = int(found.get("num_fractional", present if feature["inferred_type"] == "Fractional" else 0))
    bits = int(sketch.get("bits", ALL_BITS))
    return Numbers.of(
        keys,
        counts,
        bits,
        int(common["num_missing"]),
        int(common.get("num_mistyped", 0)),
        moments,
        fractional,
    )
