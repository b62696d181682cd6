"""Rows that stand for the table: a uniform draw without replacement, the same however the files lie on hosts.

Each row of the table is thought to have a uniform random key, and the rows with the smallest keys are drawn. A file
gives only what may be among them: as many random rows as are wanted, with the smallest of as many keys as it has
rows (which need not all be made: the logarithms of the gaps between the smallest of n uniforms are exponential,
Devroye 1986, Non-Uniform Random Variate Generation, V.2). The seed is the file's name, so that the draw doesn't
depend on where the file is read, and draws merge by keeping the smallest keys.
"""

import csv
import gzip
import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from duckdb import DuckDBPyConnection
from numpy.typing import NDArray

from steps.monitor.data import duckdb_source, read_errors
from steps.monitor.data.duckdb_source import LONGEST_LINE, Source

ROWS = 600
"""How many rows are drawn."""

WHOLE = 1 << 18
"""Bytes of a file that is read as a whole."""

CHUNK = 1 << 16
GROUPS = 20
"""Row groups of a Parquet file from which rows are drawn."""

SPARE = 2
"""How many times as many places as rows are looked at, as two places may lie in one row."""


@dataclass(frozen=True)
class SampledRow:
    """A drawn row: its key, and its cells as text, None where missing."""

    key: float
    cells: tuple[str | None, ...]


def draw(source: Source) -> list[SampledRow]:
    """Return the rows with the smallest keys of all files, in the order of the keys.

    Rows of a big text file are those that follow random places of it; its number of rows is estimated from the
    length of these.
    """
    if source.format == "parquet":
        return _draw_parquet(source)
    return merged(_from_file(source, file) for file in source.files)


def merged(draws: Iterable[Iterable[SampledRow]]) -> list[SampledRow]:
    """Return the rows with the smallest keys of several draws."""
    return sorted((drawn for draw in draws for drawn in draw), key=lambda drawn: drawn.key)[:ROWS]


def _generator(source: Source, file: Path) -> np.random.Generator:
    seed = hashlib.md5(source.name_of(file).encode(), usedforsecurity=False).digest()
    return np.random.default_rng(int.from_bytes(seed, "big"))


def _from_file(source: Source, file: Path) -> list[SampledRow]:
    rng = _generator(source, file)
    if source.format == "json" and not source.lines:
        rows = [_of_object(content, source) for _, content in read_errors.records(file, by_line=False)]
        count = len(rows)
    else:
        rows, count = _of_lines(source, file, rng)
    order = rng.permutation(len(rows))[:ROWS]
    keys = lowest_keys(rng, max(count, len(rows)), len(order))
    return [SampledRow(key, rows[position]) for key, position in zip(keys.tolist(), order.tolist(), strict=True)]


def lowest_keys(rng: np.random.Generator, count: int, wanted: int) -> NDArray[np.float64]:
    """Return the `wanted` smallest of `count` uniform numbers between 0 and 1, in ascending order."""
    gaps = rng.standard_exponential(wanted) / (count - np.arange(wanted))
    return -np.expm1(-np.cumsum(gaps))


def _of_lines(source: Source, file: Path, rng: np.random.Generator) -> tuple[list[tuple[str | None, ...]], int]:
    size = file.stat().st_size
    if size <= WHOLE:
        found = [line for _, line in read_errors.lines(file, file.name)][source.header and source.format == "csv" :]
        rows = [row for row in (_cells(line, source) for line in found) if row]
        return rows, len(rows)
    taken, total = _compressed(file, rng) if duckdb_source.is_gzip(file) else _at_positions(file, size, rng)
    rows = [row for row in (_cells(line.decode(errors="replace"), source) for line in taken) if row]
    length = sum(map(len, taken)) / max(1, len(taken))
    return rows, max(len(rows), round(total / max(1.0, length)))


def _at_positions(file: Path, size: int, rng: np.random.Generator) -> tuple[list[bytes], int]:
    """Return the lines that follow random places, each once, and the file's bytes."""
    found: dict[int, bytes] = {}
    with file.open("rb") as stream:
        for position in np.sort(rng.integers(0, size, SPARE * ROWS)).tolist():
            stream.seek(position)
            stream.readline(LONGEST_LINE)
            start = stream.tell()
            line = stream.readline(LONGEST_LINE)
            if line.strip():
                found[start] = line
    return list(found.values()), size


def _compressed(file: Path, rng: np.random.Generator) -> tuple[list[bytes], int]:
    """Return lines that follow random places of a compressed file, the same number in each chunk of it."""
    retained: list[tuple[float, bytes]] = []
    total = 0
    for chunk in _chunks(file):
        total += len(chunk)
        for position in sorted(set(rng.integers(0, len(chunk), SPARE).tolist())):
            line = chunk[position:].split(b"\n", 2)[1:]
            if len(line) == 2 and line[0].strip():
                retained.append((rng.random(), line[0]))
        if len(retained) > 4 * SPARE * ROWS:
            retained = sorted(retained)[: SPARE * ROWS]
    return [line for _, line in sorted(retained)[: SPARE * ROWS]], total


