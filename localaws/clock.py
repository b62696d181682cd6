"""The time that executions, schedules and caches see; it can be moved forward by hand."""

from __future__ import annotations

import time

from localaws.store import Store

_OFFSET = "clock-offset"


class Clock:
    """The machine's time, and how far this one is ahead of it (kept in the store)."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._offset = float(store.setting(_OFFSET) or 0)

    def now(self) -> float:
        """Seconds since 1970, as the accounts see it."""
        return time.time() + self._offset

    def real(self) -> float:
        """Seconds since 1970, by the machine."""
        return time.time()

    def advance(self, seconds: float) -> None:
        """Move the accounts' time forward; it never goes back. Raises ValueError."""
        if not seconds >= 0:
            raise ValueError("The clock can only be moved forward.")
        self._store.set_setting(_OFFSET, str(self._offset + seconds))
        self._offset += seconds
