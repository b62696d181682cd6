"""Tables for people: as wide as the terminal; elsewhere each row stays one line, however long it is."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

ENDLESS = 10_000
"""Columns where no terminal says how wide it is: no line of ours is that long, so none is wrapped."""


def console(**options: Any) -> Console:
    """Return a console on standard output that wraps lines only in a terminal."""
    found = Console(**options)
    return found if found.is_terminal else Console(**options, width=ENDLESS)


def show(table: Table, on: Console | None = None) -> None:
    """Print a table; elsewhere than in a terminal without the blanks that fill its lines up."""
    on = on or console()
    if on.is_terminal:
        on.print(table)
        return
    with on.capture() as captured:
        on.print(table)
    on.file.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))
    on.file.flush()
