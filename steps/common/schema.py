"""The table's columns, their domains and its label: the one place that says what a row looks like.

The form of the file stands in `schema.form.json` (JSON Schema). `python -m steps.common.schema FILE` checks one.
"""

import json
import math
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steps.common.layout import Check, Layout, one_of, shortest

if TYPE_CHECKING:
    import numpy as np

FILE = Path(__file__).with_name("schema.json")

KINDS = ("numeric", "ordinal", "categorical")
COLUMN_KEYS = {"name", "kind", "values", "minimum", "maximum", "monotone", "description"}
LABEL_KEYS = {"name", "values", "names", "description"}
KEYS = {"columns", "label", "missing", "description", "$schema"}


class NotASchema(ValueError):
    """A file isn't a schema; the message names the column and the reason."""


@dataclass(frozen=True)
class Column:
    """A column: its kind is numeric, ordinal or categorical; its values are listed (numbers or text) or in a range.

    `monotone` is 1 or -1 where the model's answer may only rise or fall with the column, else 0.
    """

    name: str
    kind: str
    values: tuple[float, ...] | tuple[str, ...] = ()
    minimum: float = -math.inf
    maximum: float = math.inf
    monotone: int = 0

    @property
    def texts(self) -> tuple[str, ...]:
        """The values of a column that holds text; a reader gives each cell as its value's place in them."""
        return tuple(value for value in self.values if isinstance(value, str))

    def holds(self, value: Any) -> Any:
        """Return whether a value lies in the column's domain; NaN (missing) always does.

        Works on a number, and elementwise on a NumPy array or a pandas series. Text counts by its place.
        """
        missing = value != value
        if self.texts:
            return missing | ((value >= 0) & (value < len(self.values)))
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
    def read(cls, file: Path | None = None) -> "Schema":
        """Read a schema from JSON; without a file, the table's own.

        Raises:
            NotASchema: the file holds something else, or contradicts itself; names the column and the reason.
        """
        file = file or FILE
        try:
            return cls.parse(file.read_bytes())
        except NotASchema as error:
            raise NotASchema(f"{file.name}{error}.") from None

    @classmethod
    def parse(cls, text: bytes, *, of_model: bool = False) -> "Schema":
        """Return the schema that a text is. Raises NotASchema, with what follows the text's name.

        Args:
            text: JSON.
            of_model: whether it lies beside a model. In those of earlier releases a column could be categorical and
                monotone; its numbers were learned as places on a scale, and are read so.
        """
        try:
            content = json.loads(text.decode("utf-8-sig"), object_pairs_hook=_distinct)
        except NotASchema:
            raise
        except (ValueError, RecursionError):
            raise NotASchema(": not a schema") from None
        return cls.of(content, of_model=of_model)

    @classmethod
    def of(cls, content: Any, *, of_model: bool = False) -> "Schema":
        """Return the schema that a file's content is. Raises NotASchema, with what follows the file's name."""
        if not isinstance(content, dict) or not {"columns", "label"} <= set(content):
            raise NotASchema(": not a schema")
        _only(content, KEYS, ":")
        missing = content.get("missing", "")
        if not isinstance(missing, str) or missing != missing.strip() or "," in missing:
            raise NotASchema(": missing: not a text without commas and blanks around it")
        listed = content["columns"]
        if not isinstance(listed, list) or not listed:
            raise NotASchema(": columns: not a list of columns")
        columns = tuple(_column(each, place, missing, of_model) for place, each in enumerate(listed, 1))
        label, values, names = _label(content["label"], missing)
        every = [label, *(column.name for column in columns)]
        twice = next((name for place, name in enumerate(every) if name in every[:place]), None)
        if twice is not None:
            said = "has the label's name" if twice == label else "occurs twice"
            raise NotASchema(f", column {twice}: {said}")
        return cls(columns, label, values, names, missing)

    @cached_property
    def names(self) -> list[str]:
        """Names of the features in file order."""
        return [column.name for column in self.columns]

    @cached_property
    def texts(self) -> dict[str, tuple[str, ...]]:
        """The values of each feature that holds text."""
        return {column.name: column.texts for column in self.columns if column.texts}

    @cached_property
    def feature_types(self) -> list[str]:
        """XGBoost's types of the features: `c` for a category, `q` for a quantity."""
        return ["c" if column.kind == "categorical" else "q" for column in self.columns]

    def label_first(self, width: int, weighted: bool = False) -> list[str]:
        """Name the columns of a label-first file, by their positions from 1 where it is another table's.

        Args:
            width: number of columns.
            weighted: whether the second holds the rows' weights.
        """
        names = [self.label, *["weight"] * weighted, *self.names]
        return names if len(names) == width else [str(position) for position in range(1, width + 1)]

    def codes(
        self, features: "np.ndarray", read_by: "Schema | None" = None, types: Sequence[str] | None = None
    ) -> "np.ndarray":
        """Return what a model of this schema gets for what a reader gave: categories are their places in its lists.

        Every table thus gets the full list in one order. What is no category becomes NaN; quantities stay.

        Args:
            features: (rows × columns), NaN where missing.
            read_by: the schema that they were read by, if it is another; columns and texts are found in it by name.
            types: the model's own types of its features: of what it learned as a quantity, numbers stay numbers.

        Raises:
            KeyError: it lacks a column of this one.
        """
        import numpy as np

        other = read_by or self
        places = {column.name: place for place, column in enumerate(other.columns)}
        found = features[:, [places[column.name] for column in self.columns]]
        for place, column in enumerate(self.columns):
            before, cells = other.columns[places[column.name]], found[:, place].copy()
            category = column.kind == "categorical" and (types is None or types[place] == "c")
            if not category and not column.texts:
                continue
            found[:, place] = np.nan
            for code, value in enumerate(column.values):
                if bool(before.texts) == bool(column.texts) and (not before.texts or value in before.texts):
                    found[cells == (before.texts.index(value) if before.texts else value), place] = code
        return found

    def layout(
        self,
        names: Sequence[str],
        checks: Mapping[str, Check] | None = None,
        ignored: Collection[str] = (),
        largest: float = math.inf,
    ) -> Layout:
        """Return how a reader reads columns of this table; a label among them must be one of its values."""
        own = {self.label: one_of(self.label_values)} if self.label in names and self.label_values else {}
        texts = {name: values for name, values in self.texts.items() if name in names}
        return Layout(tuple(names), self.missing, own | dict(checks or {}), texts, ignored, largest)


