"""Answers that are kept for a moment, so that a job of a thousand objects doesn't ask for its policies each time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Any

SECONDS = 30.0
"""How long a policy that was changed elsewhere than through this port may take to count."""


class TTLCache:
    """Asks once per key and moment, also when several threads want the same."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, seconds: float = SECONDS) -> None:
        self._clock, self._seconds = clock, seconds
        self._lock = threading.Lock()
        self._asking: dict[Hashable, threading.Lock] = {}
        self._found: dict[Hashable, tuple[float, Any]] = {}

    def get(self, key: Hashable, ask: Callable[[], Any]) -> Any:
        """The kept answer, or a new one; what `ask` raises is not kept."""
        with self._lock:
            asking = self._asking.setdefault(key, threading.Lock())
        with asking:
            with self._lock:
                kept, before = self._found.get(key), self._found
            if kept is not None and self._clock() - kept[0] < self._seconds:
                return kept[1]
            found = ask()
            with self._lock:
                # What was asked before a change isn't kept after it.
                if before is self._found:
                    self._found[key] = (self._clock(), found)
            return found

    def forget(self) -> None:
        """Ask anew for everything."""
        with self._lock:
            self._found, self._asking = {}, {}
