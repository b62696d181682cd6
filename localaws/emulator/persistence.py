"""The files of the built-in emulator's services: each is rewritten before a call that changed it is answered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

_failed: ContextVar[list[Exception]] = ContextVar("failed")
"""What could not be written for the request that is being answered."""

_COPIES = 20
"""Attempts at copying a table that another thread changes."""

SAVE_SECONDS = 0.005
"""Calls that end within this time share one save."""


class Files:
    """What ministack's services keep, one JSON file each; and what of their objects could not be written."""

    def __init__(self, ministack: Any) -> None:
        from ministack.core import persistence

        self._modules, self._persistence = ministack, persistence
        self._dirty: set[str] = set()
        self._saved: asyncio.Future[None] | None = None
        _told_failures(ministack)

    @staticmethod
    def failures() -> list[Exception]:
        """Return the list to which what can't be written for this request is added."""
        failures: list[Exception] = []
        _failed.set(failures)
        return failures

    async def save(self, modules: set[str]) -> None:
        """Wait until a save that began after now has ended."""
        self._dirty |= modules
        if self._saved is None:
            self._saved = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_later(SAVE_SECONDS, self._write)
        await asyncio.shield(self._saved)

    def _write(self) -> None:
        waiting, self._saved = self._saved, None
        dirty, self._dirty = self._dirty, set()
        states = {
            key: get_state
            for key, get_state in self._modules._build_persistence_save_dict().items()
            if self._modules._state_map[key] in dirty
        }
        assert waiting is not None
        try:
            for name, get_state in states.items():
                self._write_one(name, get_state)
        except (OSError, RuntimeError) as error:
            # What is in memory only is written with the next call that finds room.
            self._dirty |= dirty
            waiting.set_exception(error)
        else:
            waiting.set_result(None)

    def _write_one(self, name: str, get_state: Callable[[], Any]) -> None:
        """Write one of ministack's files, in its own form; its own function logs what goes wrong, and goes on."""
        form = {"__ministack_format__": self._persistence._state_format_version(name)}
        for attempt in range(_COPIES):
            try:
                if (state := get_state()) is None:
                    return
                text = json.dumps({**form, "payload": state}, default=self._persistence._json_default)
                break
            except RuntimeError:
                # A function's thread has changed a table while it was copied.
                if attempt == _COPIES - 1:
                    raise
        file = Path(self._persistence.STATE_DIR) / f"{name}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        try:
            part.write_text(text)
            part.replace(file)
        except OSError:
            part.unlink(missing_ok=True)
            raise


def _told_failures(ministack: Any) -> None:
    """Note whose objects can't be written; ministack logs that and answers as if they were."""

    def noting(write: Callable[..., None]) -> Callable[..., None]:
        def writing(*given: Any, **named: Any) -> None:
            try:
                write(*given, **named)
            except OSError as error:
                _failed.get([]).append(error)
                raise

        return writing

    storage = ministack._get_module("s3")
    storage._atomic_write = noting(storage._atomic_write)
