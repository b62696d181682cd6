"""Which files a dataset consists of, and the columns they have; each file must have the same."""

import gzip
import re
import shutil
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from steps.common import files as common
from steps.common import paths
from steps.monitor.contract import Job
from steps.monitor.data import duckdb_source, read_errors
from steps.monitor.data.duckdb_source import Source
from steps.monitor.failures import EmptyBatch, UnreadableBatch

HOUR = re.compile(r"(\d{4})/(\d{2})/(\d{2})/(\d{2})$")
"""The folder of an hour's data, as data capture names it."""

DESCRIBED_ROWS = 20_000
"""Rows of a JSON file from which its columns are known."""


@dataclass(frozen=True)
class Dataset:
    """Files that aren't empty, their folder, and the names of their columns as the files give them."""

    files: tuple[Path, ...]
    folder: Path
    names: tuple[str, ...]
    types: dict[str, str]

    def source(self, job: Job, names: Sequence[str], kinds: dict[str, str], missing: Sequence[str]) -> Source:
        """Return how to read the files."""
        return Source(
            self.files,
            tuple(names),
            kinds,
            tuple(missing),
            job.format,
            job.header,
            job.json_lines,
            self.types,
            self.folder,
        )


def find(job: Job, expected: Sequence[str] = ()) -> Dataset:
    """Return the dataset of a job.

    Args:
        job: says where the files are and how they are laid out.
        expected: the baseline's columns; none where this is the baseline.

    Raises:
        EmptyBatch: there is no file with content.
        UnreadableBatch: a file has no columns, or not those of the first one.
    """
    files, folder = listed(job)
    if job.format == "parquet":
        return _parquet(files, folder)
    if job.format == "json":
        return Dataset(files, folder, _json_names(files, job.json_lines), {})
    first = _csv_names(files[0], job, expected, folder)
    for file in files[1:]:
        names = _csv_names(file, job, expected, folder)
        if names != first:
            name = _relative(file, folder)
            raise UnreadableBatch(f"{name}: its columns aren't those of {_relative(files[0], folder)}.")
    return Dataset(files, folder, first, {})


def listed(job: Job) -> tuple[tuple[Path, ...], Path]:
    """Return the files with content, sorted by path, and their folder.

    Raises:
        EmptyBatch: there is none.
    """
    folder = job.source.parent if job.source.is_file() else job.source
    files = tuple(file.path for file in common.listed(job.source))
    if not files:
        blank = [] if job.source.is_file() else paths.files_below(job.source)
        which = f": {_relative(blank[0], folder)} is empty" if blank else ""
        more = f", and so are {len(blank) - 1} more" if len(blank) > 1 else ""
        raise EmptyBatch(f"dataset_source: no file with rows in {job.source.name}{which}{more}.")
    files = tuple(file for file in files if within(file, folder, job.start, job.end))
    if not files:
        raise EmptyBatch(f"dataset_source: no file in {job.source.name} is from the time between start and end.")
    return files, folder


def without_marks(job: Job, folder: Path) -> Job:
    """Return the job, or one that reads copies in the folder where JSON files begin with a byte order mark.

    DuckDB reads CSV files with such a mark, but no JSON.
    """
    files, root = listed(job)
    if not any(map(_has_mark, files)):
        return job
    for file in files:
        goal = folder / file.relative_to(root)
        goal.parent.mkdir(parents=True, exist_ok=True)
        if not _has_mark(file):
            goal.symlink_to(file.resolve())
            continue
        with common.opened(common.File(file, _relative(file, root))) as stream, goal.open("wb") as copy:
            stream.seek(len(common.BOM))
            shutil.copyfileobj(stream, copy)
    return replace(job, source=folder / job.source.name if job.source.is_file() else folder)


def _has_mark(file: Path) -> bool:
    with gzip.open(file, "rb") if common.is_gzip(file) else file.open("rb") as stream:
        try:
            return stream.read(len(common.BOM)) == common.BOM
        except (OSError, EOFError, zlib.error):
            return False  # Its reader names what is wrong with it.


def within(file: Path, folder: Path, start: datetime | None, end: datetime | None) -> bool:
    """Whether a file may hold records of a time; only a folder yyyy/mm/dd/hh says anything about it."""
    found = HOUR.search(file.relative_to(folder).parent.as_posix())
    if not found:
        return True
    try:
        hour = datetime(*(int(part) for part in found.groups()), tzinfo=UTC)  # type: ignore[misc]
    except ValueError:
        return True
    return (start is None or hour + timedelta(hours=1) > start) and (end is None or hour < end)


def _relative(file: Path, folder: Path) -> str:
    return file.relative_to(folder).as_posix()


def _csv_names(file: Path, job: Job, expected: Sequence[str], folder: Path) -> tuple[str, ...]:
    """Return the names in a file's first line or, without a header line, _c0, _c1, … as SageMaker calls them."""
    cells = read_errors.first_cells(file, _relative(file, folder))
    name = _relative(file, folder)
    known = {each.lower() for each in expected}
    if not job.header:
        if known & {cell.lower() for cell in cells}:
            raise UnreadableBatch(f"{name}, row 1: a header line where dataset_format says there is none.")
        return tuple(f"_c{i}" for i in range(len(cells)))
    # What isn't a header line is a row, and its cells must not be quoted as names.
    if expected and not known & {cell.lower() for cell in cells}:
        raise UnreadableBatch(f"{name}, row 1: no header line, or one with none of the baseline's columns.")
    if all(map(_is_number, cells)):
        raise UnreadableBatch(f"{name}, row 1: no header line where dataset_format says there is one.")
    return _distinct(tuple(cells), name)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return cell in ("", "?")
    return True


def _distinct(names: tuple[str, ...], file: str) -> tuple[str, ...]:
    for position, name in enumerate(names):
        if not name:
            raise UnreadableBatch(f"{file}, header line: column {position + 1} has no name.")
        if name in names[:position]:
            raise UnreadableBatch(f"{file}, header line: column {name} occurs twice.")
    return names


def _parquet(files: tuple[Path, ...], folder: Path) -> Dataset:
    first: dict[str, str] = {}
    with duckdb_source.connect() as engine:
        for file in files:
            name = _relative(file, folder)
            try:
                found = engine.execute(f"DESCRIBE FROM {duckdb_source.parquet([file])}").fetchall()
            except duckdb.Error:
                raise UnreadableBatch(f"{name}: damaged, cut off, or not a Parquet file.") from None
            types = {str(row[0]): str(row[1]) for row in found}
            if first and types.keys() != first.keys():
                raise UnreadableBatch(f"{name}: its columns aren't those of {_relative(files[0], folder)}.")
            first = first or types
    nested = next((name for name, kind in first.items() if any(sign in kind for sign in ("STRUCT", "[", "MAP"))), None)
    if nested:
        raise UnreadableBatch(f"{_relative(files[0], folder)}, column {nested}: holds nested values.")
    return Dataset(files, folder, tuple(first), first)


def _json_names(files: tuple[Path, ...], lines: bool) -> tuple[str, ...]:
    """Return all keys of the first objects of each file, in order of appearance."""
    names: dict[str, None] = {}
    for file in files:
        for number, content in read_errors.records(file, lines):
            if number > DESCRIBED_ROWS:
                break
            names.update(dict.fromkeys(content))
    if not names:
        raise EmptyBatch(f"{files[0].name}: no row to read.")
    return tuple(names)