def _chunks(file: Path) -> Iterator[bytes]:
    """Give the content of a compressed file until it ends or is damaged, which the scan has reported."""
    try:
        with gzip.open(file, "rb") as stream:
            while chunk := stream.read(CHUNK):
                yield chunk
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return


def _cells(line: str, source: Source) -> tuple[str | None, ...] | None:
    """Return the cells of a line, or None where it isn't one whole row."""
    if source.format == "json":
        try:
            content = json.loads(line)
        except ValueError:
            return None
        return _of_object(content, source) if isinstance(content, dict) else None
    try:
        cells = next(csv.reader([line]), [])
    except csv.Error:
        return None
    return tuple(_present(cell, source) for cell in cells) if len(cells) == len(source.names) else None


def _of_object(content: dict[str, Any], source: Source) -> tuple[str | None, ...]:
    return tuple(_present(_text(content.get(name)), source) for name in source.names)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _present(cell: str, source: Source) -> str | None:
    cell = cell.strip()
    return None if not cell or cell in source.missing else cell


def _draw_parquet(source: Source) -> list[SampledRow]:
    """Return the rows with the smallest keys of Parquet files, of which only the row groups that hold these are read.

    A file's keys are known from its number of rows; what no other file's keys leave room for is never read.
    """
    with duckdb_source.connect() as engine:
        sizes = _group_sizes(source, engine)
        drawn = [_positions(_generator(source, file), sizes[file]) for file in source.files]
        keys = np.sort(np.concatenate([keys for keys, _ in drawn]))
        last = keys[:ROWS][-1] if len(keys) else 0.0
        found = []
        for file, (keys, positions) in zip(source.files, drawn, strict=True):
            some = int(np.searchsorted(keys, last, side="right"))
            rows = _rows_at(source, file, positions[:some], engine)
            found.append([SampledRow(key, row) for key, row in zip(keys[:some].tolist(), rows, strict=True)])
    return merged(found)


def _group_sizes(source: Source, engine: DuckDBPyConnection) -> dict[Path, NDArray[np.int64]]:
    """Return the rows of each row group of each file."""
    paths = ", ".join(duckdb_source.text(str(file)) for file in source.files)
    found: dict[str, list[int]] = {}
    for name, size in engine.execute(
        "SELECT file_name, row_group_num_rows FROM "
        f"(SELECT DISTINCT file_name, row_group_id, row_group_num_rows FROM parquet_metadata([{paths}])) "
        "ORDER BY file_name, row_group_id"
    ).fetchall():
        found.setdefault(name, []).append(size)
    return {file: np.array(found.get(str(file), []), dtype=np.int64) for file in source.files}


def _positions(rng: np.random.Generator, sizes: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return a file's smallest keys and the rows that have them, counted from 0.

    The rows lie in at most GROUPS row groups, evenly over the file; those with the smallest keys lie in the same
    ones, so that a file of which few rows are wanted is hardly read.

    Args:
        rng: the file's.
        sizes: rows of each of its row groups.
    """
    ends = np.cumsum(sizes)
    chosen = np.arange(len(sizes))
    if len(sizes) > GROUPS:
        chosen = np.floor((np.arange(GROUPS) + rng.random()) * len(sizes) / GROUPS).astype(int)
    within = np.cumsum(sizes[chosen])
    if not len(within) or not within[-1]:
        return np.zeros(0), np.zeros(0, dtype=np.int64)
    picked = rng.choice(within[-1], min(within[-1], ROWS), replace=False)
    group = np.searchsorted(within, picked, side="right")
    # Groups in a random order, larger ones rather earlier, so that each row is as likely to come early as any other
    # (Efraimidis and Spirakis 2006, doi:10.1016/j.ipl.2005.11.003).
    turns = np.argsort(np.argsort(rng.standard_exponential(len(chosen)) / np.maximum(sizes[chosen], 1)))
    interleaved = np.argsort(turns[group], kind="stable")
    picked, group = picked[interleaved], group[interleaved]
    return lowest_keys(rng, int(ends[-1]), len(picked)), picked - within[group] + ends[chosen[group]]


def _rows_at(
    source: Source, file: Path, positions: NDArray[np.int64], engine: DuckDBPyConnection
) -> list[tuple[str | None, ...]]:
    """Return the rows at places of a Parquet file, in the places' order."""
    if not len(positions):
        return []
    columns = ", ".join(f"{duckdb_source.quoted_name(name)}::VARCHAR" for name in source.names)
    found: Sequence[tuple[Any, ...]] = engine.execute(
        f"SELECT {columns} FROM {duckdb_source.parquet([file])} "
        f"WHERE file_row_number IN ({', '.join(map(str, positions))}) ORDER BY file_row_number"
    ).fetchall()
    order = np.argsort(np.argsort(positions))
    return [tuple(_present(cell or "", source) for cell in found[position]) for position in order.tolist()]
