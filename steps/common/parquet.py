"""Parquet files through DuckDB, which adds no column of its own to them."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from steps.common.files import File, Unreadable
from steps.common.layout import Cells
from steps.common.table import BadRow

if TYPE_CHECKING:
    import duckdb
    import numpy as np

NUMBERS = {"BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL"}


@dataclass(frozen=True)
class Column:
    """A column: its name in the file, the one that DuckDB gives it, and its SQL type."""

    name: str
    quoted: str
    type: str

    @property
    def is_numeric(self) -> bool:
        """Whether its cells are numbers or truth values."""
        return self.type.split("(")[0].removeprefix("U") in NUMBERS

    @property
    def is_text(self) -> bool:
        """Whether its cells are text."""
        return self.type == "VARCHAR" or self.type.startswith("ENUM")


def columns(file: File) -> tuple[list[Column], list[str]]:
    """Return a file's columns in order, and those among their names that pandas keeps its index under.

    Raises:
        Unreadable: the file is damaged, or another one.
    """
    import duckdb

    with connected() as engine:
        try:
            found = engine.execute(f"DESCRIBE FROM {table(file.path)}").fetchall()
            names = _top_names(engine, file.path)
            pandas = engine.execute(
                "SELECT value FROM parquet_kv_metadata(?) WHERE key = 'pandas'", [literal(file.path)]
            ).fetchone()
        except duckdb.Error:
            raise Unreadable(f"{file.name}: truncated, or not Parquet.") from None
    # DuckDB gives another name to the second of two that are equal but for their case.
    described = [Column(name, _quoted(row[0]), str(row[1])) for name, row in zip(names, found, strict=True)]
    return described, _index_columns(pandas[0]) if pandas else []


def read(file: File, wanted: Sequence[Column], cells: Cells) -> "np.ndarray":
    """Return the wanted columns' numbers, float64 of shape (rows, columns), NaN where missing.

    Raises:
        Unreadable: naming the column, and the row (counted from 1), of the first thing wrong.
    """
    import duckdb
    import numpy as np

    layout = cells.layout
    for name, column in zip(layout.names, wanted, strict=True):
        if not (column.is_numeric or column.is_text):
            kinds = "text or numbers" if name in layout.texts else "numbers"
            raise Unreadable(f"{file.name}, column {column.name}: {_kind(column.type)}, not {kinds}.")
    plain = [column.is_numeric and name not in layout.texts for name, column in zip(layout.names, wanted, strict=True)]
    chosen = [
        f"{column.quoted}::{'DOUBLE' if column.is_numeric else 'VARCHAR'} AS w{place}"
        for place, column in enumerate(wanted)
    ]
    try:
        with connected() as engine:
            found = list(engine.execute(f"SELECT {', '.join(chosen)} FROM {table(file.path)}").fetchnumpy().values())
    except duckdb.Error:
        raise Unreadable(f"{file.name}: truncated, or not Parquet.") from None
    rows = np.full((len(found[0]) if found else 0, len(wanted)), np.nan)
    for place, column in enumerate(found):
        if plain[place]:
            rows[:, place] = np.ma.filled(column, np.nan)
        else:
            rows[:, place] = _from_text(file, column, place, cells)
    _require(file, rows, cells)
    return rows


def _from_text(file: File, column: "np.ndarray", place: int, cells: Cells) -> list[float]:
    import numpy as np

    found = []
    for row, cell in enumerate(np.ma.filled(column.astype(object), None).tolist(), 1):
        try:
            found.append(cells.cell(place, cell))
        except BadRow as bad:
            raise Unreadable(f"{file.name}, row {row}, {bad}.") from None
    return found


def _require(file: File, rows: "np.ndarray", cells: Cells) -> None:
    """Raise Unreadable at the first row with a number that can't be."""
    import numpy as np

    layout = cells.layout
    faults = [
        (int(wrong.argmax()), place, said)
        for place, name in enumerate(layout.names)
        for wrong, said in [
            (np.isinf(rows[:, place]) | (np.abs(rows[:, place]) > layout.largest), "infinite, or too large a number"),
            *[(~check.holds(rows[:, place]), check.otherwise) for check in [layout.checks.get(name)] if check],
        ]
        if wrong.any()
    ]
    if faults:
        row, place, said = min(faults)
        raise Unreadable(f"{file.name}, row {row + 1}, column {layout.names[place]}: {said}.")


def connected() -> "duckdb.DuckDBPyConnection":
    """Return an engine of its own that takes nothing from the network."""
    import duckdb

    return duckdb.connect(config={"autoinstall_known_extensions": "false"})


def table(path: Path) -> str:
    """Return the SQL of a file's table, without the columns that DuckDB can add: folders' parts, names, numbers."""
    file = "'" + literal(path).replace("'", "''") + "'"
    return f"read_parquet([{file}], hive_partitioning = false, filename = false, binary_as_string = true)"


def literal(path: Path) -> str:
    """Return a path in which DuckDB sees no pattern."""
    return re.sub(r"([*?\[])", r"[\1]", str(path))


def _top_names(engine: "duckdb.DuckDBPyConnection", path: Path) -> list[str]:
    found = engine.execute("SELECT name, num_children FROM parquet_schema(?)", [literal(path)]).fetchall()
    names, depth = [], [found[0][1] or 0]
    for name, children in found[1:]:
        while depth and not depth[-1]:
            depth.pop()
        if len(depth) == 1:
            names.append(str(name))
        depth[-1] -= 1
        if children:
            depth.append(children)
    return names


def _index_columns(metadata: bytes | str) -> list[str]:
    try:
        return [name for name in json.loads(metadata)["index_columns"] if isinstance(name, str)]
    except (ValueError, KeyError, TypeError):
        return []


def _kind(kind: str) -> str:
    """Return what people call a type: DuckDB's name for it, or that it holds others."""
    nested = any(sign in kind for sign in ("STRUCT", "[", "MAP", "UNION"))
    return "nested values" if nested else kind.split("(")[0]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
