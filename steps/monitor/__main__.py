"""Entry point of the monitor image: SageMaker Model Monitor's container contract, and a report to look at."""

import json
import sys
import tempfile
from pathlib import Path

from steps.common import failure, log
from steps.common.atomic import write_all
from steps.monitor import analysis, capture, contract, history, report
from steps.monitor.contract import Job


@failure.entry_point(failure.message_file)
def main() -> int:
    """Suggest constraints from a baseline or, where there are constraints, hold a batch against them."""
    job = contract.read()
    with tempfile.TemporaryDirectory(prefix="monitor-") as folder:
        if job.format == "sagemakerCaptureJson":
            job = capture.unpack(job, Path(folder))
        earlier = history.read(job.earlier)
        outcome = data_quality(job)
    _write(job, outcome, earlier)
    failure.leave(outcome.message, failure.message_file())
    log.info(report.summary(outcome))
    return 0


def data_quality(job: Job) -> analysis.Outcome:
    """Return the outcome for a dataset of files."""
    if job.constraints is None:
        return analysis.baseline(analysis.read_baseline(job), job)
    limits, before = analysis.read_limits(job)
    return analysis.check(analysis.read_batch(job, before, limits), before, limits, job)


def _write(job: Job, outcome: analysis.Outcome, earlier: list[history.Batch]) -> None:
    contents = {"statistics.json": outcome.statistics, "constraints.json": outcome.constraints}
    if job.constraints is not None:
        contents["constraint_violations.json"] = {"violations": outcome.violations}
        contents["verdict.json"] = outcome.verdict
        contents["metrics.json"] = outcome.metrics
    files: dict = {job.output / name: _json(content) for name, content in contents.items()}
    write_all(files | {job.output / "report.html": report.render(outcome, earlier)})


def _json(content: dict) -> str:
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


if __name__ == "__main__":
    sys.exit(main())
