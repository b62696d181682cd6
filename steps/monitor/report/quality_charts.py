"""What the page of a model's quality shows beside the metrics: predictions against labels, for each problem type.

Points are means of bins of five rows or more, and bars are shares of rows: no row's own values.
"""

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from steps.common.html import table
from steps.common.quality.members import Bin
from steps.common.quality.multiclass import Matrix
from steps.common.quality.regression import RESIDUALS
from steps.common.svg import Plot
from steps.common.text import count, percent
from steps.monitor.quality.problems import short
from steps.monitor.report import charts, shares

MAX_CLASSES = 20
"""Classes that the page tells apart."""

OTHERS = "all others"


def calibration(now: Sequence[Bin], before: Sequence[Bin]) -> str:
    """Return the share of positives at each predicted probability."""
    description = (
        "Calibration: the share of positives at each predicted probability; the metrics stand in the table below."
    )
    plot = Plot("Positives at each probability", "predicted probability", "share of positives", description).reference(
        0, 1
    )
    if before:
        old = sorted(before)
        plot.line([each[0] for each in old], [each[1] for each in old], "registered", other=True)
    bins = sorted(now)
    plot.line([each[0] for each in bins], [each[1] for each in bins], "now").points(
        [each[0] for each in bins], [each[1] for each in bins]
    )
    rows = [(f"{mean:.2f}", f"{share:.2f}", count) for mean, share, count in bins]
    listed = table(("Mean probability", "Share of positives", "Rows"), rows, "Calibration now")
    return f'<h2>Calibration</h2><div class="plots"><figure>{plot.svg()}</figure><div>{listed}</div></div>'


def numbers(now: Sequence[Bin], before: Sequence[Bin]) -> str:
    """Return the mean label at each mean prediction."""
    old, bins = sorted(before), sorted(now)
    if not bins:
        return ""
    start, end = _range([value for each in [*bins, *old] for value in each[:2]])

    def positions(values: Sequence[float]) -> list[float]:
        return [(value - start) / (end - start) for value in values]

    description = (
        "Predictions and labels: the mean label at each mean prediction, in bins of rows; on the dotted line they are "
        "equal. The metrics stand in the table below."
    )
    plot = Plot("Mean label at each prediction", "mean prediction", "mean label", description).reference(0, 1)
    if old:
        plot.line(positions([each[0] for each in old]), positions([each[1] for each in old]), "registered", other=True)
    across, up = positions([each[0] for each in bins]), positions([each[1] for each in bins])
    plot.line(across, up, "now").points(across, up)
    rows = [(short(mean), short(label), short(label - mean, "+"), count) for mean, label, count in bins]
    listed = table(("Mean prediction", "Mean label", "Difference", "Rows"), rows, "Predictions and labels now")
    picture = plot.svg([_short(start), _short((start + end) / 2), _short(end)])
    return f'<h2>Predictions and labels</h2><div class="plots"><figure>{picture}</figure><div>{listed}</div></div>'


def _range(values: Sequence[float]) -> tuple[float, float]:
    """Return round numbers between which the values lie."""
    low, high = min(values), max(values)
    step = shares.nice_step((high - low) / 4) if high > low else max(1.0, abs(low) / 2)
    start = math.floor(low / step) * step
    return start, start + 2 * math.ceil(max(1.0, (high - start) / step) / 2 - 1e-9) * step


def _short(value: float) -> str:
    """Return a number in six characters or so."""
    if abs(value) >= 1e12:
        return f"{value:.0e}"
    unit, sign = next((each for each in ((1e9, "G"), (1e6, "M"), (1e3, "k")) if abs(value) >= 10 * each[0]), (1.0, ""))
    return f"{value / unit:.4g}{sign}"


