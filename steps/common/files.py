"""Which files a dataset consists of and what each holds: one rule for every step.

Names that begin with `.` or `_`, at any depth, and files without content are passed over: markers such as `_SUCCESS`,
logs of table formats, empty parts. Files come sorted by path. Gzip is known by its first bytes, whatever the name.
Folders named like `day=1` make no columns.
"""

import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from steps.common import paths
from steps.common.failure import StepFailed

CSV, JSON, PARQUET, LIBSVM = "CSV", "JSON", "Parquet", "libsvm"

BOM = b"\xef\xbb\xbf"
BLANK = b" \t\r\n"
PEEK = 1 << 16

FOREIGN = (
    (b"PARE", "encrypted Parquet"),
    (b"PK\x03\x04", "a ZIP archive or an Excel workbook"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
    (b"\xfd7zXZ\x00", "compressed with xz"),
    (b"\x04\x22\x4d\x18", "compressed with LZ4"),
    (b"\xff\x06\x00\x00sNaPpY", "compressed with Snappy"),
    (b"Obj\x01", "Avro"),
    (b"ARROW1\x00\x00", "Arrow IPC (Feather)"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89HDF\r\n", "HDF5"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"\x0a\x23\xd7\xce", "recordIO-protobuf"),
    (b"\xff\xfe", "UTF-16 text"),
    (b"\xfe\xff", "UTF-16 text"),
)
"""First bytes of what people send by mistake, and its name."""

LIBSVM_LINE = re.compile(rb"\s*[-+.\deE]+(:[-+.\deE]+)?([ \t]+qid:\d+)?([ \t]+\d+:\S+)+\s*(#.*)?")


class Unreadable(StepFailed):
    """A file isn't what a reader expects; the message names the file and, if known, the row and the column."""


@dataclass(frozen=True)
class File:
    """A file with content, and what people call it: its path below the dataset's folder."""

    path: Path
    name: str


def listed(place: Path) -> list[File]:
    """Return the files with content below a folder, sorted by path; a file itself is a dataset of one."""
    if place.is_file():
        found = [File(place, place.name)]
    else:
        found = [File(path, path.relative_to(place).as_posix()) for path in paths.files_below(place)]
    return [file for file in found if not _is_blank(file)]


def is_gzip(path: Path) -> bool:
    """Whether a file is compressed, whatever its name."""
    with path.open("rb") as stream:
        return stream.read(2) == b"\x1f\x8b"


@contextmanager
def opened(file: File) -> Iterator[BinaryIO]:
    """Open a file, unpacked where it is compressed.

    Raises:
        Unreadable: in the block, where its gzip stream is damaged.
    """
    try:
        with gzip.open(file.path, "rb") if is_gzip(file.path) else file.path.open("rb") as stream:
            yield stream  # type: ignore[misc]
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise Unreadable(f"{file.name}: the gzip stream is damaged or cut off.") from None


def format_of(file: File, expected: str | None = None) -> str:
    """Return a file's format, by its first bytes where none is expected.

    Raises:
        Unreadable: it holds another format than the expected one, or one that nobody here reads.
    """
    with opened(file) as stream:
        head = stream.read(PEEK)
    foreign = next((what for start, what in FOREIGN if head.startswith(start)), None)
    if foreign:
        raise Unreadable(f"{file.name}: {foreign}, where {expected or 'CSV, JSON lines or Parquet'} belongs.")
    found = _recognised(head)
    if expected in (None, found) or (expected == LIBSVM and found == CSV):
        return expected or found
    if expected == PARQUET:
        raise Unreadable(f"{file.name}: truncated, or not Parquet.")
    if found == LIBSVM:
        raise Unreadable(f"{file.name}, row 1: libsvm, where {expected} belongs; its content type is text/libsvm.")
    if found == CSV and expected == JSON:
        return expected  # Its reader names the line.
    raise Unreadable(f"{file.name}: {found}, where {expected} belongs.")


def _recognised(head: bytes) -> str:
    if head.startswith(b"PAR1"):
        return PARQUET
    text = head.removeprefix(BOM).lstrip(BLANK)
    if text[:1] in (b"{", b"["):
        return JSON
    return LIBSVM if LIBSVM_LINE.fullmatch(text.split(b"\n", 1)[0]) else CSV


def _is_blank(file: File) -> bool:
    """Whether nothing but blanks is in a file, unpacked; one that can't be unpacked isn't blank."""
    if not file.path.stat().st_size:
        return True
    try:
        with opened(file) as stream:
            head = stream.read(PEEK).removeprefix(BOM)
            while not head.strip(BLANK):
                head = stream.read(PEEK)
                if not head:
                    return True
    except Unreadable:
        pass
    return False
