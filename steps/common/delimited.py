"""CSV files in pieces of bounded size: a strict parser that names what is wrong, and DuckDB where all is as usual."""

import base64
import binascii
import csv
import io
import re
import tempfile
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steps.common.files import BLANK, BOM, File, Unreadable, opened
from steps.common.layout import Cells, is_bookkeeping
from steps.common.table import BadRow, NotANumber, number

if TYPE_CHECKING:
    import numpy as np

LONGEST_LINE = 1 << 20
"""Characters of a line; a longer one is no row of a table, and isn't read to its end."""

PIECE = 32 << 20
"""Bytes that are read at once."""

LARGE = 1 << 20
"""Bytes from which reading with DuckDB is quicker than importing it takes."""

OTHER_SIGNS = {"\t": "tabs", ";": "semicolons", "|": "bars"}
UNDERSCORE = re.compile(rb"\d_\d")
BASE64 = re.compile(r"[A-Za-z0-9+/]{16,}={0,2}")


def first_cells(file: File) -> tuple[list[str], int]:
    """Return the first row's cells, without blanks around them, and the number of its line.

    Raises:
        Unreadable: it isn't text, or its line is too long.
    """
    with opened(file) as stream:
        head = stream.read(LONGEST_LINE + 1).removeprefix(BOM)
    # A cut at the end may split a character, and the last line of a longer file isn't whole.
    if len(head) > LONGEST_LINE - len(BOM):
        head = head[: max(head.rfind(b"\n"), head.rfind(b"\r")) + 1] or head
    try:
        rows = csv.reader(_lines(io.StringIO(head.decode(errors="surrogateescape"), newline="")))
        cells = [cell.strip() for cell in next((cells for cells in rows if cells), [""])]
        return cells, rows.line_num
    except csv.Error:
        raise Unreadable(f"{file.name}, row 1: not readable as CSV; a quote isn't closed.") from None
    except BadRow as bad:
        raise Unreadable(f"{file.name}, row 1: {bad}.") from None


def names_in(cells: Sequence[str], known: Sequence[str], *, texts: bool, missing: str = "") -> bool:
    """Whether a first row is a header line: no cell is a number, and one is a known name or none may be text."""
    named = [cell for place, cell in enumerate(cells, 1) if not is_bookkeeping(cell, place)]
    numbers = [_is_number(cell, missing) for cell in named if cell]
    if all(numbers):
        return False
    if set(named) <= set(known):
        return True
    # A single cell where several belong is a row in which another sign parts the cells.
    alone = len(named) == 1 and len(known) > 1
    return not alone and not any(numbers) and (not texts or bool(set(named) & set(known)))


def _is_number(cell: str, missing: str) -> bool:
    try:
        number(cell, missing)
    except NotANumber:
        # Numbers that Python alone reads, and words for none, are no names either.
        return cell.lstrip("+-").lower() in ("nan", "inf", "infinity", "na", "null", "none") or cell[:1].isdigit()
    return True


def batches(
    file: File, places: Sequence[int], width: int, header: bool, cells: Cells, piece: int = PIECE
) -> "Iterator[np.ndarray]":
    """Give a file's rows, float64 of shape (rows, columns), piece by piece.

    Args:
        file: UTF-8 text with commas, with or without byte order mark; blank lines don't count, but keep their number.
        places: where in a row each wanted column stands.
        width: cells of each row.
        header: whether the first row holds names.
        cells: turns cells into numbers.
        piece: bytes to read at once.

    Raises:
        Unreadable: naming the row (its line, counted from 1) and column of the first thing wrong.
    """
    import numpy as np

    line = 0
    with opened(file) as stream:
        for text in _pieces(stream, piece):
            if header and text.strip(BLANK):
                end = _header_end(text)
                line += text.count(b"\n", 0, end)
                header, text = False, text[end:]
            rows = _quick(text, places, width, cells) if len(text) >= LARGE else None
            if rows is None:
                numbers, lines = _strict(file.name, text, line, places, width, cells)
                rows = np.frombuffer(numbers).reshape(-1, len(places))
            else:
                lines = text.count(b"\n")
            line += lines
            yield rows


def _header_end(piece: bytes) -> int:
    """Return where the first row ends that isn't blank."""
    start = len(piece) - len(piece.lstrip(BLANK))
    end = start
    while end < len(piece):
        breaks = [place for place in (piece.find(b"\n", end), piece.find(b"\r", end)) if place >= 0]
        end = min(breaks, default=len(piece)) + 1
        if not piece.count(b'"', start, end) % 2:
            break
    return end + (piece[end - 1 : end + 1] == b"\r\n")


def _pieces(stream: Any, size: int) -> Iterator[bytes]:
    """Give whole rows of about so many bytes; a line break within quotes parts nothing."""
    rest, started = b"", False
    while chunk := stream.read(size):
        if not started:
            chunk, started = chunk.removeprefix(BOM), True
        rest += chunk
        end = rest.rfind(b"\n") + 1 or rest.rfind(b"\r", 0, len(rest) - 1) + 1
        while end and rest.count(b'"', 0, end) % 2:
            end = rest.rfind(b"\n", 0, end - 1) + 1
        if not end and len(rest) > 4 * size:
            end = len(rest)
        if end:
            yield rest[:end]
            rest = rest[end:]
        elif len(rest) > 4 * LONGEST_LINE and b"\n" not in rest and b"\r" not in rest:
            yield rest
            rest = b""
    if rest:
        yield rest


