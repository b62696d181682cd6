"""The time that executions, schedules and caches see; it can be moved forward by hand."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

from localaws.errors import Invalid
from localaws.statefiles import Damaged
from localaws.store import Store

OFFSET = "clock-offset"
"""The setting that keeps how many seconds this clock is ahead."""

LATEST = datetime(9999, 1, 1, tzinfo=UTC).timestamp()
"""Dates end with the year 9999, and a schedule must find its next time before that."""


def proved(kept: str | None, path: Path) -> float:
    """Return how many seconds a clock is ahead, as a database keeps it. Raises Damaged."""
    try:
        offset = float(kept or 0)
    except ValueError:
        offset = -1.0
    if not 0 <= offset <= LATEST - time.time():
        raise Damaged(path, f"it keeps a clock that is {kept} s ahead", path.parent, "clock")
    return offset


class Clock:
    """The machine's time, and how far this one is ahead of it (kept in the store)."""

    def __init__(self, store: Store) -> None:
        """Take up the time that a store keeps. Raises Damaged."""
        self._store = store
        self._offset = proved(store.setting(OFFSET), store.path)

    def now(self) -> float:
        """Seconds since 1970, as the accounts see it."""
        return time.time() + self._offset

    def real(self) -> float:
        """Seconds since 1970, by the machine."""
        return time.time()

    def advance(self, seconds: float) -> None:
        """Move the accounts' time forward; it never goes back. Raises Invalid."""
        if not seconds >= 0:
            raise Invalid("The clock can only be moved forward.")
        if not self.now() + seconds <= LATEST:
            raise Invalid("The clock can't go beyond the year 9998.")
        self._store.set_setting(OFFSET, str(self._offset + seconds))
        self._offset += seconds
