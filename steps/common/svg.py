"""Small pictures for reports, drawn as SVG with the page's own colours."""

from collections.abc import Sequence
from html import escape

WIDTH, HEIGHT, LEFT, RIGHT, BOTTOM, TOP = 320, 316, 46, 12, 42, 46
KEY_WIDTH = 118


class Plot:
    """A picture over the unit square."""

    def __init__(self, title: str, horizontal: str, vertical: str, says: str) -> None:
        """Begin a picture.

        Args:
            title: above it.
            horizontal: name of the axis.
            vertical: name of the axis.
            says: what it shows, for those who don't see it.
        """
        self._title, self._horizontal, self._vertical, self._says = title, horizontal, vertical, says
        self._shapes: list[str] = []
        self._keys: list[str] = []

    def line(self, xs: Sequence[float], ys: Sequence[float], key: str = "", other: bool = False) -> "Plot":
        """Add a line through the points; a key is explained above the picture, and `other` sets it apart."""
        points = " ".join(f"{_x(x):.1f},{_y(y):.1f}" for x, y in zip(xs, ys, strict=True))
        stroke = 'stroke="var(--other)" stroke-dasharray="6 3"' if other else 'stroke="var(--line)"'
        self._shapes.append(f'<polyline points="{points}" fill="none" {stroke} stroke-width="2"/>')
        if key:
            at, left = TOP - 12, LEFT + KEY_WIDTH * len(self._keys)
            self._keys.append(
                f'<path d="M{left} {at - 4}h22" {stroke} stroke-width="2"/><text x="{left + 28}" y="{at}">'
                f"{escape(key)}</text>"
            )
        return self

    def points(self, xs: Sequence[float], ys: Sequence[float]) -> "Plot":
        """Add a dot at each point."""
        self._shapes += [
            f'<circle cx="{_x(x):.1f}" cy="{_y(y):.1f}" r="3.5" fill="var(--line)"/>'
            for x, y in zip(xs, ys, strict=True)
        ]
        return self

    def intervals(self, xs: Sequence[float], lowers: Sequence[float], uppers: Sequence[float]) -> "Plot":
        """Add an upright bar from lower to upper at each x."""
        self._shapes += [
            f'<path d="M{_x(x):.1f} {_y(lower):.1f}V{_y(upper):.1f}M{_x(x) - 4:.1f} {_y(lower):.1f}h8'
            f'M{_x(x) - 4:.1f} {_y(upper):.1f}h8" stroke="var(--line)" fill="none"/>'
            for x, lower, upper in zip(xs, lowers, uppers, strict=True)
        ]
        return self

    def reference(self, start: float, end: float) -> "Plot":
        """Add the straight line that stands for chance, or for what would be perfect."""
        self._shapes.append(
            f'<path d="M{_x(0)} {_y(start):.1f}L{_x(1)} {_y(end):.1f}" stroke="var(--faint)" stroke-dasharray="3 4"/>'
        )
        return self

    def svg(self, marks: Sequence[str] = ("0", "0.5", "1")) -> str:
        """Return the picture, with its title and axes; `marks` stand at both axes' start, middle and end."""
        written = "".join(
            f'<text x="{_x(at):.0f}" y="{HEIGHT - BOTTOM + 17}" text-anchor="middle">{escape(mark)}</text>'
            f'<text x="{LEFT - 6}" y="{_y(at) + 4:.0f}" text-anchor="end">{escape(mark)}</text>'
            for at, mark in zip((0, 0.5, 1), marks, strict=True)
        )
        axes = (
            f'<path d="M{_x(0)} {_y(1)}V{_y(0)}H{_x(1)}" fill="none" stroke="var(--faint)"/>{written}'
            f'<text x="{_x(0.5):.0f}" y="{HEIGHT - 7}" text-anchor="middle">{escape(self._horizontal)}</text>'
            f'<text transform="translate(13 {_y(0.5):.0f}) rotate(-90)" text-anchor="middle">'
            f"{escape(self._vertical)}</text>"
        )
        return _picture(self._title, self._says, axes + "".join(self._shapes) + "".join(self._keys))


def matrix(title: str, rows: Sequence[str], columns: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """Return a picture of counts in cells, each tinted by its share of its row."""
    wide, high = (WIDTH - LEFT - RIGHT) / len(columns), (HEIGHT - BOTTOM - TOP) / len(rows)
    shapes, says = [], []
    for number, (row, cells) in enumerate(zip(rows, counts, strict=True)):
        top = TOP + number * high
        shapes.append(
            f'<text transform="translate({LEFT - 10} {top + high / 2:.0f}) rotate(-90)" text-anchor="middle">'
            f"{escape(row)}</text>"
        )
        for place, (column, count) in enumerate(zip(columns, cells, strict=True)):
            left, tint = LEFT + place * wide, 0.45 * count / max(sum(cells), 1)
            shapes.append(
                f'<rect x="{left:.1f}" y="{top:.1f}" width="{wide - 4:.1f}" height="{high - 4:.1f}" rx="4" '
                f'fill="var(--line)" fill-opacity="{tint:.2f}" stroke="var(--faint)"/>'
                f'<text x="{left + wide / 2 - 2:.0f}" y="{top + high / 2 + 5:.0f}" text-anchor="middle" '
                f'font-size="22">{count}</text>'
            )
            says.append(f"{row}, {column}: {count}.")
    for place, column in enumerate(columns):
        shapes.append(
            f'<text x="{LEFT + (place + 0.5) * wide - 2:.0f}" y="{HEIGHT - BOTTOM + 17}" text-anchor="middle">'
            f"{escape(column)}</text>"
        )
    return _picture(title, " ".join(says), "".join(shapes))


def _picture(title: str, says: str, shapes: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(f"{title}. {says}")}" '
        f'font-size="12" fill="var(--ink)">'
        f'<text x="{LEFT}" y="17" font-size="14" font-weight="600">{escape(title)}</text>{shapes}</svg>'
    )


def _x(value: float) -> float:
    return LEFT + value * (WIDTH - LEFT - RIGHT)


def _y(value: float) -> float:
    return HEIGHT - BOTTOM - value * (HEIGHT - BOTTOM - TOP)
