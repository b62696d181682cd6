"""Files in, a table's sketch out: one pass of DuckDB over all files, in memory that doesn't grow.

The pass counts rows per key, column by column, with GROUPING SETS, which spill to disk when they must. A key is the
cell itself; where the first rows show more values than a sketch keeps, it is the number's leading bits or the text's
bucket. Where whole lines of a CSV file repeat, the pass counts lines and takes only the different ones apart, which
is twice as fast as parsing every cell. Where a Parquet file's own statistics say that there are few different rows, it
counts rows, which takes a quarter less. Either keeps a row's values as they are: where rows repeat, so do they.
"""

import gzip
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np

from steps.monitor.data import duckdb_source, read_errors
from steps.monitor.data.duckdb_source import Source, connect
from steps.monitor.data.histograms import (
    ALL_BITS,
    HASH_BUCKETS,
    MAX_KEYS,
    Column,
    Moments,
    Numbers,
    Table,
    Texts,
    bits_within,
)

PROBED_ROWS = 20_000
SMALL = 1 << 18
"""Bytes of files that are scanned without looking at their first rows before."""

LOOKED_AT = 1 << 16
"""Bytes at the beginning and in the middle of a CSV file, in which it shows whether lines repeat."""

COLUMNS_AT_ONCE = 24
"""Columns that one pass counts: each takes memory of its own. A wider table takes several passes."""

MAX_GROUPS = 1 << 16
"""Groups of a column that are taken into memory; of more, only what a sketch keeps."""

ROW_BITS = 20
"""Different rows, as a power of two, up to which rows are counted: each has a place of its own in memory."""

LONGEST_TEXT = 200
"""Characters of a value that are kept; a longer one is known by its hash."""

EXACT, BUCKETS = "exact", "buckets"


@dataclass(frozen=True)
class KeyEncoding:
    """How a column's cells become keys: `exact`, `buckets`, or a number's leading `bits` with sums around `middle`."""

    kind: str = EXACT
    bits: int = ALL_BITS
    middle: float = 0.0


def scan(source: Source) -> Table:
    """Return the sketch of all rows of all files.

    Raises:
        StepFailed: naming the file and row that can't be read.
    """
    with connect() as engine:
        try:
            rows = _repeated(engine, source)
            encodings = [KeyEncoding()] * len(source.names) if rows else _probe(engine, source)
            rows, weight = (rows, "weight") if rows else (duckdb_source.table(source), None)
            columns: dict[str, Column] = {}
            for first in range(0, len(encodings), COLUMNS_AT_ONCE):
                chunk = range(first, min(first + COLUMNS_AT_ONCE, len(encodings)))
                _group(engine, source, encodings, chunk, rows, weight)
                found = engine.execute(
                    "SELECT which, count(*), sum(rows)::BIGINT FROM groups GROUP BY which"
                ).fetchall()
                groups = {which: number for which, number, _ in found}
                count = found[0][2] if found else 0
                for i in chunk:
                    columns[source.names[i]] = _column(engine, source, i, encodings[i], groups.get(i, 0) > MAX_GROUPS)
        except duckdb.Error as error:
            raise read_errors.explain(source, error) from None
    return Table(int(count), columns)


def _size(source: Source) -> int:
    return sum(file.stat().st_size for file in source.files)


def _repeated(engine: duckdb.DuckDBPyConnection, source: Source) -> str | None:
    """Count rows as a whole, and return the SQL of the different ones with their weight; None where that can't be."""
    if _size(source) < SMALL or len(source.names) < 2:
        return None
    if source.format == "parquet":
        return _rows(engine, source) if len(source.names) <= COLUMNS_AT_ONCE else None
    return _lines(engine, source) if source.format == "csv" and lines_repeat(source) else None


def lines_repeat(source: Source) -> bool:
    """Whether CSV files hold, wherever they are looked at, each line twice or more on average."""
    try:
        looks = [chunk.split(b"\n")[1:-1] for chunk in _chunks(source)]
    except (OSError, EOFError, zlib.error):
        # The scan says better what is wrong with a file.
        return False
    return all(2 * len(set(lines)) <= len(lines) for lines in looks)


