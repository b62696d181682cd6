"""The two things the container does: suggest constraints from a baseline, and check a batch against them."""

from dataclasses import dataclass, field

from steps.common import paths
from steps.common.schema import Schema
from steps.monitor import checks, constraints, scan, statistics
from steps.monitor.checks import Check
from steps.monitor.contract import Job
from steps.monitor.failures import BadBaseline, EmptyBatch, UnreadableBatch
from steps.monitor.sketch import Table

ROWS_NAMED = 20
"""How many rows at fault a violation names."""


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


def baseline(job: Job) -> Outcome:
    """Return a baseline's statistics and the constraints they suggest."""
    files = _files(job)
    signs = tuple(dict.fromkeys(["", Schema.read().missing]))
    cells = scan.first_line(files[0])
    names = cells if job.header else [f"_c{i}" for i in range(len(cells))]
    kinds = scan.infer_kinds(files[0], names, signs, job.header)
    table = scan.scan(scan.Source(files, tuple(names), kinds, signs, job.header))
    _require_rows(job, table)
    suggested = constraints.suggest(table)
    suggested["monitoring_config"]["missing_values"] = list(signs)
    message = f"Completed: a baseline of {table.rows} rows and {len(table.columns)} columns."
    return Outcome(table, statistics.write(table), suggested, message)


def check(job: Job) -> Outcome:
    """Return what a batch violates, and the verdict."""
    assert job.constraints and job.statistics
    limits = constraints.read(job.constraints)
    before = statistics.read(job.statistics)
    names = [str(feature["name"]) for feature in limits["features"]]
    if set(names) != set(before.columns):
        raise BadBaseline(f"{job.constraints.name} and {job.statistics.name} don't describe the same columns.")
    source, table = read_batch(job, names, before, tuple(limits["monitoring_config"]["missing_values"]))
    found = checks.run(table, before, limits)
    violated = [each for each in found if each.violated]
    for each in violated:
        if each.sql and each.feature in source.names:
            each.rows = scan.rows_where(source, source.names.index(each.feature), each.sql, ROWS_NAMED)
    verdict = {
        "drift": bool(violated),
        "violation_count": len(violated),
        "sentence": sentence(table.rows, violated),
        "rows": table.rows,
    }
    message = f"{'CompletedWithViolations' if violated else 'Completed'}: {verdict['sentence']}"
    return Outcome(
        table,
        statistics.write(table),
        limits,
        message,
        before,
        found,
        [_violation(v) for v in violated],
        verdict,
    )


def read_batch(job: Job, names: list[str], before: Table, signs: tuple[str, ...]) -> tuple[scan.Source, Table]:
    """Return the batch's sketch; its columns are the baseline's where their names or their number say so."""
    files = _files(job)
    cells = scan.first_line(files[0])
    if not job.header and {cell.lower() for cell in cells} & {name.lower() for name in names}:
        raise UnreadableBatch(f"{files[0].name}, row 1: a header line where dataset_format says there is none.")
    unnamed = [*names[: len(cells)], *(f"_c{i}" for i in range(len(names), len(cells)))]
    given = cells if job.header else unnamed
    kinds = {name: "text" if _is_text(before, name) else "number" for name in given}
    source = scan.Source(files, tuple(given), kinds, signs, job.header)
    table = scan.scan(source)
    _require_rows(job, table)
    return source, table


def sentence(rows: int, violated: list[Check]) -> str:
    """Return the verdict in one sentence, without any row's values."""
    if not violated:
        return f"No drift: {rows} rows are like the baseline."
    what = {
        "baseline_drift_check": "distribution",
        "completeness_check": "completeness",
        "data_type_check": "type",
        "categorical_values_check": "values outside the domain",
        "missing_column_check": "missing column",
        "extra_column_check": "extra column",
    }
    parts = "; ".join(dict.fromkeys(f"{each.feature} ({what[each.kind]})" for each in violated))
    return f"Drift: {len(violated)} violation{'s' * (len(violated) > 1)} in {rows} rows: {parts}."


def _violation(check: Check) -> dict:
    return {
        "feature_name": check.feature,
        "constraint_check_type": check.kind,
        "description": check.sentence,
        "p_value": check.p_value,
        "p_value_threshold": check.p_threshold,
        "effect_size": check.effect,
        "effect_size_threshold": check.effect_threshold,
        "rows": [{"file": file, "row": row} for file, row in check.rows],
    }


def _is_text(before: Table, name: str) -> bool:
    column = before.columns.get(name)
    return column is not None and statistics.inferred_type(column) == "String"


def _files(job: Job) -> tuple:
    files = (job.source,) if job.source.is_file() else tuple(paths.files_below(job.source))
    files = tuple(file for file in files if file.stat().st_size)
    if not files:
        raise EmptyBatch(f"dataset_source: no file with rows in {job.source.name}.")
    return files


def _require_rows(job: Job, table: Table) -> None:
    if not table.rows:
        raise EmptyBatch(f"dataset_source: no row in {job.source.name}.")
