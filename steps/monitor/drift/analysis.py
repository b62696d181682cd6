"""What the container does with data: suggest constraints from a baseline, and check a batch against them."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np

from steps.common.schema import Schema
from steps.common.text import count
from steps.monitor.contract import Job
from steps.monitor.data import files, sample, scan
from steps.monitor.data.duckdb_source import Source
from steps.monitor.data.histograms import Table
from steps.monitor.data.sample import SampledRow
from steps.monitor.drift import checks, constraints, multivariate, statistics
from steps.monitor.drift.checks import Check
from steps.monitor.failures import BadBaseline, EmptyBatch

ROWS_NAMED = 20
"""How many rows at fault a violation names."""

MAX_NAMED = 12
"""Columns that the verdict's sentence names."""

MAX_STORED_CHECKS = 100
"""Checks that the verdict keeps for later batches' reports; `metrics.json` has all of them."""


@dataclass
class Outcome:
    """Everything the container writes."""

    table: Table
    statistics: dict
    constraints: dict
    message: str
    baseline: Table | None = None
    checks: list[Check] = field(default_factory=list)
    violations: list[dict] = field(default_factory=list)
    verdict: dict = field(default_factory=dict)
    metrics: dict = field(default_factory=dict)


@dataclass
class Scanned:
    """What was read of a dataset.

    Its sketch, its columns, the rows drawn from it, where its files are, if they are here, and what the classifier
    says of the rows, if it was asked.
    """

    table: Table
    names: tuple[str, ...]
    sampled: list[SampledRow]
    source: Source | None = None
    joint_check: Check | None = None


def read_baseline(job: Job) -> Scanned:
    """Read the dataset of a new baseline; the kinds of its columns show in its first rows."""
    dataset = files.find(job)
    kinds = dict.fromkeys(dataset.names, "text")
    source = dataset.source(job, dataset.names, kinds, missing_signs())
    return _look(replace(source, kinds=scan.infer_kinds(source)))


def missing_signs() -> list[str]:
    """Return the cells that mean "missing" in a new baseline."""
    return list(dict.fromkeys(["", Schema.read().missing]))


def read_batch(job: Job, before: Table, limits: dict, *, learn: bool = True) -> Scanned:
    """Read a batch; its columns are the baseline's where their names or, without a header line, their order say so.

    Args:
        job: says where the batch lies.
        before: the baseline's table.
        limits: the baseline's constraints.
        learn: whether the classifier looks at the rows drawn, which it does while the others are read.
    """
    known = column_names(limits)
    dataset = files.find(job, known)
    given = dataset.names
    if job.format == "csv" and not job.header:
        given = (*known[: len(given)], *given[len(known) :])
    kinds = {name: "text" if _is_text(before, name) else "number" for name in given}
    source = dataset.source(job, given, kinds, limits["monitoring_config"]["missing_values"])
    return _look(source, (lambda sampled: joint_check(sampled, given, before, limits)) if learn else None)


Learn = Callable[[list[SampledRow]], Check | None]


def _look(source: Source, learn: Learn | None = None) -> Scanned:
    sampling = _Sampling(source, learn)
    try:
        table = scan.scan(source)
    finally:
        # What is wrong with a file, the scan says better.
        sampling.join()
    if sampling.error:
        raise sampling.error
    return Scanned(table, source.names, sampling.sampled, source, sampling.joint_check)


class _Sampling(threading.Thread):
    """Draws rows, and learns from them, while the table is scanned, which leaves the processors time for it."""

    def __init__(self, source: Source, learn: Learn | None) -> None:
        super().__init__()
        self.sampled: list[SampledRow] = []
        self.joint_check: Check | None = None
        self.error: Exception | None = None
        self._source, self._learn = source, learn
        self.start()

    def run(self) -> None:
        try:
            self.sampled = sample.draw(self._source)
            self.joint_check = self._learn(self.sampled) if self._learn else None
        except Exception as error:
            self.error = error


def baseline(scanned: Scanned, job: Job) -> Outcome:
    """Return a baseline's statistics and the constraints they suggest.

    Raises:
        EmptyBatch: there is no row.
    """
    table = scanned.table
    require_rows(table, job)
    cells = [sampled.cells for sampled in scanned.sampled]
    table.codes = multivariate.codes(cells, scanned.names, table).tolist()
    suggested = constraints.suggest(table, job.drift_method, missing_signs())
    message = f"Completed: a baseline of {count(table.rows, 'row')} and {count(len(table.columns), 'column')}."
    return Outcome(table, statistics.write(table), suggested, message)


def read_limits(job: Job) -> tuple[dict, Table]:
    """Return the constraints and the table of a baseline.

    Raises:
        BadBaseline: they aren't readable, or aren't of one table.
    """
    assert job.constraints and job.statistics
    limits, before = constraints.read(job.constraints), statistics.read(job.statistics)
    if set(column_names(limits)) != set(before.columns):
        raise BadBaseline(f"{job.constraints.name} and {job.statistics.name} don't describe the same columns.")
    return limits, before


