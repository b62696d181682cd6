"""A container's /opt/ml: a folder of this machine that the container's user may write, and that comes back whole.

The container's user is another one than ours. As root we give it the folder and may read all that it leaves. As
anybody else we let everybody write it, behind a parent that only we can enter; what the container leaves is its
user's then, and the engine gives it back to us through its copy function, which needs no program in the image.
"""

from __future__ import annotations

import contextlib
import io
import os
import socket
import stat
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from docker.errors import NotFound

from localaws.runtimes.base import ML, CannotRun

USER = 10001
"""Whom containers run as; group and user have the same number."""

NOWHERE = f"outside of {ML}"


def hand_over(root: Path) -> None:
    """Let the container's user read and write everything below a folder."""
    root.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        for path in _all(root):
            os.chown(path, USER, USER, follow_symlinks=False)
        return
    root.parent.chmod(0o700)
    for path in _all(root):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(0o777 if stat.S_ISDIR(mode) else stat.S_IMODE(mode) | 0o666)


def take_back(container: Any, root: Path, log: Callable[[str], None]) -> None:
    """Make everything below a folder ours again, once its container has ended.

    Links to the container's own /opt/ml lead into the folder then. Those that lead elsewhere lead nowhere any more: in
    the container they meant its own files, and here they would mean this machine's.
    """
    if os.geteuid() != 0:
        _claim_folders(container, root)
        _claim_files(container, root)
    for path in list(_all(root)):
        if path.is_symlink():
            target = path.readlink()
            if target.is_relative_to(ML):
                _relink(path, os.path.relpath(root / target.relative_to(ML), path.parent))
            if not _stays(path, root):
                _relink(path, NOWHERE)
                log(f"localaws: the link {path.relative_to(root)} leads out of {ML}.")


def _relink(link: Path, target: str) -> None:
    link.unlink()
    link.symlink_to(target)


def _claim_folders(container: Any, root: Path) -> None:
    # A folder's content can be seen only after the folder is ours: level by level.
    while foreign := [path for path in _all(root) if _is_folder(path) and path.lstat().st_uid != os.geteuid()]:
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w") as tar:
            for folder in foreign:
                member = tarfile.TarInfo(folder.relative_to(root).as_posix())
                member.type, member.mode = tarfile.DIRTYPE, 0o700
                member.uid, member.gid = os.geteuid(), os.getegid()
                member.mtime = int(folder.lstat().st_mtime)
                tar.addfile(member)
        container.put_archive(ML, content.getvalue())


def _claim_files(container: Any, root: Path) -> None:
    for path in list(_all(root)):
        if path.is_file() and not path.is_symlink() and not os.access(path, os.R_OK):
            chunks, _ = container.get_archive(f"{ML}/{path.relative_to(root).as_posix()}")
            # Beside the folder: in it, a link of the container's may have any name.
            packed, path_new = (root.with_name(f"{root.name}.{name}") for name in ("packed", "unpacked"))
            with packed.open("wb") as file:
                file.writelines(chunks)
            with tarfile.open(packed) as tar:
                content = tar.extractfile(tar.next())
                mode = path.stat().st_mode
                with path_new.open("wb") as file:
                    while block := content.read(1 << 20):
                        file.write(block)
            path_new.chmod(stat.S_IMODE(mode) | 0o400)
            path_new.replace(path)
            packed.unlink()


def _all(root: Path) -> Iterator[Path]:
    """The folder and what is below it; links are shown and not followed."""
    yield root
    folders = [root]
    while folders:
        with contextlib.suppress(OSError), os.scandir(folders.pop()) as found:
            for entry in found:
                yield Path(entry.path)
                if entry.is_dir(follow_symlinks=False):
                    folders.append(Path(entry.path))


def _is_folder(path: Path) -> bool:
    return stat.S_ISDIR(path.lstat().st_mode)


def _stays(link: Path, root: Path) -> bool:
    try:
        return link.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError):
        return False


class Paths:
    """Where the engine finds our folders: at the same place, or, if we run in a container ourselves, elsewhere.

    Args:
        client: of the engine.
        own: our own container's name or id, if we run in one; found out where it isn't given.
    """

    def __init__(self, client: Any, own: str | None = None) -> None:
        self.container = None
        name = own or (socket.gethostname() if Path("/.dockerenv").exists() else None)
        if name:
            try:
                self.container = client.containers.get(name)
            except NotFound:
                # A container of another engine than the one we use: nothing that we could know of it.
                self.container = None

    def on_engine(self, folder: Path) -> str:
        """Return the engine's path of a folder. Raises CannotRun."""
        if self.container is None:
            return str(folder)
        mounts = sorted(self.container.attrs["Mounts"], key=lambda mount: -len(mount["Destination"]))
        for mount in mounts:
            if folder.is_relative_to(mount["Destination"]):
                return str(Path(mount["Source"]) / folder.relative_to(mount["Destination"]))
        raise CannotRun(f"The engine can't give {folder} to a container: put the state folder on a volume.")
