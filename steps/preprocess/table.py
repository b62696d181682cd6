"""Labelled rows in, cleaned lines of CSV and splits out: no path of the container, no AWS."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from steps.common.layout import shortest
from steps.common.schema import Schema

SHARES = {"train": 70, "validation": 15, "test": 15}
"""Percent of the hash's range that each split takes."""

FEW = 1 << 22
"""Combinations of values that are counted in a table of their own, without sorting."""


@dataclass(frozen=True)
class Split:
    """What becomes of a table's distinct rows, and which of them each row is.

    Args:
        of: each row's distinct row.
        names: the split of each distinct row, as its place in SHARES.
        lines: each distinct row's features as CSV, without line end.
        labels: each distinct row's label as CSV.
        hashes: what stands for each distinct row's features (uint64).
        values: each distinct row's label.
        missing: cells that are missing, by column of the features, in all rows.
        outside: those of them that were outside their domain.
    """

    of: np.ndarray
    names: np.ndarray
    lines: np.ndarray
    labels: np.ndarray
    hashes: np.ndarray
    values: np.ndarray
    missing: np.ndarray
    outside: np.ndarray

    def label_first(self, name: str) -> str:
        """Return a split's rows as CSV without header, the label in the first column, missing values empty."""
        return self._text(name, self.labels + "," + self.lines)

    def features(self, name: str) -> str:
        """Return a split's features as CSV without header, missing values empty."""
        return self._text(name, self.lines)

    def counts(self) -> dict[str, int]:
        """Return the number of rows in each split."""
        found = np.bincount(self.names[self.of], minlength=len(SHARES)).tolist()
        return dict(zip(SHARES, found, strict=True))

    def _text(self, name: str, lines: np.ndarray) -> str:
        rows = self.of[self.names[self.of] == list(SHARES).index(name)]
        return "".join((lines + "\n")[rows].tolist())


def split(rows: np.ndarray, schema: Schema, texts: dict[str, Sequence[str]] | None = None) -> Split:
    """Blank what is outside its column's domain, and assign each row to a split.

    A row's split depends on its features alone, as they were before blanking, so equal rows stay together whatever
    their label, and new data never moves an old row. The hash is BLAKE2b over the features' shortest decimal forms.

    Args:
        rows: float64 of shape (rows, features + 1), the label last, NaN where missing.
        schema: of the table.
        texts: what the numbers of columns that hold text stand for.
    """
    texts = texts or {}
    first, of = distinct(rows)
    once = rows[first]
    before = [_cells(once[:, place], texts.get(column.name, ())) for place, column in enumerate(schema.columns)]
    outside = [~column.holds(once[:, place]) for place, column in enumerate(schema.columns)]
    after = [np.where(wrong, "", cells) for wrong, cells in zip(outside, before, strict=True)]
    hashed = _lines([[_unquoted(cell) for cell in cells] if texts else cells for cells in before])
    digests = [hashlib.blake2b(line.encode(), digest_size=8).digest() for line in hashed.tolist()]
    hashes = np.array([int.from_bytes(digest, "big") for digest in digests], np.uint64)
    times = np.bincount(of, minlength=len(first))
    return Split(
        of,
        np.searchsorted(np.cumsum(list(SHARES.values())), hashes % np.uint64(100), side="right"),
        _lines(after),
        _cells(once[:, -1], ()),
        hashes,
        once[:, -1],
        np.array([times[cells == ""].sum() for cells in after]),
        np.array([times[wrong].sum() for wrong in outside]),
    )


def distinct(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where each distinct row stands first, and which of them each row is; all NaN are equal."""
    key, size = np.zeros(len(rows), np.int64), 1
    for column in rows.T:
        codes, count = _codes(column)
        if size * count >= 1 << 62:
            _, key = np.unique(key, return_inverse=True)
            size = int(key.max(initial=0)) + 1
        key, size = key * count + codes, size * count
    if size > FEW:
        _, first, of = np.unique(key, return_index=True, return_inverse=True)
        return first, of
    first = np.full(size, -1)
    first[key[::-1]] = np.arange(len(key))[::-1]
    found = np.flatnonzero(first >= 0)
    rank = np.zeros(size, np.int64)
    rank[found] = np.arange(len(found))
    return first[found], rank[key]


def _codes(column: np.ndarray) -> tuple[np.ndarray, int]:
    """Return a number from 0 for each value, and how many there may be."""
    missing = np.isnan(column)
    some = column[~missing]
    least, most = some.min(initial=np.inf), some.max(initial=-np.inf)
    if not len(some):
        return np.zeros(len(column), np.int64), 1
    if most - least < 1 << 16 and (some == np.floor(some)).all():
        return np.where(missing, 0, np.where(missing, least, column) - least + 1).astype(np.int64), int(
            most - least
        ) + 2
    values, codes = np.unique(column, return_inverse=True)
    return codes.astype(np.int64), len(values)


def _cells(column: np.ndarray, texts: Sequence[str]) -> np.ndarray:
    """Return each number's shortest decimal form, or the text that it stands for, as CSV; nothing where missing."""
    values, places = np.unique(column, return_inverse=True)
    if texts:
        cells = ["" if value != value else _quoted(texts[int(value)]) for value in values.tolist()]
    else:
        cells = [shortest(value) for value in values.tolist()]
    return np.array(cells, object)[places]


def _lines(columns: Sequence[Sequence[str]]) -> np.ndarray:
    lines = [",".join(cells) for cells in zip(*columns, strict=True)]
    found = np.empty(len(lines), object)
    found[:] = lines
    return found


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(sign in text for sign in ',"\r\n') else text


def _unquoted(cell: str) -> str:
    return cell[1:-1].replace('""', '"') if cell.startswith('"') else cell