def column_names(limits: dict) -> tuple[str, ...]:
    """Return the names of the columns that constraints speak of, in order."""
    return tuple(str(feature["name"]) for feature in limits["features"])


def check(scanned: Scanned, before: Table, limits: dict, job: Job) -> Outcome:
    """Return what a batch violates, and the verdict.

    Raises:
        EmptyBatch: there is no row.
    """
    require_rows(scanned.table, job)
    found = checks.run(scanned.table, before, limits, scanned.joint_check)
    violated = [each for each in found if each.violated]
    if scanned.source:
        for each in violated:
            each.rows = rows_at_fault(each, scanned.source, limits)
    return conclude(scanned.table, before, limits, found)


def joint_check(sampled: Sequence[SampledRow], names: Sequence[str], before: Table, limits: dict) -> Check | None:
    """Return what the classifier says of drawn rows, None where there is too little to learn from.

    Args:
        drawn: rows of the batch.
        names: of their columns.
        before: the baseline's table.
        limits: the baseline's constraints.
    """
    if not before.codes:
        return None
    threshold = float(limits["monitoring_config"]["significance_constraints"]["multivariate_threshold"])
    shared = [position for position, name in enumerate(before.columns) if name in names]
    batch = multivariate.codes([row.cells for row in sampled], names, before)
    rows = np.array(before.codes, dtype=np.int16)
    return multivariate.check(batch[:, shared], rows[:, shared], threshold)


def rows_at_fault(found: Check, source: Source, limits: dict) -> list[tuple[str, int, str | None]]:
    """Return the first rows that a check is about; their values only if the constraints allow it."""
    if not found.sql or found.feature not in source.names:
        return []
    rows = scan.rows_where(source, source.names.index(found.feature), found.sql, ROWS_NAMED)
    if limits["monitoring_config"]["report_values"] == "Enabled":
        return rows
    return [(file, row, None) for file, row, _ in rows]


def conclude(table: Table, before: Table, limits: dict, found: list[Check]) -> Outcome:
    """Return the outcome of the checks: violations, verdict and message."""
    violated = [each for each in found if each.violated]
    summary = sentence(table.rows, violated)
    if not found:
        summary = f"Not checked: {count(table.rows, 'row')}; evaluate_constraints is Disabled."
    verdict = {
        "drift": bool(violated),
        "malformed": any(each.kind in checks.STRUCTURE for each in violated),
        "violation_count": len(violated),
        "sentence": summary,
        "rows": table.rows,
        "analysed_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    metrics = {**verdict, "checks": [_summary(each) for each in found]}
    shown = [each for each in found if each.kind == checks.DRIFT or each.violated]
    verdict["checks"] = [_summary(each) for each in shown[:MAX_STORED_CHECKS]]
    message = f"{'CompletedWithViolations' if violated else 'Completed'}: {summary}"
    violations = [_violation(each) for each in violated]
    return Outcome(table, statistics.write(table), limits, message, before, found, violations, verdict, metrics)


def sentence(rows: int, violated: Sequence[Check]) -> str:
    """Return the verdict in one sentence, without any row's values."""
    if not violated:
        return f"No drift: {count(rows, 'row')} {'is' if rows == 1 else 'are'} like the baseline."
    parts = list(dict.fromkeys(f"{subject(each)} ({each.what})" for each in violated))
    more = f"; and {len(parts) - MAX_NAMED} more" if len(parts) > MAX_NAMED else ""
    named = "; ".join(parts[:MAX_NAMED])
    what = "Malformed" if any(each.kind in checks.STRUCTURE for each in violated) else "Drift"
    return f"{what}: {count(len(violated), 'violation')} in {count(rows, 'row')}: {named}{more}."


def subject(found: Check) -> str:
    """Return what a check is about: a column, the columns together, or the table."""
    if found.feature == checks.WHOLE_TABLE:
        return "the table" if found.what == checks.ROWS else "all columns together"
    return found.feature


def _summary(found: Check) -> dict:
    return {
        "feature_name": found.feature,
        "constraint_check_type": found.kind,
        "what": found.what,
        "violated": found.violated,
        "effect_size": found.effect,
        "effect_size_threshold": found.effect_threshold,
        "p_value": found.p_value,
    }


def _violation(found: Check) -> dict:
    return {
        "feature_name": found.feature,
        "constraint_check_type": found.kind,
        "description": found.sentence,
        "p_value": found.p_value,
        "p_value_threshold": found.p_threshold,
        "effect_size": found.effect,
        "effect_size_threshold": found.effect_threshold,
        "rows": [
            {"file": file, "row": row} | ({} if value is None else {"value": value}) for file, row, value in found.rows
        ],
    }


def _is_text(before: Table, name: str) -> bool:
    column = before.columns.get(name)
    return column is not None and statistics.inferred_type(column) == "String"


def require_rows(table: Table, job: Job) -> None:
    """Raise EmptyBatch where a table has no row."""
    if not table.rows:
        raise EmptyBatch(f"dataset_source: no row in {job.source.name}.")
