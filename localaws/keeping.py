"""The state folder as a whole: looked through before anything is loaded, and mended on purpose only."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from localaws import clock, database, disk, statefiles
from localaws.settings import Settings, WrongSetting
from localaws.statefiles import CONTENTS, DATABASE, OBJECTS, SERVICES, Contents, Damaged
from localaws.store import Store

LEFT = "left"
"""Folder of what `reset` and `restore` took out of use."""

_SEALED = b'{"localaws": {'


def check(settings: Settings) -> Iterator[Damaged]:
    """Look through a state folder, and change nothing."""
    state, contents = settings.state, None
    if not os.access(state, os.R_OK | os.W_OK | os.X_OK):
        yield Damaged(state, "it can't be read and written (Permission denied)", state)
        return
    for name in ("server.json", "localaws.log"):
        if (state / name).is_dir():
            yield Damaged(state / name, "it is a folder, not a file", state)
    for name in ("scratch", "functions"):
        if os.path.lexists(state / name) and not (state / name).is_dir():
            yield Damaged(state / name, "it isn't a folder", state)
    try:
        contents = Contents.read(state)
        needed = contents.files if contents else _needed(state)
    except Damaged as damaged:
        yield damaged
        needed = set()
    if settings.emulator:
        needed &= {CONTENTS, DATABASE}
    yield from (Damaged(state / name, "it is missing", state) for name in sorted(needed) if not _there(state / name))
    file = state / DATABASE
    # A database that is empty was only just begun, or is damaged.
    if _there(file) and (contents is None or DATABASE in contents.files or file.is_dir() or file.stat().st_size):
        try:
            database.check(file)
            clock.proved(database.setting(file, clock.OFFSET), file)
        except Damaged as damaged:
            yield damaged
    if not settings.emulator:
        from localaws.emulator import embedded

        yield from embedded.check(settings.port, state)


def _there(file: Path) -> bool:
    return os.path.lexists(file)


def _needed(state: Path) -> set[str]:
    """Return what must be in a folder without a list: nothing in a new one, the database in one of the first format."""
    services = sorted((state / SERVICES).glob("*.json")) if (state / SERVICES).is_dir() else []
    for file in services:
        with contextlib.suppress(OSError), file.open("rb") as opened:
            if opened.read(len(_SEALED)) == _SEALED:
                return {CONTENTS}
    with contextlib.suppress(OSError, sqlite3.Error):
        if (state / DATABASE).is_file() and database.version(state / DATABASE):
            return {CONTENTS}
    return {DATABASE} if services else set()


def begin(settings: Settings) -> Contents:
    """Return what the state folder must have, once nothing in it is damaged. Raises Damaged, DiskFull."""
    for damaged in check(settings):
        raise damaged
    try:
        return Contents.read(settings.state) or Contents(settings.state, set()).begin()
    except OSError as error:
        if disk.is_full(error, settings.state):
            raise disk.DiskFull(settings.state) from None
        raise


def services(state: Path) -> list[str]:
    """Return the names that `reset` takes for a state folder."""
    found = {file.name.split(".json")[0] for file in (state / SERVICES).glob("*.json*")}
    found |= {name.removeprefix(f"{SERVICES}/").removesuffix(".json") for name in _listed(state) if "/" in name}
    return sorted(found | {"clock", "contents", "sagemaker", "s3"})


def _listed(state: Path) -> set[str]:
    try:
        contents = Contents.read(state)
    except Damaged:
        return set()
    return contents.files if contents else set()


def _files(state: Path, service: str) -> list[Path]:
    """What a service keeps: its own file first, then what belongs to it."""
    if service not in services(state):
        raise WrongSetting(f"{service}: there is no such service in {state}; there are {', '.join(services(state))}.")
    if service == "sagemaker":
        file = state / DATABASE
        return [file, file.with_name(f"{DATABASE}-wal"), file.with_name(f"{DATABASE}-shm"), state / database.COUNT]
    if service == "contents":
        return [state / CONTENTS]
    if service == "clock":
        return []
    more = {"s3": [state / OBJECTS], "lambda": [state / SERVICES / "lambda-blobs"]}
    return [state / SERVICES / f"{service}.json", *more.get(service, [])]


def reset(state: Path, service: str) -> Path:
    """Begin a service anew; return the folder that what it kept was moved to. Raises WrongSetting."""
    folder = _leave(state, _files(state, service))
    if service == "clock":
        store = Store(state / DATABASE)
        with store.transaction():
            store.write("DELETE FROM settings WHERE name=?", clock.OFFSET)
        store.close()
    elif service == "contents":
        files = [state / DATABASE, *(state / SERVICES).glob("*.json")]
        Contents(state, {str(file.relative_to(state)) for file in files if file.exists()}).begin()
    else:
        name = DATABASE if service == "sagemaker" else f"{SERVICES}/{service}.json"
        if (contents := Contents.read(state)) is not None:
            contents.remove(name)
    return folder


def restore(state: Path, service: str) -> Path:
    """Take the last good copy of a service's file; return the folder that holds what it was. Raises WrongSetting."""
    files = _files(state, service)
    copy = statefiles.last(files[0])
    if not copy.is_file():
        raise WrongSetting(f"{service}: there is no copy {copy}.")
    folder = _leave(state, files if service == "sagemaker" else files[:1])
    shutil.copy2(copy, files[0])
    return folder


def _leave(state: Path, files: list[Path]) -> Path:
    folder = state / LEFT / time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    while folder.exists():
        folder = folder.with_name(folder.name + "-")
    folder.mkdir(parents=True)
    for file in files:
        if os.path.lexists(file):
            shutil.move(file, folder / file.name)
    return folder
