"""What a reader is to make of a table's cells: names in order, missing signs, text, and what a column may hold."""

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from steps.common.files import Unreadable
from steps.common.table import BadRow, NotANumber, number

BOOKKEEPING = ("__index_level_", "__null_dask_index__", "_hoodie_", "Unnamed: ")
"""How the names of columns begin that writers add for themselves: the index of pandas and Dask, Hudi's own."""

LARGEST_SINGLE = 3.4028234663852886e38
"""The largest float32, which is what XGBoost learns from."""


@dataclass(frozen=True)
class Check:
    """What a column's numbers must pass (elementwise, on floats and arrays alike), and what is said otherwise."""

    holds: Callable[[Any], Any]
    otherwise: str


def one_of(values: Sequence[float]) -> Check:
    """Return the check of a column that holds one of a few numbers and is never missing."""

    def holds(cell: Any) -> Any:
        found = cell == values[0]
        for value in values[1:]:
            found = found | (cell == value)
        return found

    return Check(holds, f"not {' or '.join(f'{value:g}' for value in values)}")


PRESENT = Check(lambda cell: cell == cell, "missing")
WEIGHT = Check(lambda cell: cell >= 0, "not a weight of 0 or more")


@dataclass(frozen=True)
class Layout:
    """A table that somebody wants.

    Args:
        names: its columns; files without names have them in this order.
        missing: the sign for a missing value beside an empty cell.
        checks: what a column's numbers must pass, by name.
        texts: the values of the columns that hold text, by name; such a cell's number is its value's place, from 0.
        ignored: names that a file may have beside them.
        largest: the largest number's size.
    """

    names: tuple[str, ...]
    missing: str = ""
    checks: Mapping[str, Check] = field(default_factory=dict)
    texts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    ignored: Collection[str] = ()
    largest: float = math.inf

    def places(self, found: Sequence[str], where: str, *, header: bool = False, some: bool = False) -> list[int]:
        """Return where each of the names stands among those found; -1 where `some` may be missing.

        Raises:
            Unreadable: a name is missing, occurs twice, or isn't one of the table's; it begins with `where`.
        """
        if header and not set(found) & set(self.names):
            # What isn't a header line is a row, and a row's values are never quoted.
            raise Unreadable(f"{where} with none of the columns {listing(self.names)}.")
        twice = next((name for place, name in enumerate(found) if name in found[:place]), None)
        if twice is not None:
            raise Unreadable(f"{where}: column {twice} occurs twice.")
        lacking = [] if some else [name for name in self.names if name not in found]
        extra = [
            name or f"{place} (which has no name)"
            for place, name in enumerate(found, 1)
            if name not in self.names and name not in self.ignored and not is_bookkeeping(name, place)
        ]
        said = []
        if lacking:
            said.append(f"column{'s'[len(lacking) == 1 :]} {listing(lacking)} {_is(lacking)} missing")
        if extra:
            said.append(f"column{'s'[len(extra) == 1 :]} {listing(extra)} {_is(extra)} not among the table's")
        if said:
            raise Unreadable(f"{where}: {'; '.join(said)}.")
        return [found.index(name) if name in found else -1 for name in self.names]


class Cells:
    """Turns rows of cells into numbers; remembers each text that it met in the columns that hold text."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.texts = {
            name: {text: float(place) for place, text in enumerate(texts)} for name, texts in layout.texts.items()
        }
        self._texts = [self.texts.get(name) for name in layout.names]
        checked = [(place, layout.checks.get(name)) for place, name in enumerate(layout.names)]
        self._checks = [(place, check) for place, check in checked if check]

    def row(self, cells: Sequence[Any], *, as_json: bool = False) -> list[float]:
        """Return a row's numbers, NaN where missing.

        Args:
            cells: text, or anything that JSON has.
            as_json: whether some may not be text.

        Raises:
            BadRow: naming the column with what can't be in it.
        """
        missing, largest = self.layout.missing, self.layout.largest
        try:
            if self.texts or as_json:
                raise NotANumber
            row = [number(cell, missing) for cell in cells]
        except NotANumber:
            row = [self.cell(place, cell) for place, cell in enumerate(cells)]
        if largest != math.inf:
            for place, value in enumerate(row):
                if value > largest or value < -largest:
                    raise BadRow("infinite, or too large a number", self.layout.names[place])
        for place, check in self._checks:
            if not check.holds(row[place]):
                raise BadRow(check.otherwise, self.layout.names[place])
        return row

    def cell(self, place: int, cell: Any) -> float:
        """Return a cell's number. Raises BadRow, naming the column."""
        codes = self._texts[place]
        try:
            if codes is None:
                return plain_number(cell, self.layout.missing)
            text = text_of(cell)
            return math.nan if text in ("", self.layout.missing) else codes.setdefault(text, float(len(codes)))
        except NotANumber:
            raise BadRow("not a number", self.layout.names[place]) from None
        except TypeError:
            raise BadRow("holds nested values", self.layout.names[place]) from None


def text_of(cell: Any) -> str:
    """Return a cell as text: numbers in their shortest decimals. Raises TypeError for lists and objects."""
    if isinstance(cell, str):
        return cell.strip()
    if cell is None or cell != cell:
        return ""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, int | float):
        return shortest(cell)
    raise TypeError


def plain_number(cell: Any, missing: str = "") -> float:
    """Return a cell's number, NaN where missing.

    Raises:
        NotANumber: it is text, or infinite.
        TypeError: it is a list or an object.
    """
    if isinstance(cell, str):
        return number(cell, missing)
    if cell is None:
        return math.nan
    if not isinstance(cell, int | float):
        raise TypeError
    try:
        value = float(cell)
    except OverflowError:
        raise NotANumber from None
    if not math.isfinite(value):
        raise NotANumber
    return value


def shortest(value: float) -> str:
    """Return a number's shortest decimal form, nothing for NaN."""
    if value != value:
        return ""
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def is_bookkeeping(name: str, place: int) -> bool:
    """Whether a writer added a column for itself; `place` counts from 1, where pandas' index has no name in CSV."""
    return name.startswith(BOOKKEEPING) or (not name and place == 1)


def listing(names: Iterable[str]) -> str:
    """Return names with commas and a final `and`; of many, the first ones."""
    *first, last = list(names)
    if len(first) > 9:
        return f"{', '.join(first[:9])} and {len(first) - 8} more"
    return f"{', '.join(first)} and {last}" if first else last


def _is(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"
