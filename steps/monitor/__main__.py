"""Entry point of the monitor image: SageMaker Model Monitor's container contract, and a report to look at."""

import json
import tempfile
from pathlib import Path

from steps.common import failure, log, paths
from steps.common.atomic import write_all
from steps.common.ending import end
from steps.common.text import count
from steps.monitor import contract
from steps.monitor.contract import Job
from steps.monitor.data import capture, duckdb_source
from steps.monitor.drift import analysis, shards
from steps.monitor.report import cloudwatch, drift_page, history


@failure.entry_point(failure.message_file)
def main() -> int:
    """Suggest constraints from a baseline or, where there are constraints, compare a batch with them."""
    job = contract.read()
    host, hosts = paths.hosts()
    if job.analysis == contract.MODEL_QUALITY:
        shards.refuse_sharded(job)
        return _model_quality(job) if host == hosts[0] else _leave_to(hosts[0], host)
    with tempfile.TemporaryDirectory(prefix="monitor-") as folder:
        if shards.is_sharded(job):
            return _leave_shard(job, shards.make(job, Path(folder)))
        if host != hosts[0]:
            return _leave_to(hosts[0], host)
        earlier = history.read(job.earlier)
        outcome = _outcome(job, Path(folder))
    _write(job, outcome, earlier)
    failure.leave(outcome.message, failure.message_file())
    log.info(drift_page.summary(outcome))
    if cloudwatch.wanted(job, outcome):
        log.info(cloudwatch.embedded(job, outcome.table.rows, len(outcome.violations)))
    return 0


def _leave_to(first: str, host: str) -> int:
    log.info(f"{host}: every host has all files, and {first} looks at them.")
    return 0


def _model_quality(job: Job) -> int:
    # Imported here only: the other jobs start faster without it.
    from steps.monitor.quality import evaluation
    from steps.monitor.report import quality_page

    outcome = evaluation.run(job)
    files: dict = {job.output / name: _json(content) for name, content in outcome.files.items()}
    files[job.output / "report.html"] = quality_page.render(outcome)
    violations = len(outcome.files["constraint_violations.json"]["violations"])
    if job.publish_metrics:
        files[cloudwatch.file()] = cloudwatch.quality_lines(job, outcome.metrics, violations)
    write_all(files)
    failure.leave(outcome.message, failure.message_file())
    log.info(outcome.message)
    if job.publish_metrics:
        log.info(cloudwatch.embedded(job, outcome.files["verdict.json"]["rows"], violations))
    return 0


def _outcome(job: Job, folder: Path) -> analysis.Outcome:
    if job.format == "monitorPart":
        return shards.check(job)
    if job.constraints is None:
        job = capture.opened(job, folder)
        return analysis.baseline(analysis.read_baseline(job), job)
    limits, before = analysis.read_limits(job)
    job = capture.opened(job, folder, analysis.column_names(limits))
    return analysis.check(analysis.read_batch(job, before, limits), before, limits, job)


def _leave_shard(job: Job, shard: shards.Shard) -> int:
    write_all({job.output / f"part-{shard.host}.json": _json(shards.write(shard))})
    message = f"Completed: the part of {shard.host}, {count(shard.table.rows, 'row')}."
    failure.leave(message, failure.message_file())
    log.info(message)
    return 0


def _write(job: Job, outcome: analysis.Outcome, earlier: list[history.Batch]) -> None:
    contents = {"statistics.json": outcome.statistics, "constraints.json": outcome.constraints}
    if job.constraints is not None:
        contents["constraint_violations.json"] = {"violations": outcome.violations}
        contents["verdict.json"] = outcome.verdict
        contents["metrics.json"] = outcome.metrics
    files: dict = {job.output / name: _json(content) for name, content in contents.items()}
    files[job.output / "report.html"] = drift_page.render(outcome, earlier)
    if cloudwatch.wanted(job, outcome):
        files[cloudwatch.file()] = cloudwatch.lines(job, outcome)
    write_all(files)


def _json(content: dict) -> str:
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


if __name__ == "__main__":
    code = main()
    duckdb_source.remove_spilled()
    end(code)