def _chunks(source: Source) -> Iterator[bytes]:
    for file in dict.fromkeys((source.files[0], source.files[-1])):
        if duckdb_source.is_gzip(file):
            with gzip.open(file, "rb") as stream:
                yield stream.read(2 * LOOKED_AT)
            continue
        with file.open("rb") as stream:
            for position in (0, file.stat().st_size // 2):
                stream.seek(position)
                yield stream.read(LOOKED_AT)


def _probe(engine: duckdb.DuckDBPyConnection, source: Source) -> list[KeyEncoding]:
    """Look at the first rows of the first and the last file, and return the columns' encodings."""
    encodings = [KeyEncoding()] * len(source.names)
    if _size(source) < SMALL:
        return encodings
    ends = tuple(dict.fromkeys((source.files[0], source.files[-1])))
    rows = " UNION ALL ".join(f"(FROM ({duckdb_source.table(source, [file])}) LIMIT {PROBED_ROWS})" for file in ends)
    engine.execute(f"CREATE TEMP TABLE probe AS {rows}")
    counts: list[int] = []
    for first in range(0, len(encodings), COLUMNS_AT_ONCE):
        chunk = range(first, min(first + COLUMNS_AT_ONCE, len(encodings)))
        counts += _one(engine, f"SELECT {', '.join(f'count(DISTINCT c{i})' for i in chunk)} FROM probe")
    for i, (name, different) in enumerate(zip(source.names, counts, strict=True)):
        if different <= MAX_KEYS:
            continue
        if source.kinds[name] == "text":
            encodings[i] = KeyEncoding(BUCKETS)
            continue
        number = duckdb_source.number(f"c{i}", source, i)
        found = engine.execute(f"SELECT DISTINCT {number} AS x FROM probe WHERE isfinite({number})").fetchnumpy()["x"]
        numbers = np.sort(np.asarray(found, dtype=float))
        if len(numbers) > MAX_KEYS:
            encodings[i] = KeyEncoding("bits", bits_within(numbers), float(np.median(numbers)))
    return encodings


def _rows(engine: duckdb.DuckDBPyConnection, source: Source) -> str | None:
    """Count a Parquet file's rows; None where its statistics don't give each different row a place in an array."""
    engine.execute(f"SET perfect_ht_threshold = {ROW_BITS}")
    cells = ", ".join(f"c{i}" for i in range(len(source.names)))
    query = f"SELECT {cells}, count(*) AS weight FROM ({duckdb_source.table(source)}) GROUP BY ALL"
    plan = engine.execute(f"EXPLAIN {query}").fetchall()
    if not any("perfect hash" in str(part).lower() for row in plan for part in row):
        return None
    engine.execute(f"CREATE TEMP TABLE lines AS {query}")
    return "FROM lines"


def _lines(engine: duckdb.DuckDBPyConnection, source: Source) -> str | None:
    """Count lines, and return the SQL of the different ones' cells; None where one can't be split at every comma."""
    engine.execute(
        f"CREATE TEMP TABLE lines AS SELECT line, count(*) AS weight FROM ({duckdb_source.lines(source)}) GROUP BY line"
    )
    width = len(source.names)
    odd = f"contains(line, '\"') OR len(line) - len(replace(line, ',', '')) <> {width - 1}"
    if _one(engine, f"SELECT count(*) FROM lines WHERE {odd}")[0]:
        engine.execute("DROP TABLE lines")
        return None
    cells = ", ".join(f"cells[{i + 1}] AS c{i}" for i in range(width))
    split = "SELECT string_split(line, ',') AS cells, weight FROM lines"
    return f"SELECT {cells}, weight FROM ({split})"


def _group(
    engine: duckdb.DuckDBPyConnection,
    source: Source,
    encodings: Sequence[KeyEncoding],
    chunk: Sequence[int],
    rows: str,
    weight: str | None,
) -> None:
    """Count some columns' keys into the table `groups`: which column, its key, rows and, for bits, sums.

    `rows` is the SQL of the cells, of which each stands for one row or, where there is a column `weight`, for so many.
    """
    inner, keys, sums = [weight] * bool(weight), [], []
    for i in chunk:
        encoding, cell, keyed = encodings[i], f"c{i}", f"k{i}"
        keys.append(keyed)
        if encoding.kind == EXACT:
            inner.append(f"{cell} AS {keyed}")
        elif encoding.kind == BUCKETS:
            known = _cell_of(f"trim({cell}::VARCHAR)")
            inner.append(f"CASE WHEN NOT {duckdb_source.missing(cell, source, i)} THEN {known} END AS {keyed}")
        else:
            inner += [f"{duckdb_source.number(cell, source, i)} AS n{i}", f"{cell}"]
            sums.append(i)
    outer = [weight] * bool(weight) + [f"k{i}" for i in chunk if i not in sums]
    totals = [f"sum({weight})::BIGINT AS rows" if weight else "count(*) AS rows"]
    for i in sums:
        finite, mask = f"isfinite(n{i})", -(1 << (ALL_BITS - encodings[i].bits))
        whole = f"(CASE WHEN n{i} = floor(n{i}) THEN 0 ELSE 1 END)"
        nothing = f"CASE WHEN {duckdb_source.missing(f'c{i}', source, i)} THEN NULL ELSE {_NOT_A_NUMBER} END"
        outer.append(f"CASE WHEN {finite} THEN (n{i}::BIT::BIGINT & {mask}) | {whole} ELSE {nothing} END AS k{i}")
        outer.append(f"CASE WHEN {finite} THEN n{i} END AS x{i}")
        apart = f"(x{i} - {encodings[i].middle!r})"
        totals += [
            f"sum({apart}) AS t{i}",
            f"sum({apart} * {apart}) AS s{i}",
            f"min(x{i}) AS l{i}",
            f"max(x{i}) AS h{i}",
        ]
    which = " ".join(f"WHEN grouping(k{i}) = 0 THEN {i}" for i in chunk)
    sets = ", ".join(f"({key})" for key in keys)
    counted = f"CASE {which} END AS which, {', '.join(keys)}, {', '.join(totals)}"
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE groups AS SELECT {counted} "
        f"FROM (SELECT {', '.join(outer)} FROM (SELECT {', '.join(inner)} FROM ({rows}))) "
        f"GROUP BY GROUPING SETS ({sets})"
    )


