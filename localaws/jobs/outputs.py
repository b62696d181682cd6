"""What a container left, read as a stranger's: no link leads out of it, and only plain files are opened."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from localaws import disk
from localaws.jobs.failure import JobFailed, JobStopped

MAX_KEY = 1024
"""Bytes of an object's key in S3."""

BLOCK = 512
"""Bytes in which a file's room on the disk is counted."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def files_below(folder: Path, within: Path) -> dict[str, Path]:
    """Return the plain files below a folder by their path within it, once their container has ended.

    `within`, the job's own folder, has no link in its path. Raises JobFailed for a link that leads out of the folder:
    what lies there is this machine's, not the container's.
    """
    _require_own(folder, within)
    files = {}
    for name, file in _below(Path(os.path.realpath(folder))):
        told = f"ClientError: {folder.name}/{shown(name)}"
        if file is None:
            raise JobFailed(f"{told} is a link to something outside of {folder.name}.")
        if len(os.fsencode(name)) > MAX_KEY:
            raise JobFailed(f"{told[:200]}… has a path of more than {MAX_KEY} bytes, which no object's key can have.")
        if not _is_text(name):
            raise JobFailed(f"{told} has a name that isn't UTF-8, which no object's key can have.")
        found = file.stat()
        if found.st_size - BLOCK * found.st_blocks > disk.free(within):
            raise JobFailed(f"{told} is a file of {found.st_size} bytes with holes for which the disk has no room.")
        files[name] = file
    return files


def files_now_below(folder: Path, within: Path) -> dict[str, Path]:
    """Return the files below a folder of a job that still runs; what can't be uploaded isn't there yet."""
    real = Path(os.path.realpath(folder))
    if not real.is_relative_to(within):
        return {}
    found = {name: file for name, file in _below(real, running=True) if file is not None}
    return {name: file for name, file in found.items() if len(os.fsencode(name)) <= MAX_KEY and _is_text(name)}


def _require_own(folder: Path, within: Path) -> None:
    if not Path(os.path.realpath(folder)).is_relative_to(within):
        raise JobFailed(f"ClientError: {folder.name} is a link to something outside of the job's own folder.")


def _below(root: Path, running: bool = False) -> Iterator[tuple[str, Path | None]]:
    """Files below a folder without links in its path; None for one that a link outside of it stands for."""
    folders = [root]
    while folders:
        for entry in _entries(folders.pop(), running):
            path = Path(entry.path)
            name = path.relative_to(root).as_posix()
            if entry.is_symlink():
                real = Path(os.path.realpath(path))
                if not real.is_relative_to(root) or not real.exists():
                    yield name, None
                elif real.is_file():
                    yield name, real
            elif entry.is_file(follow_symlinks=False) or len(os.fsencode(name)) > MAX_KEY:
                yield name, path
            elif entry.is_dir(follow_symlinks=False):
                folders.append(path)


def _entries(folder: Path, running: bool) -> list[os.DirEntry[str]]:
    with contextlib.suppress(OSError):
        if not running:
            # A container's files are read by SageMaker whatever their modes say.
            _permit(folder, stat.S_IRWXU)
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
        for entry in entries:
            if not running and entry.is_file(follow_symlinks=False):
                _permit(Path(entry.path), stat.S_IRUSR)
        return entries
    return []


def _permit(path: Path, least: int) -> None:
    mode = stat.S_IMODE(path.lstat().st_mode)
    if mode & least != least:
        with contextlib.suppress(PermissionError):
            path.chmod(mode | least)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(name: str) -> str:
    """Return a name as part of one sentence."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in name)


class Stream(io.FileIO):
    """An open file whose reading ends when the job is to end."""

    def __init__(self, descriptor: int, ended: Callable[[], bool]) -> None:
        super().__init__(descriptor, "rb")
        self._has_ended = ended

    def read(self, *size: Any) -> Any:
        """Read on. Raises JobStopped."""
        if self._has_ended():
            raise JobStopped
        return super().read(*size)


def opened(file: Path, within: Path, ended: Callable[[], bool] = bool) -> Stream:
    """Open a plain file below a folder.

    Raises OSError: it isn't one, or a link is in its path, although none may have been there a moment ago.
    """
    *folders, name = file.relative_to(within).parts
    at = os.open(within, _FOLDER)
    try:
        for part in folders:
            inner = os.open(part, _FOLDER, dir_fd=at)
            os.close(at)
            at = inner
        if not stat.S_ISREG(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode):
            raise OSError(errno.EINVAL, "Not a plain file")
        descriptor = os.open(name, _FILE, dir_fd=at)
    finally:
        os.close(at)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "Not a plain file")
    return Stream(descriptor, ended)


def message(root: Path, name: str, most: int) -> str | None:
    """Return what a container left in a file of its /opt/ml for the job's description, at most `most` characters."""
    with contextlib.suppress(OSError), opened(root / name, root.parent) as stream:
        # A character has four bytes at most.
        return stream.read(4 * most).decode(errors="replace")[:most].strip() or None
    return None
