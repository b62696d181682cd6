"""Archives of models and outputs: the same files give the same bytes."""

from __future__ import annotations

import gzip
import os
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from localaws.jobs.failure import JobFailed


class LeadsOut(tarfile.TarError):
    """A member of an archive lies outside of the archive's folder, or is no plain file."""


LEADS_OUT = (LeadsOut, getattr(tarfile, "FilterError", LeadsOut))


def files_below(folder: Path) -> dict[str, Path]:
    """Return the files below a folder by their path within it.

    Raises JobFailed for a link that leads out of it: what lies there is this machine's, not the container's.
    """
    files = {}
    for name, file, stays in _below(folder):
        if not stays:
            raise JobFailed(f"ClientError: {folder.name}/{name} is a link to something outside of {folder.name}.")
        files[name] = file
    return files


def own_files_below(folder: Path, within: Path) -> dict[str, Path]:
    """Return the files below a folder of a job that still runs; what leads out of the job's own folder isn't there."""
    if not folder.resolve().is_relative_to(within.resolve()):
        return {}
    return {name: file for name, file, stays in _below(folder) if stays}


def _below(folder: Path) -> Iterator[tuple[str, Path, bool]]:
    """Files and broken links below a folder, and whether they are the folder's own."""
    root = folder.resolve()
    for file in sorted(folder.rglob("*")):
        stays = not file.is_symlink() or (file.exists() and file.resolve().is_relative_to(root))
        if file.is_file() or not stays:
            yield file.relative_to(folder).as_posix(), file, stays


def write(files: Mapping[str, Path], archive: Path) -> None:
    """Write a gzip-compressed tar of files, without their times, owners and modes."""
    with (
        archive.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=6, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name, file in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size = file.stat().st_size
            member.mode = 0o755 if file.stat().st_mode & 0o100 else 0o644
            with file.open("rb") as content:
                tar.addfile(member, content)


def _unpack(tar: tarfile.TarFile, folder: Path) -> None:
    if hasattr(tarfile, "data_filter"):
        tar.extractall(folder, filter="data")
        return
    # Python before 3.11.4, which Debian 12 has, knows no filters.
    for member in tar:
        goal = os.path.normpath(folder / member.name)
        if not (member.isreg() or member.isdir()) or not Path(goal).is_relative_to(folder):
            raise LeadsOut(member.name)
        tar.extract(member, folder, set_attrs=False)


def extract(archive: Path, folder: Path, uri: str) -> None:
    """Unpack a model archive into a folder. Raises JobFailed, naming the archive's URI."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(archive, "r:gz") as tar:
            _unpack(tar, folder)
            # A tar that was cut off between two files looks whole to the reader; its compression doesn't.
            while tar.fileobj.read(1 << 20):  # type: ignore[union-attr]
                pass
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        wrong = "leads out of its folder" if isinstance(error, LEADS_OUT) else "is truncated or damaged"
        raise JobFailed(f"ClientError: The archive {uri} {wrong}; a gzip-compressed tar is needed.") from None
    except OSError as error:
        raise JobFailed(f"InternalServerError: The archive {uri} can't be unpacked: {error.strerror}.") from None
