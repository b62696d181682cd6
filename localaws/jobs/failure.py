"""How a job that can't succeed says so."""

from __future__ import annotations

MAX_REASON = 1024
"""Characters of a FailureReason or an ExitMessage (botocore's shapes)."""


ALGORITHM_FAILED = "AlgorithmError: See job logs for more information"
"""All that SageMaker says of a processing or transform container that failed."""


OUT_OF_MEMORY = (
    "ClientError: Please use an instance type with more memory, or reduce the size of job data processed on an "
    "instance."
)
"""What SageMaker says of a container that was killed because it used too much memory."""


class JobFailed(Exception):
    """The job ends as Failed; the text is its FailureReason."""


class JobStopped(Exception):
    """The job was asked to stop before it had an outcome of its own."""
