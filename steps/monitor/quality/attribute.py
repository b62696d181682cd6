"""Where in a row a variable's cell stands: "Index or JSONpath", as SageMaker's SDK says of each attribute.

A row is a list of cells or, in JSON and under a header line, a mapping of names to cells. An attribute is a name, a
number that counts from 0, a path such as `scores.malignant`, `$.scores[1]` or `predictions[0].score`, or several of
these between commas, which is a list.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from steps.monitor.data.capture import ROW_KEYS
from steps.monitor.failures import BadSetting

Row = Sequence[Any] | Mapping[str, Any]

PATH = re.compile(r"([^.\[\]]+)|\[(\d+|\*)\]")
ROWS = re.compile(rf"^\$?\.?(?:{'|'.join(ROW_KEYS)})(?:\[(?:\d+|\*)\])?\.?")
ABSENT = object()


def cell(row: Row, attribute: str, variable: str, location: str) -> Any:
    """Return the cell that a variable's attribute names.

    Raises:
        BadSetting: it names none.
    """
    found = _find(row, attribute)
    if found is ABSENT and "," in attribute:
        return [cell(row, each.strip(), variable, location) for each in attribute.split(",")]
    if found is ABSENT:
        raise BadSetting(f"{variable}: {location} has no column {attribute}.")
    return found


def _find(row: Row, attribute: str) -> Any:
    if isinstance(row, Mapping) and attribute in row:
        return row[attribute]
    if attribute.isdecimal():
        cells = list(row.values()) if isinstance(row, Mapping) else row
        return cells[int(attribute)] if int(attribute) < len(cells) else ABSENT
    # The rows of a JSON payload lie under such a key, and have been separated already.
    found = _walk(row, ROWS.sub("", attribute))
    return _walk(row, attribute.removeprefix("$")) if found is ABSENT else found


def _walk(value: Any, path: str) -> Any:
    steps = PATH.findall(path)
    if not steps or "".join(name or f"[{location}]" for name, location in steps) != path.replace(".", ""):
        return ABSENT
    for name, location in steps:
        if name and isinstance(value, Mapping) and name in value:
            value = value[name]
        elif location.isdecimal() and isinstance(value, list) and int(location) < len(value):
            value = value[int(location)]
        else:
            return ABSENT
    return value
