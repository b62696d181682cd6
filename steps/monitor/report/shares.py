"""What a picture of a column shows: shares of rows per value or bin, of the baseline and of the batch."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from steps.monitor.data.histograms import Column, Numbers, Texts
from steps.monitor.drift import checks
from steps.monitor.drift.constraints import is_discrete

BINS = 14
MAX_VALUES = 12
TAILS = 0.01
"""Share of the baseline's numbers below the first bin, and above the last."""

UNSEEN, MISSING, OTHERS, MISTYPED = "not in baseline", "missing", "others", "no number"
APART = (UNSEEN, MISSING, MISTYPED)
"""Labels that are no values of the baseline."""


@dataclass(frozen=True)
class Shares:
    """Shares of all rows per label, in order; `ordered` says that the labels are bins of numbers, side by side.

    A batch's own values are no labels: they are a person's. What the baseline doesn't have is one label.
    """

    labels: list[str]
    baseline: list[float]
    batch: list[float] | None
    ordered: bool = False


def of(before: Column | None, column: Column | None) -> Shares:
    """Return the shares of a column in the baseline and in the batch; either may not have it."""
    first = before if before is not None else column
    assert first is not None
    if isinstance(first, Numbers) and not is_discrete(first) and first.present:
        return _bins(first, column)
    return _values(first, column)


def _values(before: Column, column: Column | None) -> Shares:
    known = {name: count for name, count in _counts(before).items() if count}
    most = sorted(known, key=lambda name: -known[name])[:MAX_VALUES]
    names = [name for name in known if name in most]
    others = len(known) > len(names)

    def shares(part: Column | None) -> list[float]:
        counts = _counts(part) if part is not None else {}
        if part is not None and isinstance(part, Texts) and isinstance(before, Texts) and part.hashed != before.hashed:
            counts = part.as_hashed().counts
        total = max(1, checks.rows_of(part)) if part is not None else 1
        found = [counts.get(name, 0) for name in names]
        found += [sum(counts.get(name, 0) for name in known if name not in most)] * others
        unseen = sum(count for name, count in counts.items() if name not in known)
        return [count / total for count in [*found, unseen, *_absent(part)]]

    labels = [*names, *[OTHERS] * others, UNSEEN, MISSING, MISTYPED]
    return _without_empty(labels, shares(before), shares(column), retain=len(names), ordered=False)


def _counts(part: Column) -> dict[str, int]:
    if isinstance(part, Texts):
        return part.counts
    return {f"{key:g}": int(count) for key, count in zip(part.keys.tolist(), part.counts.tolist(), strict=True)}


def _bins(before: Numbers, column: Column | None) -> Shares:
    edges = nice_edges(before)

    def shares(part: Column | None) -> list[float]:
        counts = np.zeros(len(edges) + 1)
        if isinstance(part, Numbers):
            positions = np.searchsorted(edges, part.keys, side="right")
            counts = np.bincount(positions, part.counts, len(edges) + 1)
        total = max(1, checks.rows_of(part)) if part is not None else 1
        return [float(count) / total for count in [*counts, *_absent(part)]]

    inner = [f"{low:g} to {high:g}" for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)]
    labels = [f"below {edges[0]:g}", *inner, f"{edges[-1]:g} and above", MISSING, MISTYPED]
    return _without_empty(labels, shares(before), shares(column), retain=0, ordered=True)


def nice_edges(column: Numbers) -> NDArray[np.float64]:
    """Return round edges of about BINS bins that hold most of a column's numbers."""
    up_to = np.cumsum(column.counts) / column.present
    low, high = (float(column.keys[np.searchsorted(up_to, share)]) for share in (TAILS, 1 - TAILS))
    step = nice_step((high - low) / BINS) if high > low else max(1.0, abs(low) / 10)
    first = math.floor(low / step)
    last = max(first + 1, math.ceil(high / step + 1e-9))
    return np.arange(first, last + 1) * step


def nice_step(step: float) -> float:
    """Return the smallest of 1, 2, 2.5, 5 and 10 times a power of ten that isn't below a step."""
    power = 10.0 ** math.floor(math.log10(step))
    return next((factor * power for factor in (1, 2, 2.5, 5) if step <= factor * power * (1 + 1e-9)), 10 * power)


def _absent(part: Column | None) -> list[int]:
    if part is None:
        return [0, 0]
    return [part.missing, part.mistyped if isinstance(part, Numbers) else 0]


def _without_empty(labels: list[str], baseline: list[float], batch: list[float], retain: int, ordered: bool) -> Shares:
    """Leave out labels that neither has; the first `keep` stay, and so do bins between others."""
    some = [a > 0 or b > 0 for a, b in zip(baseline, batch, strict=True)]
    bins = [i for i, label in enumerate(labels) if some[i] and label not in APART]
    inside = range(min(bins, default=0), max(bins, default=-1) + 1) if ordered else range(retain)
    retained = [i for i in range(len(labels)) if some[i] or i in inside]
    return Shares([labels[i] for i in retained], [baseline[i] for i in retained], [batch[i] for i in retained], ordered)