_NOT_A_NUMBER = 0x7FF8 << 48
"""The key of a cell that isn't a finite number: the bits of NaN."""

_ABSENT = -1
"""The key of a missing text. Results hold no NULL: numpy's masked arrays take longer to import than to read."""


def _column(
    engine: duckdb.DuckDBPyConnection, source: Source, column: int, encoding: KeyEncoding, overflows: bool
) -> Column:
    if source.kinds[source.names[column]] == "text":
        return _texts(engine, source, column, encoding, overflows)
    if overflows or encoding.kind != EXACT:
        return _numbers(engine, source, column, encoding, overflows)
    return _few_numbers(engine, source, column)


def _texts(
    engine: duckdb.DuckDBPyConnection, source: Source, column: int, encoding: KeyEncoding, overflows: bool
) -> Texts:
    key = f"k{column}"
    groups = f"FROM groups WHERE which = {column}"
    if encoding.kind == BUCKETS:
        return _hashed(engine.execute(f"SELECT coalesce({key}, {_ABSENT}) AS cell, rows {groups}").fetchnumpy())
    absent = duckdb_source.missing(key, source, column)
    value = f"trim({key}::VARCHAR)"
    if overflows:
        cell = f"CASE WHEN {absent} THEN {_ABSENT} ELSE {_cell_of(value)} END AS cell"
        query = f"SELECT {cell}, sum(rows)::BIGINT AS rows {groups} GROUP BY cell"
        return _hashed(engine.execute(query).fetchnumpy())
    missing = _one(engine, f"SELECT coalesce(sum(rows), 0) {groups} AND {absent}")[0]
    short = f"CASE WHEN len({value}) > {LONGEST_TEXT} THEN 'md5 ' || md5({value}) ELSE {value} END"
    query = f"SELECT {short} AS value, sum(rows)::BIGINT {groups} AND NOT {absent} GROUP BY value"
    return Texts.of({str(value): int(rows) for value, rows in engine.execute(query).fetchall()}, int(missing))


