"""Small pictures for reports, drawn as SVG with the page's own colours."""

from collections.abc import Sequence
from html import escape

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 300, 280, 44, 40, 28


class Plot:
    """A picture over the unit square."""

    def __init__(self, title: str, horizontal: str, vertical: str) -> None:
        self._title, self._horizontal, self._vertical = title, horizontal, vertical
        self._shapes: list[str] = []

    def line(self, xs: Sequence[float], ys: Sequence[float]) -> "Plot":
        """Add a line through the points."""
        points = " ".join(f"{_x(x):.1f},{_y(y):.1f}" for x, y in zip(xs, ys, strict=True))
        self._shapes.append(f'<polyline points="{points}" fill="none" stroke="var(--line)" stroke-width="2"/>')
        return self

    def points(self, xs: Sequence[float], ys: Sequence[float]) -> "Plot":
        """Add a dot at each point."""
        self._shapes += [
            f'<circle cx="{_x(x):.1f}" cy="{_y(y):.1f}" r="3.5" fill="var(--line)"/>'
            for x, y in zip(xs, ys, strict=True)
        ]
        return self

    def diagonal(self) -> "Plot":
        """Add the diagonal that stands for chance, or for perfect calibration."""
        self._shapes.append(
            f'<path d="M{_x(0)} {_y(0)}L{_x(1)} {_y(1)}" stroke="var(--faint)" stroke-dasharray="4 4"/>'
        )
        return self

    def svg(self) -> str:
        """Return the picture, with its title and axes."""
        marks = "".join(
            f'<text x="{_x(at):.0f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{at:g}</text>'
            f'<text x="{LEFT - 6}" y="{_y(at) + 4:.0f}" text-anchor="end">{at:g}</text>'
            for at in (0, 0.5, 1)
        )
        return (
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(self._title)}: '
            f'{escape(self._vertical)} over {escape(self._horizontal)}" font-size="11" fill="var(--ink)">'
            f'<text x="{LEFT}" y="16" font-size="13" font-weight="600">{escape(self._title)}</text>'
            f'<path d="M{_x(0)} {_y(1)}V{_y(0)}H{_x(1)}" fill="none" stroke="var(--rule)"/>{marks}'
            f'<text x="{_x(0.5):.0f}" y="{HEIGHT - 6}" text-anchor="middle">{escape(self._horizontal)}</text>'
            f'<text transform="translate(12 {_y(0.5):.0f}) rotate(-90)" text-anchor="middle">'
            f"{escape(self._vertical)}</text>{''.join(self._shapes)}</svg>"
        )


def _x(value: float) -> float:
    return LEFT + value * (WIDTH - LEFT - 12)


def _y(value: float) -> float:
    return HEIGHT - BOTTOM - value * (HEIGHT - BOTTOM - TOP)
