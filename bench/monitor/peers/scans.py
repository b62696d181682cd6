"""Bare scans that compute the figures of every column: `scans.py ENGINE FILE NAMES`.

The figures are the rows per value of each column, missing cells among them; mean, deviation, smallest and largest
follow from these. The scans check nothing, compare nothing and fail on the first cell that isn't a number. ENGINE is
duckdb, polars, pyarrow or pandas; NAMES are the columns of a headerless CSV file. Prints the number of rows, and the
seconds after the imports.
"""

import importlib
import sys
import time

MISSING = "?"


def duckdb(file: str, names: list[str]) -> int:
    """Scan with DuckDB's histogram aggregate."""
    import duckdb

    columns = ", ".join(f"'{name}': 'BIGINT'" for name in names)
    table = f"read_csv('{file}', header = false, columns = {{{columns}}}, nullstr = ['', '{MISSING}'])"
    if file.endswith(".parquet"):
        table = f"read_parquet('{file}')"
    figures = ", ".join(f"histogram({name}), count({name})" for name in names)
    return duckdb.connect().execute(f"SELECT count(*), {figures} FROM {table}").fetchone()[0]


def polars(file: str, names: list[str]) -> int:
    """Scan with Polars' streaming engine."""
    import polars as pl

    if file.endswith(".parquet"):
        frame = pl.scan_parquet(file)
    else:
        schema = dict.fromkeys(names, pl.Int64)
        frame = pl.scan_csv(file, has_header=False, schema=schema, null_values=["", MISSING])
    found = pl.collect_all([frame.group_by(name).len() for name in names], engine="streaming")
    return found[0]["len"].sum()


def pyarrow(file: str, names: list[str]) -> int:
    """Scan batches with PyArrow, and count their values."""
    import pyarrow.compute as pc
    from pyarrow import csv, int64
    from pyarrow import parquet as pq

    if file.endswith(".parquet"):
        batches = pq.ParquetFile(file).iter_batches(1 << 18)
    else:
        batches = csv.open_csv(
            file,
            csv.ReadOptions(column_names=names, block_size=1 << 24),
            convert_options=csv.ConvertOptions(column_types=dict.fromkeys(names, int64()), null_values=["", MISSING]),
        )
    counts: list[dict] = [{} for _ in names]
    rows = 0
    for batch in batches:
        rows += batch.num_rows
        for column, known in zip(batch.columns, counts, strict=True):
            for value, count in zip(*pc.value_counts(column).flatten(), strict=True):
                key = value.as_py()
                known[key] = known.get(key, 0) + count.as_py()
    return rows


def pandas(file: str, names: list[str]) -> int:
    """Read the whole table with pandas, then count each column's values."""
    import pandas as pd

    frame = pd.read_parquet(file) if file.endswith(".parquet") else pd.read_csv(file, names=names, na_values=[MISSING])
    for name in names:
        frame[name].value_counts(dropna=False)
    return len(frame)


def main() -> int:
    """Scan, and print the number of rows and the seconds."""
    engine, file, names = sys.argv[1:]
    importlib.import_module(engine)
    began = time.monotonic()
    rows = {"duckdb": duckdb, "polars": polars, "pyarrow": pyarrow, "pandas": pandas}[engine](file, names.split(","))
    print(rows, time.monotonic() - began)
    return 0


if __name__ == "__main__":
    sys.exit(main())
