"""The table's columns, their domains and its label: the one place that says what a row looks like."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

FILE = Path(__file__).with_name("schema.json")


@dataclass(frozen=True)
class Column:
    """A feature: its kind is numeric, ordinal or categorical; values are listed or lie in a range."""

    name: str
    kind: str
    values: tuple[float, ...] = ()
    minimum: float = -math.inf
    maximum: float = math.inf

    def holds(self, value: float) -> bool:
        """Whether a value lies in the column's domain; NaN (missing) always does."""
        if math.isnan(value):
            return True
        return value in self.values if self.values else self.minimum <= value <= self.maximum


class BadCell(ValueError):
    """A cell holds something that isn't a number; `column` is its name."""

    def __init__(self, column: str) -> None:
        super().__init__(f"column {column} holds text where a number belongs")
        self.column = column


class BadRow(ValueError):
    """A row has the wrong number of columns."""


@dataclass(frozen=True)
class Schema:
    """Feature columns in file order, the label's name and values, and the sign for a missing value."""

    columns: tuple[Column, ...]
    label: str
    label_values: tuple[float, ...]
    missing: str

    @classmethod
    def read(cls, file: Path = FILE) -> "Schema":
        """Read a schema from JSON."""
        content = json.loads(file.read_text())
        return cls(
            columns=tuple(
                Column(
                    name=column["name"],
                    kind=column["kind"],
                    values=tuple(float(value) for value in column.get("values", ())),
                    minimum=float(column.get("minimum", -math.inf)),
                    maximum=float(column.get("maximum", math.inf)),
                )
                for column in content["columns"]
            ),
            label=content["label"]["name"],
            label_values=tuple(float(value) for value in content["label"]["values"]),
            missing=content["missing"],
        )

    @cached_property
    def names(self) -> list[str]:
        """Names of the features in file order."""
        return [column.name for column in self.columns]

    def number(self, text: str, column: str) -> float:
        """Return a cell's number, NaN where it is missing.

        Raises:
            BadCell: the cell holds text, or an infinity.
        """
        text = text.strip()
        if text in ("", self.missing):
            return math.nan
        try:
            number = float(text)
        except ValueError:
            raise BadCell(column) from None
        if not math.isfinite(number):
            raise BadCell(column)
        return number

    def features(self, cells: Sequence[str]) -> tuple[float, ...]:
        """Return a row's features as numbers, NaN where missing.

        Raises:
            BadRow: the row hasn't as many columns as the schema.
            BadCell: a cell holds text.
        """
        if len(cells) != len(self.columns):
            raise BadRow(f"{len(cells)} columns where {len(self.columns)} belong")
        return tuple(
            self.number(cell, column.name) for cell, column in zip(cells, self.columns, strict=True)
        )

    def clean(self, features: Sequence[float]) -> tuple[float, ...]:
        """Return the features with NaN in place of what lies outside its column's domain."""
        return tuple(
            value if column.holds(value) else math.nan
            for value, column in zip(features, self.columns, strict=True)
        )
