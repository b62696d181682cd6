"""The table's columns, their domains and its label: the one place that says what a row looks like."""

import json
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("schema.json")


class NotASchema(ValueError):
    """A file isn't a schema."""


@dataclass(frozen=True)
class Column:
    """A feature: its kind is numeric, ordinal or categorical; values are listed or lie in a range."""

    name: str
    kind: str
    values: tuple[float, ...] = ()
    minimum: float = -math.inf
    maximum: float = math.inf

    def holds(self, value: Any) -> Any:
        """Return whether a value lies in the column's domain; NaN (missing) always does.

        Works on a number, and elementwise on a NumPy array or a pandas series.
        """
        missing = value != value
        if not self.values:
            return missing | ((value >= self.minimum) & (value <= self.maximum))
        found = missing
        for allowed in self.values:
            found = found | (value == allowed)
        return found


@dataclass(frozen=True)
class Schema:
    """Feature columns in file order; the label's name, values and what people call them; the sign for missing."""

    columns: tuple[Column, ...]
    label: str
    label_values: tuple[float, ...]
    label_names: tuple[str, ...]
    missing: str

    @classmethod
    def read(cls, file: Path = FILE) -> "Schema":
        """Read a schema from JSON.

        Raises:
            NotASchema: the file holds something else.
        """
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            label = content["label"]
            return cls(
                columns=tuple(_column(column) for column in content["columns"]),
                label=str(label["name"]),
                label_values=tuple(float(value) for value in label["values"]),
                label_names=tuple(str(name) for name in label.get("names", label["values"])),
                missing=str(content["missing"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            raise NotASchema(f"{file.name}: not a schema.") from None

    @cached_property
    def names(self) -> list[str]:
        """Names of the features in file order."""
        return [column.name for column in self.columns]

    def label_first(self, width: int, weighted: bool = False) -> list[str]:
        """Name the columns of a label-first file, by their positions from 1 where it is another table's.

        Args:
            width: number of columns.
            weighted: whether the second holds the rows' weights.
        """
        names = [self.label, *["weight"] * weighted, *self.names]
        return names if len(names) == width else [str(position) for position in range(1, width + 1)]


def _column(content: dict[str, Any]) -> Column:
    return Column(
        name=str(content["name"]),
        kind=str(content["kind"]),
        values=tuple(float(value) for value in content.get("values", ())),
        minimum=float(content.get("minimum", -math.inf)),
        maximum=float(content.get("maximum", math.inf)),
    )
