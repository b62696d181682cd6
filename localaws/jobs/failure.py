"""How a job that can't succeed says so."""

from __future__ import annotations

MAX_REASON = 1024
"""Characters of a FailureReason or an ExitMessage (botocore's shapes)."""


class JobFailed(Exception):
    """The job ends as Failed; the text is its FailureReason."""


class JobStopped(Exception):
    """The job was asked to stop before it had an outcome of its own."""
