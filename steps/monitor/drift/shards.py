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
from steps.monitor.contract import Job
from steps.monitor.data import capture, sample
from steps.monitor.data.histograms import Column, Moments, Numbers, Table, Texts
from steps.monitor.data.sample import SampledRow
from steps.monitor.drift import analysis, checks
from steps.monitor.drift.analysis import Scanned
from steps.monitor.drift.checks import Check
from steps.monitor.failures import BadBaseline, BadSetting, EmptyBatch, UnreadableBatch, read_json

PATTERN = "part-*.json"
SHARDED = "ShardedByS3Key"

Rows = list[tuple[str, int, str | None]]


@dataclass
class Shard:
    """What one host has seen; a host without a file has seen a table without columns."""

    host: str
    hosts: tuple[str, ...]
    baseline: str
    table: Table
    sampled: list[SampledRow]
    rows: dict[str, Rows] = field(default_factory=dict)


def is_sharded(job: Job, files: Path | None = None) -> bool:
    """Whether the dataset's files, or others, are spread over several hosts, as the job's own configuration says."""
    if len(paths.hosts()[1]) < 2 or job.format == "monitorPart":
        return False
    file = paths.root() / "config" / "processingjobconfig.json"
    inputs = json.loads(file.read_text()).get("ProcessingInputs", []) if file.exists() else []
    for each in inputs:
        source = each.get("S3Input") or {}
        position = paths.local(source.get("LocalPath") or "/")
        if source.get("S3DataDistributionType") == SHARDED and (files or job.source).is_relative_to(position):
            return True
    return False


def refuse_sharded(job: Job) -> None:
    """Raise BadSetting where predictions or labels are spread over hosts: none of them could join these."""
    for variable, files in (("dataset_source", job.source), ("ground_truth_source", job.labels)):
        if files and is_sharded(job, files):
            raise BadSetting(f"{variable} is {SHARDED}: a model's quality is evaluated by one host that has all files.")


def make(job: Job, folder: Path) -> Shard:
    """Return this host's part; captured records are unpacked into the folder."""
    host, hosts = paths.hosts()
    shard = Shard(host, tuple(hosts), identity(job), Table(0), [])
    try:
        if job.constraints is None:
            job = capture.opened(job, folder)
            scanned = analysis.read_baseline(job)
            shard.table, shard.sampled = scanned.table, scanned.sampled
            return shard
        limits, before = analysis.read_limits(job)
        job = capture.opened(job, folder, analysis.column_names(limits))
        scanned = analysis.read_batch(job, before, limits, learn=False)
    except EmptyBatch:
        return shard
    shard.table, shard.sampled = scanned.table, scanned.sampled
    assert scanned.source
    for check in checks.run(scanned.table, before, limits):
        if check.at_fault:
            shard.rows[key(check)] = analysis.rows_at_fault(check, scanned.source, limits)
    return shard


def key(check: Check) -> str:
    """Return what a check is known by in every part."""
    return f"{check.kind} {check.feature} {check.sql}"


def identity(job: Job) -> str:
    """Return the hash of the baseline's files, which has to be the same for all parts."""
    digest = hashlib.sha256()
    for file in (job.constraints, job.statistics):
        digest.update(file.read_bytes() if file and file.exists() else b"none")
    return digest.hexdigest()


def merged(job: Job) -> tuple[Scanned, dict[str, Rows]]:
    """Return what all hosts have seen together, and where rows may be at fault, in the order of the files.

    Raises:
        UnreadableBatch: a part is missing or isn't one, or the parts don't belong together.
        BadBaseline: the parts were made with another baseline.
    """
    files = sorted(job.source.rglob(PATTERN)) if job.source.is_dir() else [job.source]
    shards = [_read(file) for file in files]
    _require_whole(shards, job)
    tables = [shard.table for shard in shards if shard.table.columns]
    if not tables:
        raise EmptyBatch(f"dataset_source: none of {len(shards)} parts has a row.")
    rows: dict[str, Rows] = {}
    for shard in shards:
        for name, found in shard.rows.items():
            joint_check = sorted([*rows.get(name, []), *found], key=lambda row: (PurePosixPath(row[0]), row[1]))
            rows[name] = joint_check[: analysis.ROWS_NAMED]
    table = reduce(Table.merged, tables)
    return Scanned(table, tuple(table.columns), sample.merged(shard.sampled for shard in shards)), rows


def _require_whole(shards: list[Shard], job: Job) -> None:
    if not shards:
        raise UnreadableBatch(f"dataset_source: no part in {job.source.name}.")
    first = shards[0]
    absent = sorted(set(first.hosts) - {shard.host for shard in shards})
    if absent:
        raise UnreadableBatch(f"dataset_source: the part of {absent[0]} is missing.")
    for shard in shards:
        if shard.hosts != first.hosts or sum(shard.host == other.host for other in shards) > 1:
            raise UnreadableBatch(f"dataset_source: the parts of {first.host} and {shard.host} aren't of one job.")
        if shard.baseline != identity(job):
            raise BadBaseline(f"dataset_source: the part of {shard.host} was made with another baseline.")
    full = [shard for shard in shards if shard.table.columns]
    for shard in full:
        if shard.table.columns.keys() != full[0].table.columns.keys():
            raise UnreadableBatch(f"dataset_source: the columns of {shard.host} aren't those of {full[0].host}.")
        for name, column in shard.table.columns.items():
            if type(column) is not type(full[0].table.columns[name]):
                raise UnreadableBatch(
                    f"dataset_source: column {name} holds numbers on one of {shard.host} and {full[0].host}, "
                    f"and text on the other; make this baseline on one host."
                )


def write(shard: Shard) -> dict[str, Any]:
    """Return a part's JSON."""
    return {
        "host": shard.host,
        "hosts": list(shard.hosts),
        "baseline": shard.baseline,
        "rows": shard.table.rows,
        "columns": [{"name": name, **_write(column)} for name, column in shard.table.columns.items()],
        "drawn": [[sampled.key, list(sampled.cells)] for sampled in shard.sampled],
        "rows_at_fault": shard.rows,
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


def _read(file: Path) -> Shard:
    try:
        content = read_json(file)
        columns = {str(column["name"]): _column(column) for column in content["columns"]}
        return Shard(
            str(content["host"]),
            tuple(str(host) for host in content["hosts"]),
            str(content["baseline"]),
            Table(int(content["rows"]), columns),
            [SampledRow(float(key), tuple(cells)) for key, cells in content["drawn"]],
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
    scanned, rows = merged(job)
    if job.constraints is None:
        return analysis.baseline(scanned, job)
    limits, before = analysis.read_limits(job)
    analysis.require_rows(scanned.table, job)
    joint_check = analysis.joint_check(scanned.sampled, scanned.names, before, limits)
    found = checks.run(scanned.table, before, limits, joint_check)
    for each in found:
        each.rows = rows.get(key(each), []) if each.violated else []
    return analysis.conclude(scanned.table, before, limits, found)
