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
from numpy.typing import NDArray

from steps.monitor import broken, relation
from steps.monitor.relation import LONGEST_LINE, Source

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
class Drawn:
    """A drawn row: its key, and its cells as text, None where missing."""

    key: float
    cells: tuple[str | None, ...]


def draw(source: Source) -> list[Drawn]:
    """Return the rows with the smallest keys of all files, in the order of the keys.

    Rows of a big text file are those that follow random places of it; its number of rows is estimated from the
    length of these.
    """
    return merged(_from_file(source, file) for file in source.files)


def merged(draws: Iterable[Iterable[Drawn]]) -> list[Drawn]:
    """Return the rows with the smallest keys of several draws."""
    return sorted((drawn for draw in draws for drawn in draw), key=lambda drawn: drawn.key)[:ROWS]


def _from_file(source: Source, file: Path) -> list[Drawn]:
    seed = hashlib.md5(source.name_of(file).encode(), usedforsecurity=False).digest()
    rng = np.random.default_rng(int.from_bytes(seed, "big"))
    if source.format == "parquet":
        rows, count = _parquet(source, file, rng)
    elif source.format == "json" and not source.lines:
        rows = [_of_object(content, source) for _, content in broken.records(file, by_line=False)]
        count = len(rows)
    else:
        rows, count = _of_lines(source, file, rng)
    order = rng.permutation(len(rows))[:ROWS]
    keys = smallest_keys(rng, max(count, len(rows)), len(order))
    return [Drawn(key, rows[place]) for key, place in zip(keys.tolist(), order.tolist(), strict=True)]


def smallest_keys(rng: np.random.Generator, count: int, wanted: int) -> NDArray[np.float64]:
    """Return the `wanted` smallest of `count` uniform numbers between 0 and 1, in ascending order."""
    gaps = rng.standard_exponential(wanted) / (count - np.arange(wanted))
    return -np.expm1(-np.cumsum(gaps))


def _of_lines(source: Source, file: Path, rng: np.random.Generator) -> tuple[list[tuple[str | None, ...]], int]:
    size = file.stat().st_size
    if size <= WHOLE:
        found = [line for _, line in broken.lines(file, file.name)][source.header and source.format == "csv" :]
        rows = [row for row in (_cells(line, source) for line in found) if row]
        return rows, len(rows)
    taken, total = _compressed(file, rng) if relation.is_gzip(file) else _at_places(file, size, rng)
    rows = [row for row in (_cells(line.decode(errors="replace"), source) for line in taken) if row]
    length = sum(map(len, taken)) / max(1, len(taken))
    return rows, max(len(rows), round(total / max(1.0, length)))


def _at_places(file: Path, size: int, rng: np.random.Generator) -> tuple[list[bytes], int]:
    """Return the lines that follow random places, each once, and the file's bytes."""
    found: dict[int, bytes] = {}
    with file.open("rb") as stream:
        for place in np.sort(rng.integers(0, size, SPARE * ROWS)).tolist():
            stream.seek(place)
            stream.readline(LONGEST_LINE)
            start = stream.tell()
            line = stream.readline(LONGEST_LINE)
            if line.strip():
                found[start] = line
    return list(found.values()), size


def _compressed(file: Path, rng: np.random.Generator) -> tuple[list[bytes], int]:
    """Return lines that follow random places of a compressed file, the same number in each chunk of it."""
    kept: list[tuple[float, bytes]] = []
    total = 0
    for chunk in _chunks(file):
        total += len(chunk)
        for place in sorted(set(rng.integers(0, len(chunk), SPARE).tolist())):
            line = chunk[place:].split(b"\n", 2)[1:]
            if len(line) == 2 and line[0].strip():
                kept.append((rng.random(), line[0]))
        if len(kept) > 4 * SPARE * ROWS:
            kept = sorted(kept)[: SPARE * ROWS]
    return [line for _, line in sorted(kept)[: SPARE * ROWS]], total


def _chunks(file: Path) -> Iterator[bytes]:
    """Give the content of a compressed file until it ends or is damaged, which the scan has told before."""
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


def _parquet(source: Source, file: Path, rng: np.random.Generator) -> tuple[list[tuple[str | None, ...]], int]:
    """Return random rows of at most GROUPS row groups, which lie evenly over the file, and its number of rows."""
    path = relation.text(str(file))
    with relation.connect() as engine:
        found = engine.execute(
            f"SELECT DISTINCT row_group_id, row_group_num_rows FROM parquet_metadata({path}) ORDER BY row_group_id"
        ).fetchall()
        sizes = np.array([size for _, size in found], dtype=np.int64)
        ends = np.cumsum(sizes)
        chosen = np.arange(len(sizes))
        if len(sizes) > GROUPS:
            chosen = np.floor((np.arange(GROUPS) + rng.random()) * len(sizes) / GROUPS).astype(int)
        within = np.cumsum(sizes[chosen])
        if not len(within) or not within[-1]:
            return [], 0
        picked = np.sort(rng.choice(within[-1], min(within[-1], ROWS), replace=False))
        group = np.searchsorted(within, picked, side="right")
        places = picked - within[group] + ends[chosen[group]]
        columns = ", ".join(f"{relation.quoted_name(name)}::VARCHAR" for name in source.names)
        rows: Sequence[tuple[Any, ...]] = engine.execute(
            f"SELECT {columns} FROM {relation.parquet([file])} "
            f"WHERE file_row_number IN ({', '.join(map(str, places))}) ORDER BY file_row_number"
        ).fetchall()
    return [tuple(_present(cell or "", source) for cell in row) for row in rows], int(ends[-1])
