"""The one reader of tables: files in, numbers by column out, whatever the format; what is wrong is said by its place.

- Files: see `steps.common.files`; a dataset without one that has content is the caller's to refuse.
- Formats: CSV, lines of JSON or one array of objects, Parquet; libsvm through `steps.common.libsvm`. Content decides
  where no content type does.
- Whatever carries names is read by them: Parquet, JSON, CSV with a header line. A name that is missing, not the
  table's, or there twice is refused by name. A key that some objects lack is a missing value; one that all lack is
  a missing column. CSV without a header line has the layout's order.
- What writers add for themselves (pandas' and Dask's index, Hudi's columns) is passed over, and nothing that DuckDB
  adds (names of files, folders' parts, row numbers) is ever a column.
- Text is read as a CSV cell is, wherever it stands; truth values are 1 and 0.
- Rows are counted from 1: the line in CSV, JSON lines and libsvm, the position in Parquet and JSON arrays.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from steps.common import delimited, files, objects, parquet
from steps.common.files import File, Unreadable, listed
from steps.common.layout import Cells, Layout, is_bookkeeping, listing
from steps.common.table import BadRow

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Cells", "File", "Layout", "Source", "Unreadable", "batches", "listed", "look", "read"]

ROWS = 1 << 16
"""Rows of JSON that are handed on at once."""


@dataclass(frozen=True)
class Source:
    """A file, its format, its own names (None where it carries none, or each row its own) and the cells of a row."""

    file: File
    format: str
    names: tuple[str, ...] | None
    width: int
    columns: tuple[parquet.Column, ...] = ()
    index: tuple[str, ...] = ()

    @property
    def table_names(self) -> tuple[str, ...] | None:
        """The names without those of writers' own columns."""
        if self.names is None:
            return None
        return tuple(
            name
            for place, name in enumerate(self.names, 1)
            if not is_bookkeeping(name, place) and name not in self.index
        )


def look(file: File, layout: Layout, format: str | None = None) -> Source:
    """Return what a file is, from its beginning.

    Args:
        file: with content.
        layout: says which names there may be, and whether text may stand in a row.
        format: the expected one; without it, the content decides.

    Raises:
        Unreadable: it is in another format, or broken at once.
    """
    found = files.format_of(file, format)
    if found == files.PARQUET:
        columns, index = parquet.columns(file)
        return Source(file, found, tuple(each.name for each in columns), len(columns), tuple(columns), tuple(index))
    if found == files.JSON:
        first = next(objects.objects(file, layout.names), None)
        return Source(file, found, None, len(first[1]) if first else 0)
    if found == files.LIBSVM:
        return Source(file, found, None, 0)
    cells, line = delimited.first_cells(file)
    other = delimited.other_form(cells[0]) if len(cells) == 1 and len(layout.names) > 1 else ""
    if other:
        raise Unreadable(f"{file.name}, row {line}: {other}.")
    known = [*layout.names, *layout.ignored]
    has_names = delimited.names_in(cells, known, texts=bool(layout.texts), missing=layout.missing)
    return Source(file, found, tuple(cells) if has_names else None, len(cells))


def batches(given: Sequence[File], layout: Layout, format: str | None = None) -> "Iterator[np.ndarray]":
    """Give the rows of files that make one table, in bounded pieces (a Parquet file is one).

    Each is float64 of shape (rows, len(layout.names)), NaN where missing.

    Args:
        given: the files, in order.
        layout: the columns that are wanted.
        format: the expected one; without it, each file's content decides.

    Raises:
        Unreadable: naming file, row and column of the first thing wrong.
    """
    table = Table(layout)
    yield from table.batches(given, format)
    table.finish()


def read(given: Sequence[File], layout: Layout, format: str | None = None) -> "np.ndarray":
    """Return all rows of files that make one table: float64 of shape (rows, len(layout.names)), NaN where missing.

    Raises:
        Unreadable: naming file, row and column of the first thing wrong.
    """
    import numpy as np

    found = list(batches(given, layout, format))
    return np.concatenate(found) if found else np.empty((0, len(layout.names)))


class Table:
    """A table that is being read; it remembers the texts that it met, whose places are what the numbers are."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._cells = Cells(layout)
        self._first = ""
        self._lacking: set[str] | None = None

    def texts(self, name: str) -> list[str]:
        """Return the texts of a column by their numbers: those of the layout, then those that were met."""
        return list(self._cells.texts[name])

    def batches(self, given: Sequence[File], format: str | None = None) -> "Iterator[np.ndarray]":
        """Give the rows, as the function of this name does; may be called for one file after the other."""
        for file in given:
            self._first = self._first or file.name
            source = look(file, self.layout, format)
            absent: set[str] = set()
            if source.format == files.JSON:
                seen: set[str] = set()
                yield from self._objects(source, seen)
                absent = set(self.layout.names) - seen
            else:
                yield from self._named_or_placed(source)
            self._lacking = absent if self._lacking is None else self._lacking & absent

    def finish(self) -> None:
        """End the table.

        Raises:
            Unreadable: no object in it has one of the keys.
        """
        if self._lacking:
            names = [name for name in self.layout.names if name in self._lacking]
            raise Unreadable(f"{self._first}: no row has the key {listing(names)}.")

    def _named_or_placed(self, source: Source) -> "Iterator[np.ndarray]":
        layout, file = self.layout, source.file
        if source.format == files.LIBSVM:
            raise Unreadable(f"{file.name}, row 1: libsvm, where CSV belongs; its content type is text/libsvm.")
        if source.format == files.PARQUET:
            ignored = replace(layout, ignored=[*layout.ignored, *source.index])
            places = ignored.places(source.names or (), file.name)
            yield parquet.read(file, [source.columns[place] for place in places], self._cells)
            return
        if source.names is None:
            width, places = len(layout.names), list(range(len(layout.names)))
        else:
            width, places = source.width, layout.places(source.names, f"{file.name}, header line", header=True)
        yield from delimited.batches(file, places, width, source.names is not None, self._cells)

    def _objects(self, source: Source, seen: set[str]) -> "Iterator[np.ndarray]":
        import numpy as np

        names, file = self.layout.names, source.file
        known = {*names, *self.layout.ignored}
        found: list[list[float]] = []
        for place, each in objects.objects(file, names):
            if not known.issuperset(each):
                self.layout.places(list(each), f"{file.name}, {place}", some=True)
            seen.update(each)
            try:
                found.append(self._cells.row([each.get(name) for name in names], as_json=True))
            except BadRow as bad:
                raise Unreadable(f"{file.name}, {place}{',' if bad.column else ':'} {bad}.") from None
            if len(found) == ROWS:
                yield np.array(found)
                found = []
        if found:
            yield np.array(found)


def names_of(source: Source, layout: Layout) -> list[str]:
    """Return the names of a table that isn't the layout's, as its first file gives them: in order, the label first.

    Raises:
        Unreadable: a name occurs twice.
    """
    if source.format == files.JSON:
        first = next(objects.objects(source.file, layout.names), ("", {}))
        return [name for name in first[1] if not is_bookkeeping(name, 0)]
    names = list(source.table_names or ())
    twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if twice is not None:
        where = ", header line" if source.format == files.CSV else ""
        raise Unreadable(f"{source.file.name}{where}: column {twice} occurs twice.")
    return names