def _column(content: Any, place: int, missing: str, of_model: bool = False) -> Column:
    if not isinstance(content, dict) or not isinstance(content.get("name"), str) or not content["name"].strip():
        raise NotASchema(f", column {place}: has no name")
    name = content["name"]
    where = f", column {name}:"
    if name != name.strip() or any(sign in name for sign in ',"\r\n'):
        raise NotASchema(f"{where} a name with a comma, a quote or blanks around it can't stand in a header line")
    _only(content, COLUMN_KEYS, where)
    kind = content.get("kind")
    if kind not in KINDS:
        raise NotASchema(f"{where} kind is none of {', '.join(KINDS)}")
    values = _values(content.get("values", []), where, missing)
    bounds = {key: _bound(content.get(key, limit), key, where) for key, limit in _LIMITS.items()}
    if values and any(key in content for key in bounds):
        raise NotASchema(f"{where} values and a range exclude each other")
    if bounds["minimum"] > bounds["maximum"]:
        raise NotASchema(f"{where} minimum is above maximum")
    if kind == "numeric" and any(isinstance(value, str) for value in values):
        raise NotASchema(f"{where} is numeric, and its values are text; ordinal or categorical columns hold text")
    if kind == "categorical" and not values:
        raise NotASchema(f"{where} is categorical, and has no values")
    monotone = content.get("monotone", 0)
    if monotone not in (-1, 0, 1) or isinstance(monotone, bool):
        raise NotASchema(f"{where} monotone is none of -1, 0 and 1")
    if kind == "categorical" and monotone and of_model:
        kind = "ordinal"
    if kind == "categorical" and monotone:
        raise NotASchema(f"{where} is categorical, and categories have no order that monotone could follow")
    return Column(name, kind, values, bounds["minimum"], bounds["maximum"], int(monotone))


_LIMITS = {"minimum": -math.inf, "maximum": math.inf}


def _values(content: Any, where: str, missing: str) -> tuple[Any, ...]:
    if not isinstance(content, list):
        raise NotASchema(f"{where} values are no list")
    if all(isinstance(value, str) for value in content):
        if any(not value.strip() or value != value.strip() for value in content):
            raise NotASchema(f"{where} a value is empty or has blanks around it")
        found: tuple[Any, ...] = tuple(content)
        signs = set(content)
    elif all(_is_finite(value) for value in content):
        found = tuple(float(value) for value in content)
        signs = {shortest(value) for value in found}
    else:
        raise NotASchema(f"{where} values are neither all numbers nor all text")
    if len(set(found)) < len(found):
        raise NotASchema(f"{where} a value occurs twice")
    if missing and missing in signs:
        raise NotASchema(f"{where} the sign for a missing value is one of the values")
    return found


def _bound(content: Any, key: str, where: str) -> float:
    if content not in _LIMITS.values() and not _is_finite(content):
        raise NotASchema(f"{where} {key} is not a number")
    return float(content)


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _label(content: Any, missing: str) -> tuple[str, tuple[float, ...], tuple[str, ...]]:
    if not isinstance(content, dict) or not isinstance(content.get("name"), str) or not content["name"].strip():
        raise NotASchema(": label: has no name")
    where = f", label {content['name']}:"
    _only(content, LABEL_KEYS, where)
    values = _values(content.get("values", []), where, missing)
    if any(isinstance(value, str) for value in values):
        raise NotASchema(f"{where} values are text; write numbers, and what people call them under names")
    names = content.get("names", [shortest(value) for value in values])
    if not isinstance(names, list) or len(names) != len(values) or not all(isinstance(name, str) for name in names):
        raise NotASchema(f"{where} names aren't one text for each value")
    if len(values) == 1:
        raise NotASchema(f"{where} one value is nothing to predict")
    return content["name"], values, tuple(names)


def _only(content: Mapping[str, Any], known: Collection[str], where: str) -> None:
    unknown = next((key for key in content if key not in known), None)
    if unknown is not None:
        raise NotASchema(f"{where} {unknown} is unknown; known are {', '.join(sorted(known))}")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise NotASchema(f": key {next(key for place, key in enumerate(keys) if key in keys[:place])} occurs twice")
    return found


def check(arguments: Sequence[str]) -> int:
    """Say of each file whether it is a schema; return 1 if one isn't."""
    wrong = 0
    for name in arguments:
        try:
            schema = Schema.read(Path(name))
            print(f"{name}: {len(schema.columns)} columns, label {schema.label}.")
        except (NotASchema, OSError) as error:
            print(error if isinstance(error, NotASchema) else f"{name}: {error.strerror}.", file=sys.stderr)
            wrong = 1
    return wrong


if __name__ == "__main__":
    sys.exit(check(sys.argv[1:]))
