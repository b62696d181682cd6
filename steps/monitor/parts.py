"""A dataset that is spread over hosts: each leaves its part, and a second job merges the parts.

With `S3DataDistributionType: ShardedByS3Key` each host of a processing job sees some of the files, and none sees the
others' results. So a host writes the sketch of its files, the rows drawn from them and where rows may be at fault into
`part-<host>.json`; a second job with the dataset format `monitorPart` reads all of these, and decides. Sketches and
draws merge to what one host would have got from all files.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from steps.common import paths
from steps.monitor import analysis, capture, checks, sample
from steps.monitor.analysis import Seen
from steps.monitor.checks import Check
from steps.monitor.contract import Job
from steps.monitor.failures import BadBaseline, BadSetting, EmptyBatch, UnreadableBatch, read_json
from steps.monitor.sample import Drawn
from steps.monitor.sketch import Column, Moments, Numbers, Table, Texts

PATTERN = "part-*.json"
SHARDED = "ShardedByS3Key"

Rows = list[tuple[str, int, str | None]]


@dataclass
class Part:
    """What one host has seen; a host without a file has seen a table without columns."""

    host: str
    hosts: tuple[str, ...]
    baseline: str
    table: Table
    drawn: list[Drawn]
    rows: dict[str, Rows] = field(default_factory=dict)


def is_sharded(job: Job, files: Path | None = None) -> bool:
    """Whether the dataset's files, or others, are spread over several hosts, as the job's own configuration says."""
    if len(paths.hosts()[1]) < 2 or job.format == "monitorPart":
        return False
    file = paths.root() / "config" / "processingjobconfig.json"
    inputs = json.loads(file.read_text()).get("ProcessingInputs", []) if file.exists() else []
    for each in inputs:
        source = each.get("S3Input") or {}
        place = paths.local(source.get("LocalPath") or "/")
        if source.get("S3DataDistributionType") == SHARDED and (files or job.source).is_relative_to(place):
            return True
    return False


def refuse_sharded(job: Job) -> None:
    """Raise BadSetting where predictions or labels are spread over hosts: none of them could join these."""
    for variable, files in (("dataset_source", job.source), ("ground_truth_source", job.labels)):
        if files and is_sharded(job, files):
            raise BadSetting(f"{variable} is {SHARDED}: a model's quality is judged by one host that has all files.")


def make(job: Job, folder: Path) -> Part:
    """Return this host's part; captured records are unpacked into the folder."""
    host, hosts = paths.hosts()
    part = Part(host, tuple(hosts), identity(job), Table(0), [])
    try:
        job = capture.opened(job, folder)
        if job.constraints is None:
            seen = analysis.read_baseline(job)
            part.table, part.drawn = seen.table, seen.drawn
            return part
        limits, before = analysis.read_limits(job)
        seen = analysis.read_batch(job, before, limits, learn=False)
    except EmptyBatch:
        return part
    part.table, part.drawn = seen.table, seen.drawn
    assert seen.source
    for check in checks.run(seen.table, before, limits):
        if check.at_fault:
            part.rows[key(check)] = analysis.rows_at_fault(check, seen.source, limits)
    return part


def key(check: Check) -> str:
    """Return what a check is known by in every part."""
    return f"{check.kind} {check.feature} {check.sql}"


def identity(job: Job) -> str:
    """Return the hash of the baseline's files, which has to be the same for all parts."""
    digest = hashlib.sha256()
    for file in (job.constraints, job.statistics):
        digest.update(file.read_bytes() if file and file.exists() else b"none")
    return digest.hexdigest()


def merged(job: Job) -> tuple[Seen, dict[str, Rows]]:
    """Return what all hosts have seen together, and where rows may be at fault, in the order of the files.

    Raises:
        UnreadableBatch: a part is missing or isn't one, or the parts don't belong together.
        BadBaseline: the parts were made with another baseline.
    """
    files = sorted(job.source.rglob(PATTERN)) if job.source.is_dir() else [job.source]
    parts = [_read(file) for file in files]
    _require_whole(parts, job)
    tables = [part.table for part in parts if part.table.columns]
    if not tables:
        raise EmptyBatch(f"dataset_source: none of {len(parts)} parts has a row.")
    rows: dict[str, Rows] = {}
    for part in parts:
        for name, found in part.rows.items():
            together = sorted([*rows.get(name, []), *found], key=lambda row: (PurePosixPath(row[0]), row[1]))
            rows[name] = together[: analysis.ROWS_NAMED]
    table = reduce(Table.merged, tables)
    return Seen(table, tuple(table.columns), sample.merged(part.drawn for part in parts)), rows


