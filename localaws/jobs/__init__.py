"""What jobs do: bring files to their containers, run these, and bring back what they leave."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from localaws.contract import JobContext, JobKind, Outcome
from localaws.jobs import processing, training, transform
from localaws.jobs.failure import MAX_REASON, JobFailed, JobStopped
from localaws.runtimes import CannotRun

__all__ = ["JobFailed", "JobStopped", "run"]

_RUN: dict[str, Callable[[dict[str, Any], JobContext], Outcome]] = {
    "ProcessingJob": processing.run,
    "TrainingJob": training.run,
    "TransformJob": transform.run,
}


def run(kind: JobKind, body: dict[str, Any], context: JobContext) -> Outcome:
    """Run a job to its end.

    `body` is the Create… request, as Describe… shows it. Everything that the job or its caller did wrong is in the
    outcome; what this raises is a fault of localaws.
    """
    # Nothing that a container leaves there can change what the folder's own path means.
    context = replace(context, folder=Path(os.path.realpath(context.folder)))
    try:
        return _RUN[kind](body, context)
    except JobStopped:
        return Outcome("Stopped")
    except JobFailed as error:
        return Outcome("Failed", failure_reason=str(error)[:MAX_REASON])
    except CannotRun as error:
        return Outcome("Failed", failure_reason=f"ClientError: {error}"[:MAX_REASON])
