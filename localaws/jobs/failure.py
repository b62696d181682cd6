"""How a job that can't succeed says so."""

from __future__ import annotations

MAX_REASON = 1024
"""Characters of a FailureReason or an ExitMessage (botocore's shapes)."""


ALGORITHM_FAILED = "AlgorithmError: See job logs for more information"
"""All that SageMaker says of a processing or transform container that failed."""


def out_of_memory(data: str) -> str:
    """Return SageMaker's sentence for a container that used too much memory; `data` is what it worked on."""
    return (
        f"ClientError: Please use an instance type with more memory, or reduce the size of {data} data processed on an "
        "instance."
    )


class JobFailed(Exception):
    """The job ends as Failed; the text is its FailureReason."""


class JobStopped(Exception):
    """The job was asked to stop before it had an outcome of its own."""