def residuals(counts: Sequence[int], before: Sequence[int], unit: float) -> str:
    """Return the labelled rows, and the registered ones if they are known, per bin of RESIDUALS.

    Args:
        counts: labelled rows per bin, in units.
        before: the registered rows per bin, or nothing.
        unit: the RMSE in which residuals are counted.
    """
    edges = [f"{edge:g}" for edge in RESIDUALS]
    inner = [f"{low} to {high}" for low, high in itertools.pairwise(edges)]
    labels = [f"below {edges[0]}", *inner, f"{edges[-1]} and above"]
    old = _as_shares(before) if before else []
    now = _as_shares(counts)
    whose = "registered" if old else "present"
    shown = shares.Shares(labels, old or [0.0] * len(now), now, ordered=True)
    description = (
        f"Residuals: shares of rows by label minus prediction, in {whose} RMSEs. They stand in the table below."
    )
    head = ("Label minus prediction", *(["Registered"] if old else []), "Now")
    columns = zip(*([old, now] if old else [now]), strict=True)
    rows = [(label, *(percent(share) for share in each)) for label, each in zip(labels, columns, strict=True)]
    listed = table(head, rows, "Residuals")
    key = "Wide bars are the registered rows, narrow ones those now. " if old else ""
    picture = charts.column(shown, description, False)
    return (
        f"<h2>Residuals</h2><p>Label minus prediction, in {whose} RMSEs of {short(unit)}. {key}Left of 0 the "
        f'model predicts too much, right of it too little.</p><div class="plots"><figure>{picture}'
        f"</figure><div>{listed}</div></div>"
    )


def _as_shares(counts: Sequence[int]) -> list[float]:
    total = max(1, sum(counts))
    return [count / total for count in counts]


def confusion(classes: Sequence[str], counts: NDArray[np.int64]) -> str:
    """Return the confusion matrix as a table; of many classes, those with most labels."""
    names, cells = _most(classes, counts)
    head = ("Label", *(f"predicted {name}" for name in names), "all")
    rows = [(name, *row, sum(row)) for name, row in zip(names, cells.tolist(), strict=True)]
    rows.append(("all", *cells.sum(axis=0).tolist(), int(cells.sum())))
    return f"<h2>Labels and predicted labels</h2>{table(head, rows, 'Confusion matrix: rows of each label')}"


def _most(classes: Sequence[str], counts: NDArray[np.int64]) -> tuple[list[str], NDArray[np.int64]]:
    if len(classes) <= MAX_CLASSES:
        return list(classes), counts
    order = np.argsort(-counts.sum(axis=1), kind="stable")
    retained = np.sort(order[: MAX_CLASSES - 1])
    positions = np.full(len(classes), len(retained))
    positions[retained] = np.arange(len(retained))
    cells = np.zeros((len(retained) + 1, len(retained) + 1), dtype=np.int64)
    np.add.at(cells, (positions[:, None], positions[None, :]), counts)
    return [*(classes[position] for position in retained.tolist()), OTHERS], cells


def classes(now: Matrix, before: Matrix | None) -> str:
    """Return what became of each class: how many of its rows are recognised, and how many of those named so are it."""
    order = np.argsort(-now.counts.sum(axis=1), kind="stable")[:MAX_CLASSES].tolist()
    old = _recalls(before) if before else {}
    recalls, columns = _recalls(now), now.counts.sum(axis=0)
    rows = []
    for position in sorted(order):
        name = now.classes[position]
        hits = int(now.counts[position, position])
        precision = percent(hits / columns[position], 0) if columns[position] else "none predicted"
        was = (old.get(name, "none labelled"),) if before else ()
        rows.append((name, int(now.counts[position].sum()), recalls.get(name, "none labelled"), *was, precision))
    left = len(now.classes) - len(rows)
    more = f"<p>Not shown: {count(left, 'more class', 'more classes')} with fewer labels.</p>" if left > 0 else ""
    head = ("Class", "Labels", "Recognised", *(["Registered"] if before else []), "Right when predicted")
    return f"<h2>Classes</h2>{table(head, rows, 'Each class')}{more}"


def _recalls(found: Matrix) -> dict[str, str]:
    labels, hits = found.counts.sum(axis=1).tolist(), np.diag(found.counts).tolist()
    return {name: percent(hit / rows, 0) for name, rows, hit in zip(found.classes, labels, hits, strict=True) if rows}