def _cell_of(value: str) -> str:
    """Return the SQL of `sketch.cell_of`."""
    high = f"(md5_number_upper({value}) >> 12)"
    rank = f"CASE WHEN {high} = 0 THEN 53 ELSE 52 - floor(log2({high})) END"
    return f"((md5_number_lower({value}) & {HASH_BUCKETS - 1})::BIGINT + {HASH_BUCKETS} * ({rank})::BIGINT)"


def _hashed(found: dict[str, Any]) -> Texts:
    cells, rows = np.asarray(found["cell"], dtype=np.int64), np.asarray(found["rows"], dtype=np.int64)
    absent = cells == _ABSENT
    return Texts.of_cells(cells[~absent], rows[~absent], int(rows[absent].sum()))


def _few_numbers(engine: duckdb.DuckDBPyConnection, source: Source, column: int) -> Numbers:
    """Return a column of which there are so few groups that all come into memory; the others go through `_numbers`."""
    key = f"k{column}"
    value, absent = duckdb_source.number(key, source, column), duckdb_source.missing(key, source, column)
    query = f"SELECT coalesce({value}, 'NaN') AS x, {absent} AS absent, rows FROM groups WHERE which = {column}"
    found = engine.execute(query).fetchnumpy()
    numbers = np.asarray(found["x"], dtype=float)
    absences, rows = np.asarray(found["absent"], dtype=bool), np.asarray(found["rows"], dtype=np.int64)
    finite = np.isfinite(numbers) & ~absences
    mistyped = int(rows[~finite & ~absences].sum())
    return Numbers.of(numbers[finite], rows[finite], missing=int(rows[absences].sum()), mistyped=mistyped)


def _numbers(
    engine: duckdb.DuckDBPyConnection, source: Source, column: int, encoding: KeyEncoding, overflows: bool
) -> Numbers:
    numbers, middle = _found_numbers(engine, source, column, encoding)
    missing, mistyped, fractional = _one(
        engine,
        "SELECT coalesce(sum(rows) FILTER (absent), 0), "
        "coalesce(sum(rows) FILTER (NOT absent AND NOT coalesce(isfinite(x), false)), 0), "
        f"coalesce(sum(rows) FILTER (isfinite(x) AND fraction), 0) FROM ({numbers})",
    )
    bits = _bits_within(engine, numbers, encoding.bits) if overflows else encoding.bits
    cut = f"(x::BIT::BIGINT & {-(1 << (ALL_BITS - bits))})::BIT::DOUBLE"
    found = engine.execute(
        f"SELECT {cut} AS key, sum(rows)::BIGINT AS rows, sum(total) AS total, sum(squares) AS squares, "
        f"min(low) AS low, max(high) AS high FROM ({numbers}) WHERE isfinite(x) GROUP BY key ORDER BY key"
    ).fetchnumpy()
    found = {name: np.asarray(values) for name, values in found.items()}
    keys, rows = found["key"].astype(float), found["rows"].astype(np.int64)
    moments = _moments(found, rows, middle)
    return Numbers.of(keys, rows, bits, int(missing), int(mistyped), moments, int(fractional))


