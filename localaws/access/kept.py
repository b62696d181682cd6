"""Answers that are kept for a moment, so that a job of a thousand objects doesn't ask for its policies each time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Any

SECONDS = 5.0
"""How long a policy that was changed elsewhere than through this port may take to count."""


class Kept:
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
            kept = self._found.get(key)
            if kept is None or self._clock() - kept[0] >= self._seconds:
                kept = (self._clock(), ask())
                self._found[key] = kept
            return kept[1]

    def forget(self) -> None:
        """Ask anew for everything."""
        with self._lock:
            self._found.clear()
            self._asking.clear()
