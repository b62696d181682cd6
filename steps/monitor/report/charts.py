"""Pictures of a column, drawn as SVG in the page's own colours: the baseline as filled bars, the batch in front."""

import math
from collections.abc import Sequence
from html import escape

from steps.monitor.report.shares import APART, Shares

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 340, 208, 36, 8, 10, 64
CHARACTER = 5.8
"""Width of a label's character; labels that don't fit beside each other are slanted."""

LONGEST_LABEL = 16
SLANT = 40
"""Degrees."""

GAP = 0.6
"""Room before the bars that stand apart, in bars."""


def column(shares: Shares, description: str, alarm: bool) -> str:
    """Return the picture of a column.

    Args:
        shares: of rows per label.
        says: what it shows, for those who don't see it.
        alarm: whether the batch is drawn in the colour of alarm.
    """
    top = max(0.01, max(shares.baseline, default=0), max(shares.batch or [0], default=0))
    first_apart = next((i for i, label in enumerate(shares.labels) if label in APART), len(shares.labels))
    gap = GAP if 0 < first_apart < len(shares.labels) else 0.0
    step = (WIDTH - LEFT - RIGHT) / max(1.0, len(shares.labels) + gap)
    upright = max(map(len, shares.labels), default=0) * CHARACTER < step
    shapes = [_grid(top)]
    for position, label in enumerate(shares.labels):
        x = LEFT + (position + gap * (position >= first_apart)) * step
        wide = step * (0.94 if shares.ordered and position < first_apart else 0.72)
        shapes.append(_bar(x + (step - wide) / 2, wide, shares.baseline[position] / top, 'class="before"'))
        if shares.batch is not None:
            thin = min(step * 0.4, 26)
            shapes.append(_bar(x + (step - thin) / 2, thin, shares.batch[position] / top, f'class="{_colour(alarm)}"'))
        if not shares.ordered or position >= first_apart:
            shapes.append(_label(x + step / 2, label, upright))
    if shares.ordered:
        shapes.append(_ticks(shares.labels[:first_apart], step))
    shown = [label for label in shares.labels if not shares.ordered or label in APART]
    return _svg("".join(shapes), HEIGHT - BOTTOM + (22 if upright else _depth(shown)), description)


def _depth(labels: Sequence[str]) -> int:
    """Return the room that slanted labels take below a picture."""
    longest = min(LONGEST_LABEL, max(map(len, labels), default=0))
    return max(22, 14 + math.ceil(longest * CHARACTER * math.sin(math.radians(SLANT))))


def _ticks(labels: Sequence[str], step: float) -> str:
    """Return the bins' edges as numbers under the lines between the bars, as many as fit."""
    edges = [(position, label.split(" to ")[0]) for position, label in enumerate(labels) if " to " in label]
    if not edges:
        return ""
    last, _ = edges[-1]
    edges.append((last + 1, labels[last].split(" to ")[1]))
    every = 1 + int(max(len(label) for _, label in edges) * CHARACTER * 1.8 / step)
    y = HEIGHT - BOTTOM + 14
    return "".join(
        f'<text x="{LEFT + position * step:.1f}" y="{y}" text-anchor="middle">{escape(label)}</text>'
        for position, label in edges[::every]
    )


def trend(values: Sequence[float | None], threshold: float, alarms: Sequence[bool], description: str) -> str:
    """Return a line over the batches, oldest first; the last one is this batch, and a rule marks what is allowed."""
    height, base, top = 84, 68, 8
    most = max([threshold * 1.5, 1e-9, *(value for value in values if value is not None)])
    step = (WIDTH - LEFT - RIGHT - 12) / max(1, len(values) - 1)

    def x(position: int) -> float:
        return LEFT + 6 + position * step

    def y(value: float) -> float:
        return base - max(0.0, value) / most * (base - top)

    points = [(x(position), y(value)) for position, value in enumerate(values) if value is not None]
    line = " ".join(f"{px:.1f},{py:.1f}" for px, py in points)
    dots = "".join(
        f'<circle cx="{x(position):.1f}" cy="{y(value):.1f}" r="{4 if position == len(values) - 1 else 3}" '
        f'class="{_colour(alarm)}"/>'
        for position, (value, alarm) in enumerate(zip(values, alarms, strict=True))
        if value is not None
    )
    rule = (
        f'<path d="M{LEFT} {y(threshold):.1f}H{WIDTH - RIGHT}" class="rule" stroke-dasharray="4 3"/>'
        f'<text x="{LEFT - 4}" y="{y(threshold) + 4:.1f}" text-anchor="end">{threshold:g}</text>'
        f'<path d="M{LEFT} {base}H{WIDTH - RIGHT}" class="rule"/>'
    )
    shapes = f'{rule}<polyline points="{line}" fill="none" class="path"/>{dots}'
    return _svg(
        f'{shapes}<text x="{WIDTH - RIGHT}" y="{height - 2}" text-anchor="end">this batch</text>', height, description
    )


def _colour(alarm: bool) -> str:
    return "alarm" if alarm else "batch"


def _bar(x: float, width: float, height: float, how: str) -> str:
    full = HEIGHT - TOP - BOTTOM
    y = TOP + full * (1 - height)
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{full * height:.1f}" {how}/>'


def _grid(top: float) -> str:
    full = HEIGHT - TOP - BOTTOM
    marks = ((top, TOP), (top / 2, TOP + full / 2), (0.0, TOP + full))
    return "".join(
        f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" class="rule"/>'
        f'<text x="{LEFT - 4}" y="{y + 4:.1f}" text-anchor="end">{_percent(share)}</text>'
        for share, y in marks
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.1 or share == 0 else f"{100 * share:.1f} %"


def _label(x: float, label: str, upright: bool) -> str:
    y = HEIGHT - BOTTOM + 14
    text = escape(label if len(label) <= LONGEST_LABEL else label[: LONGEST_LABEL - 1] + "…")
    if upright:
        return f'<text x="{x:.1f}" y="{y}" text-anchor="middle">{text}</text>'
    return f'<text transform="translate({x + 4:.1f} {y - 3}) rotate(-{SLANT})" text-anchor="end">{text}</text>'


def _svg(shapes: str, height: int, description: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(description)}" font-size="10" '
        f'fill="var(--ink)">{shapes}</svg>'
    )