def _require_whole(parts: list[Part], job: Job) -> None:
    if not parts:
        raise UnreadableBatch(f"dataset_source: no part in {job.source.name}.")
    first = parts[0]
    absent = sorted(set(first.hosts) - {part.host for part in parts})
    if absent:
        raise UnreadableBatch(f"dataset_source: the part of {absent[0]} is missing.")
    for part in parts:
        if part.hosts != first.hosts or sum(part.host == other.host for other in parts) > 1:
            raise UnreadableBatch(f"dataset_source: the parts of {first.host} and {part.host} aren't of one job.")
        if part.baseline != identity(job):
            raise BadBaseline(f"dataset_source: the part of {part.host} was made with another baseline.")
    full = [part for part in parts if part.table.columns]
    for part in full:
        if part.table.columns.keys() != full[0].table.columns.keys():
            raise UnreadableBatch(f"dataset_source: the columns of {part.host} aren't those of {full[0].host}.")
        for name, column in part.table.columns.items():
            if type(column) is not type(full[0].table.columns[name]):
                raise UnreadableBatch(
                    f"dataset_source: column {name} holds numbers on one of {part.host} and {full[0].host}, "
                    f"and text on the other; make this baseline on one host."
                )


def write(part: Part) -> dict[str, Any]:
    """Return a part's JSON."""
    return {
        "host": part.host,
        "hosts": list(part.hosts),
        "baseline": part.baseline,
        "rows": part.table.rows,
        "columns": [{"name": name, **_write(column)} for name, column in part.table.columns.items()],
        "drawn": [[drawn.key, list(drawn.cells)] for drawn in part.drawn],
        "rows_at_fault": part.rows,
    }


def _write(column: Column) -> dict[str, Any]:
    if isinstance(column, Texts):
        return {
            "counts": column.counts,
            "missing": column.missing,
            "distinct": column.distinct,
            "registers": list(column.registers) if column.hashed else None,
        }
    moments = column.moments
    return {
        "keys": column.keys.tolist(),
        "rows": column.counts.tolist(),
        "bits": column.bits,
        "missing": column.missing,
        "mistyped": column.mistyped,
        "fractional": column.fractional,
        "moments": [moments.mean, moments.squares, moments.minimum, moments.maximum] if moments.count else None,
    }


def _read(file: Path) -> Part:
    try:
        content = read_json(file)
        columns = {str(column["name"]): _column(column) for column in content["columns"]}
        return Part(
            str(content["host"]),
            tuple(str(host) for host in content["hosts"]),
            str(content["baseline"]),
            Table(int(content["rows"]), columns),
            [Drawn(float(key), tuple(cells)) for key, cells in content["drawn"]],
            {name: [(str(f), int(r), v) for f, r, v in rows] for name, rows in content["rows_at_fault"].items()},
        )
    except (BadBaseline, KeyError, TypeError, ValueError, AttributeError):
        raise UnreadableBatch(f"{file.name}: not a part that this container wrote.") from None


def _column(content: Mapping[str, Any]) -> Column:
    if "counts" in content:
        counts = {str(value): int(count) for value, count in content["counts"].items()}
        registers = bytes(content["registers"] or ())
        return Texts(counts, int(content["missing"]), int(content["distinct"]), bool(registers), registers)
    keys = np.array(content["keys"], dtype=float)
    rows = np.array(content["rows"], dtype=np.int64)
    moments = Moments()
    if content["moments"]:
        mean, squares, minimum, maximum = map(float, content["moments"])
        moments = Moments(int(rows.sum()), mean, squares, minimum, maximum)
        if not math.isfinite(mean + squares):
            raise ValueError("moments")
    return Numbers(
        keys,
        rows,
        int(content["bits"]),
        int(content["missing"]),
        int(content["mistyped"]),
        moments,
        int(content["fractional"]),
    )


def check(job: Job) -> analysis.Outcome:
    """Return the outcome of a job that merges parts: a new baseline, or a check."""
    seen, rows = merged(job)
    if job.constraints is None:
        return analysis.baseline(seen, job)
    limits, before = analysis.read_limits(job)
    analysis.require_rows(seen.table, job)
    together = analysis.together(seen.drawn, seen.names, before, limits)
    found = checks.run(seen.table, before, limits, together)
    for each in found:
        each.rows = rows.get(key(each), []) if each.violated else []
    return analysis.conclude(seen.table, before, limits, found)
