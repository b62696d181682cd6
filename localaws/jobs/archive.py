"""Archives of models and outputs: the same files give the same bytes."""

from __future__ import annotations

import gzip
import os
import tarfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

from localaws.jobs import outputs
from localaws.jobs.failure import JobFailed


class LeadsOut(tarfile.TarError):
    """A member of an archive lies outside of the archive's folder, or is no plain file."""


LEADS_OUT = (LeadsOut, getattr(tarfile, "FilterError", LeadsOut))


def write(files: Mapping[str, Path], archive: Path, ended: Callable[[], bool]) -> None:
    """Write a gzip-compressed tar of files below its folder, without their times, owners and modes.

    Raises JobStopped when the job is to end meanwhile.
    """
    with (
        archive.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=6, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name, file in sorted(files.items()):
            member = tarfile.TarInfo(name)
            with outputs.opened(file, archive.parent, ended) as content:
                found = os.fstat(content.fileno())
                member.size = found.st_size
                member.mode = 0o755 if found.st_mode & 0o100 else 0o644
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
