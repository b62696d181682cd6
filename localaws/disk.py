"""A full disk: nothing new is taken then, and what was taken still comes to its end.

Calls that change something are refused while less than RESERVE is free. What is left is for the ends of the steps
that run: theirs are the files that fill a disk, and a step that fails for it gives them back.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import sqlite3
import subprocess
from pathlib import Path

from localaws.errors import ApiError

RESERVE = 16 * 1024 * 1024
"""Bytes that calls leave free."""

FULL = 1024 * 1024
"""Bytes free below which a container that failed is taken to have failed for it."""

LOOKS_AGAIN = 0.5
"""Seconds between two attempts at a write that must not be lost."""

_TAKES_NOTHING = re.compile(
    r"Describe|List|Search|Get(?!SessionToken|FederationToken)|BatchGet|BatchDescribe|Query|Test|Stop|Delete|Remove"
)
_SQLITE = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}


class DiskFull(ApiError):
    """The disk of the state folder has no room. The status is one that AWS's clients don't repeat a call for."""

    code = "InternalFailure"
    status = 507

    def __init__(self, folder: Path) -> None:
        super().__init__(f"The disk that holds localaws' state folder {folder} is full; free some space there.")


def free(folder: Path) -> int:
    """Return the bytes that are free where a folder lies, or will lie."""
    while not folder.exists():
        folder = folder.parent
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def require(folder: Path, size: int = 0) -> None:
    """Hold the reserve against a call that brings as many bytes. Raises DiskFull."""
    if free(folder) < RESERVE + size:
        raise DiskFull(folder)


def takes_room(operation: str) -> bool:
    """Whether an operation adds to the state; those that read, stop or delete go through on a full disk too."""
    return _TAKES_NOTHING.match(operation) is None


def is_full(error: Exception, folder: Path) -> bool:
    """Whether a write failed because the disk is full."""
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        return code == sqlite3.SQLITE_FULL or (code in _SQLITE and free(folder) < FULL)
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def remove(folder: Path) -> None:
    """Remove a folder with whatever a program made of it: folders that it closed, or nested a thousand deep."""
    with contextlib.suppress(OSError, RecursionError):
        shutil.rmtree(folder)
    if os.path.lexists(folder):
        for command in (["chmod", "-R", "u+rwx"], ["rm", "-rf"]):
            with contextlib.suppress(OSError):
                subprocess.run([*command, "--", str(folder)], capture_output=True, check=False)
