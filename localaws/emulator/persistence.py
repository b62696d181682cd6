"""The files of the built-in emulator's services: each is rewritten before a call that changed it is answered.

ministack takes a file that it can't read for an empty one, and writes over it when it ends. So its files are looked
through before it loads anything, and it neither loads nor writes any of them itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from localaws import statefiles
from localaws.emulator import objects
from localaws.statefiles import SERVICES, Contents, Damaged

_BLOBS = "lambda-blobs"
_COPIES = 20
"""Attempts at copying a table that another thread changes."""

SAVE_SECONDS = 0.005
"""Calls that end within this time share one save."""


class Files:
    """What ministack's services keep, one JSON file each; and what of their objects could not be written."""

    def __init__(self, ministack: Any, state: Path, contents: Contents) -> None:
        """Let ministack have what the files hold; its own functions for them do nothing any more. Raises Damaged."""
        from ministack.core import persistence

        self._modules, self._persistence, self._contents = ministack, persistence, contents
        self._folder = state / SERVICES
        self._dirty: set[str] = set()
        self._saved: asyncio.Future[None] | None = None
        ministack._load_persisted_state = lambda: None
        ministack.save_all = lambda states: self._write_all(states)
        persistence.save_state = lambda name, data: self._write_one(name, lambda: data)
        for name, module in ministack._state_map.items():
            if (file := self._folder / f"{name}.json").exists():
                self._load(name, module, file, state)

    def _load(self, name: str, module: str, file: Path, state: Path) -> None:
        document, sealed = statefiles.read(file, state)
        if not sealed:
            statefiles.write(file, json.dumps(document["payload"]), document["__ministack_format__"])
        self._contents.add(f"{SERVICES}/{file.name}")
        data = statefiles.read(file, state, self._persistence._json_object_hook)[0]["payload"]
        if not data:
            return
        try:
            loaded = self._modules._get_module(module)
            if not isinstance(loaded, ModuleType):
                raise Damaged(file, "the part of the emulator that it belongs to can't be loaded", state)
            loaded.load_persisted_state(data)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise Damaged(file, f"the emulator can't make use of it ({type(error).__name__})", state) from error

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
            self._write_all(states)
        except (OSError, RuntimeError) as error:
            # What is in memory only is written with the next call that finds room.
            self._dirty |= dirty
            waiting.set_exception(error)
        else:
            waiting.set_result(None)

    def _write_all(self, states: dict[str, Callable[[], Any]]) -> None:
        for name, get_state in states.items():
            self._write_one(name, get_state)

    def _write_one(self, name: str, get_state: Callable[[], Any]) -> None:
        """Write one of ministack's files, in its own form; its own function logs what goes wrong, and goes on."""
        for attempt in range(_COPIES):
            try:
                if (state := get_state()) is None:
                    return
                text = json.dumps(state, default=self._persistence._json_default)
                break
            except RuntimeError:
                # A function's thread has changed a table while it was copied.
                if attempt == _COPIES - 1:
                    raise
        statefiles.write(self._folder / f"{name}.json", text, self._persistence._state_format_version(name))
        self._contents.add(f"{SERVICES}/{name}.json")


def check(ministack: Any, state: Path) -> Iterator[Damaged]:
    """Look through all that the services keep, and change nothing."""
    folder, buckets = state / SERVICES, set()
    if os.path.lexists(folder) and not folder.is_dir():
        yield Damaged(folder, "it isn't a folder", state)
        return
    try:
        files = sorted(folder.glob("*.json")) if folder.exists() else []
        if folder.exists() and not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        yield Damaged(folder, f"it can't be used ({error.strerror})", state)
        return
    for file in files:
        try:
            payload = _payload(ministack, file, state)
            yield from _code(payload, state) if file.stem == "lambda" else ()
            buckets |= objects.buckets(payload) if file.stem == "s3" else set()
        except Damaged as damaged:
            yield damaged
    yield from objects.check(state, buckets)


def _payload(ministack: Any, file: Path, state: Path) -> dict[str, Any]:
    from ministack.core import persistence

    document, sealed = statefiles.read(file, state)
    if not os.access(file, os.W_OK):
        raise Damaged(file, "it can't be written (Permission denied)", state)
    number, known = document.get("__ministack_format__"), persistence._state_format_version(file.stem)
    if not isinstance(number, int) or not isinstance(document.get("payload"), dict):
        raise Damaged(file, "it isn't what the emulator writes", state)
    if number > known:
        raise Damaged(file, f"a later emulator wrote it (format {number}; this one knows up to {known})", state)
    if sealed and file.stem not in ministack._state_map:
        raise Damaged(file, "this localaws has no such service; a later one wrote it", state)
    return dict(document["payload"])


def _code(payload: dict[str, Any], state: Path) -> Iterator[Damaged]:
    """Functions' code lies in files of their own, named by their digest."""
    for digest in sorted(set(_references(payload))):
        file = state / SERVICES / _BLOBS / f"{digest}.zip"
        try:
            if hashlib.sha256(statefiles.content_of(file, state)).hexdigest() != digest:
                yield Damaged(file, "it is cut off or changed (its digest differs)", state)
        except Damaged as damaged:
            yield damaged


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(found := value.get("code_blob_ref"), str):
            yield found
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _references(item)


def tidy(state: Path) -> None:
    """Finish what a killed localaws left half done. Only for a folder in which nothing is damaged. Raises OSError."""
    for folder in (state / SERVICES, state / SERVICES / _BLOBS):
        for left in (*folder.glob("*.part"), *folder.glob("*.tmp")):
            left.unlink()
    objects.tidy(state)