def _strict(
    name: str, piece: bytes, before: int, places: Sequence[int], width: int, cells: Cells
) -> tuple["array[float]", int]:
    """Return a piece's numbers, row after row, and its number of lines."""
    found = array("d")
    row: list[str] = []
    straight = list(places) == list(range(width))
    stream = io.StringIO(piece.decode(errors="surrogateescape"), newline="")
    reader = csv.reader(_lines(stream))
    line = 0  # Lines before the row that is looked at: a quoted cell may run over several.
    try:
        for row in reader:
            if row:
                if len(row) != width:
                    raise BadRow(_counted(row, width))
                found.extend(cells.row(row if straight else [row[place] for place in places]))
            line = reader.line_num
    except BadRow as bad:
        place = f", {bad}" if bad.column else f": {bad}"
        raise Unreadable(f"{name}, row {before + line + 1}{place}.") from None
    except csv.Error:
        raise Unreadable(f"{name}, row {before + line + 1}: not readable as CSV; a quote isn't closed.") from None
    return found, reader.line_num


def _counted(row: Sequence[str], width: int) -> str:
    """Return what is said of a row with another number of cells."""
    if len(row) == 1:
        form = other_form(row[0])
        if form:
            return form
        if len(row[0].split()) == width:
            return "cells parted by blanks, where commas belong"
    return f"{len(row)} column{'s'[len(row) == 1 :]} where {width} belong"


def other_form(cell: str) -> str:
    """Return what a row's only cell tells of another form, where several cells belong; nothing if it tells of none."""
    cell = cell.strip()
    sign = next((word for sign, word in OTHER_SIGNS.items() if sign in cell), "")
    if sign:
        return f"cells parted by {sign}, where commas belong"
    if BASE64.fullmatch(cell) and _is_base64(cell):
        return "base64, where plain CSV belongs"
    if cell.startswith("<"):
        return "XML or HTML, where CSV belongs"
    return "JSON, where CSV belongs" if cell.startswith(("{", "[")) else ""


def _is_base64(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) > 0 and not text.isdigit()
    except binascii.Error:
        return False


def _lines(stream: io.StringIO) -> Iterator[str]:
    while line := stream.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE:
            raise BadRow(f"the line is longer than {LONGEST_LINE} characters")
        if not line.isascii() and any("\udc80" <= sign <= "\udcff" for sign in line):
            raise BadRow("not UTF-8 text")
        yield line


def _quick(piece: bytes, places: Sequence[int], width: int, cells: Cells) -> "np.ndarray | None":
    """Return a piece's numbers; None where anything in it is unusual, for which the strict parser is right."""
    try:
        import duckdb
        import numpy as np
    except ModuleNotFoundError:  # An image without DuckDB reads everything strictly.
        return None
    # DuckDB reads 1_0 as ten, and drops an empty cell behind the last column, for which the commas are counted.
    if b"\0" in piece or piece.count(b"\r") != piece.count(b"\r\n") or (b"_" in piece and UNDERSCORE.search(piece)):
        return None
    layout = cells.layout
    columns = {f"c{place}": "VARCHAR" for place in range(width)}
    wanted = []
    for name, place in zip(layout.names, places, strict=True):
        if name in layout.texts:
            known = ", ".join(_quoted(text) for text in layout.texts[name])
            code = f"coalesce(list_position([{known}], c{place}), 0) - 1"
            wanted.append(f"CASE WHEN c{place} IS NOT NULL THEN ({code})::DOUBLE END AS w{len(wanted)}")
        else:
            columns[f"c{place}"] = "DOUBLE"
            wanted.append(f"c{place} AS w{len(wanted)}")
    signs = list(dict.fromkeys(["", layout.missing]))
    with tempfile.TemporaryDirectory(prefix="piece-") as folder:
        part = Path(folder) / "piece.csv"
        part.write_bytes(piece)
        try:
            with duckdb.connect(config={"autoinstall_known_extensions": "false"}) as engine:
                relation = engine.read_csv(
                    str(part), header=False, auto_detect=False, sep=",", columns=columns, na_values=signs,
                    hive_partitioning=False, filename=False,
                )  # fmt: skip
                found = list(relation.project(", ".join(wanted)).fetchnumpy().values())
        except duckdb.Error:
            return None
    if piece.count(b",") != len(found[0]) * (width - 1):
        return None
    # An empty cell is NULL; NaN and infinities were spelled out.
    if not all(np.isfinite(np.ma.compressed(column)).all() for column in found):
        return None
    rows = np.column_stack([np.ma.filled(column, np.nan) for column in found])
    return rows if _passes(rows, cells) else None


def _passes(rows: "np.ndarray", cells: Cells) -> bool:
    layout = cells.layout
    for place, name in enumerate(layout.names):
        if name in layout.checks and not layout.checks[name].holds(rows[:, place]).all():
            return False
        if name in layout.texts and (rows[:, place] < 0).any():
            return False
    return not (abs(rows) > layout.largest).any()


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