def _found_numbers(
    engine: duckdb.DuckDBPyConnection, source: Source, column: int, encoding: KeyEncoding
) -> tuple[str, float]:
    """Return the SQL of a column's groups as numbers with their sums around a middle, and that middle."""
    key, groups = f"k{column}", f"FROM groups WHERE which = {column}"
    if encoding.kind == EXACT:
        value, absent = duckdb_source.number(key, source, column), duckdb_source.missing(key, source, column)
        found = f"SELECT {value} AS x, {absent} AS absent, rows, x <> floor(x) AS fraction {groups}"
        middle = float(_one(engine, f"SELECT coalesce(avg(x), 0.0) FROM ({found}) WHERE isfinite(x)")[0])
        apart = f"(x - {middle!r})"
        sums = f"rows * {apart} AS total, rows * {apart} * {apart} AS squares, x AS low, x AS high"
        return f"SELECT *, {sums} FROM ({found})", middle
    # The lowest bit of the key says whether the numbers under it are fractions.
    value = f"CASE WHEN {key} = {_NOT_A_NUMBER} THEN NULL ELSE ({key} & -2)::BIT::DOUBLE END AS x"
    sums = f"t{column} AS total, s{column} AS squares, l{column} AS low, h{column} AS high"
    return (
        f"SELECT {value}, {key} IS NULL AS absent, rows, ({key} & 1) = 1 AS fraction, {sums} {groups}",
        encoding.middle,
    )


def _moments(found: dict[str, Any], rows: np.ndarray, middle: float) -> Moments:
    """Return the moments of numbers from their groups' sums around a middle."""
    count = int(rows.sum())
    if not count:
        return Moments()
    total, squares = float(found["total"].sum()), float(found["squares"].sum())
    spread = max(0.0, squares - total**2 / count)
    return Moments(count, middle + total / count, spread, float(found["low"].min()), float(found["high"].max()))


def _bits_within(engine: duckdb.DuckDBPyConnection, numbers: str, most: int) -> int:
    """Return how many bits, at most `most`, leave as many different numbers as a sketch keeps."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        mask = -(1 << (ALL_BITS - middle))
        keys = f"SELECT count(DISTINCT x::BIT::BIGINT & {mask}) FROM ({numbers}) WHERE isfinite(x)"
        low, high = (middle, high) if _one(engine, keys)[0] <= MAX_KEYS else (low, middle - 1)
    return low


def _one(engine: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    row = engine.execute(query).fetchone()
    assert row is not None
    return row


def rows_where(source: Source, column: int, condition: str, limit: int) -> list[tuple[str, int, str | None]]:
    """Return the first rows of the files whose cell fulfils a condition: file, row counted from 1, and the cell.

    `condition` is SQL over `cell` (text, NULL where missing) and `number` (NULL where it isn't one).
    """
    found: list[tuple[str, int, str | None]] = []
    name = f"c{column}"
    absent, number = duckdb_source.missing(name, source, column), duckdb_source.number(name, source, column)
    with connect(ordered=True) as engine:
        for file in source.files:
            rows = duckdb_source.table(source, [file], row=True)
            cells = f"SELECT row, CASE WHEN NOT {absent} THEN trim({name}::VARCHAR) END AS cell, {number} AS number"
            query = f"SELECT row, cell FROM ({cells} FROM ({rows})) WHERE {condition} LIMIT {limit - len(found)}"
            found += [(source.name_of(file), row, cell) for row, cell in engine.execute(query).fetchall()]
            if len(found) >= limit:
                break
    return found


def infer_kinds(source: Source) -> dict[str, str]:
    """Return "number" or "text" for each column, from the first rows: most of the present cells decide."""
    numbers = []
    for i in range(len(source.names)):
        cell = f"c{i}"
        present = f"count(*) FILTER (NOT {duckdb_source.missing(cell, source, i)})"
        numbers.append(f"count({duckdb_source.number(cell, source, i)}) * 2 >= {present}")
    first = f"FROM ({duckdb_source.table(source, source.files[:1])}) LIMIT {PROBED_ROWS}"
    with connect(ordered=True) as engine:
        try:
            row = _one(engine, f"SELECT {', '.join(numbers)} FROM ({first})")
        except duckdb.Error as error:
            raise read_errors.explain(source, error) from None
    return {name: "number" if numeric else "text" for name, numeric in zip(source.names, row, strict=True)}
