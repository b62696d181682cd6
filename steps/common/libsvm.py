"""libsvm files, as SageMaker's built-in XGBoost takes them: `label[:weight] index:value …`, what isn't said missing.

The container reads them by XGBoost with indices counted from 0 (aws/sagemaker-xgboost-container, data_utils.py;
dmlc-core, libsvm_parser.h). Indices that begin at 1 and end at the number of the table's features are its columns.
"""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from steps.common.files import File, Unreadable, opened
from steps.common.layout import PRESENT, Check
from steps.common.table import NotANumber, number

if TYPE_CHECKING:
    import numpy as np

LONGEST_LINE = 1 << 20
MOST_CELLS = 1 << 28
"""Cells of a table; all of them are held, missing or not."""


def read(
    files: Sequence[File], features: int, check: Check = PRESENT
) -> "tuple[np.ndarray, np.ndarray, np.ndarray | None]":
    """Return labels (rows), features (rows × columns, float64, NaN where missing) and, if given, weights (rows).

    Args:
        files: read as one table.
        features: number of the table's own, which decides whether indices are counted from 1.
        check: what a label must pass.

    Raises:
        Unreadable: naming the row (its line, counted from 1) of the first thing wrong.
    """
    import numpy as np

    labels: list[float] = []
    weights: list[float] = []
    rows: list[int] = []
    columns: list[int] = []
    values: list[float] = []
    for file in files:
        for line, text in _lines(file):
            place = f"{file.name}, row {line}"
            first, *rest = text.split()
            label, weighted, weight = first.partition(":")
            labels.append(_number(label, f"{place}: the label is"))
            if not check.holds(labels[-1]):
                raise Unreadable(f"{place}: the label is {check.otherwise}.")
            weights.append(_number(weight, f"{place}: the weight is") if weighted else 1.0)
            if weighted and weights[-1] < 0:
                raise Unreadable(f"{place}: not a weight of 0 or more.")
            seen = set()
            for part in rest:
                index, parted, value = part.partition(":")
                if index == "qid":
                    raise Unreadable(f"{place}: groups (qid) aren't read; there is one label a row.")
                if not parted or not index.isascii() or not index.isdigit():
                    raise Unreadable(f"{place}: not index:value, as libsvm has it.")
                if int(index) in seen:
                    raise Unreadable(f"{place}: index {int(index)} occurs twice.")
                seen.add(int(index))
                rows.append(len(labels) - 1)
                columns.append(int(index))
                values.append(_number(value, f"{place}, index {int(index)}:"))
    one_based = bool(columns) and min(columns) == 1 and max(columns) == features
    width = max(columns, default=-1) + 1 - one_based
    if len(labels) * width > MOST_CELLS:
        raise Unreadable(f"{files[0].name}: {len(labels)} rows of {width} columns; {MOST_CELLS} cells can be held.")
    table = np.full((len(labels), width), np.nan)
    table[rows, np.array(columns, int) - one_based] = values
    used = any(weight != 1 for weight in weights)
    return np.array(labels), table, np.array(weights) if used else None


def _lines(file: File) -> Iterator[tuple[int, str]]:
    with opened(file) as stream:
        line = 0
        while content := stream.readline(LONGEST_LINE + 1):
            line += 1
            if len(content) > LONGEST_LINE:
                raise Unreadable(f"{file.name}, row {line}: the line is longer than {LONGEST_LINE} bytes.")
            try:
                text = content.decode("utf-8-sig" if line == 1 else "utf-8").partition("#")[0].strip()
            except UnicodeDecodeError:
                raise Unreadable(f"{file.name}, row {line}: not UTF-8 text.") from None
            if text:
                yield line, text


def _number(text: str, said: str) -> float:
    try:
        value = number(text)
    except NotANumber:
        value = math.nan
    if math.isnan(value):
        raise Unreadable(f"{said} not a number.")
    return value
