"""Entry point of the monitor image: SageMaker Model Monitor's container contract, and a report to look at."""

import json
import sys

from steps.common import failure, log
from steps.common.atomic import write_all
from steps.monitor import analysis, contract, report
from steps.monitor.contract import Job


@failure.entry_point(failure.message_file)
def main() -> int:
    """Suggest constraints from a baseline or, where there are constraints, hold a batch against them."""
    job = contract.read()
    outcome = analysis.baseline(job) if job.constraints is None else analysis.check(job)
    _write(job, outcome)
    failure.leave(outcome.message, failure.message_file())
    log.info(report.summary(outcome))
    return 0


def _write(job: Job, outcome: analysis.Outcome) -> None:
    contents = {"statistics.json": outcome.statistics, "constraints.json": outcome.constraints}
    if job.constraints is not None:
        contents["constraint_violations.json"] = {"violations": outcome.violations}
        contents["verdict.json"] = outcome.verdict
    files: dict = {job.output / name: _json(content) for name, content in contents.items()}
    write_all(files | {job.output / "report.html": report.render(outcome)})


def _json(content: dict) -> str:
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


if __name__ == "__main__":
    sys.exit(main())
