"""Whether and when a failed step is tried again."""

from __future__ import annotations

from collections.abc import Sequence

from localaws.definition import RetryPolicy

SERVICE_FAULT = "Step.SERVICE_FAULT"
THROTTLING = "Step.THROTTLING"
JOB_INTERNAL_ERROR = "SageMaker.JOB_INTERNAL_ERROR"
CAPACITY_ERROR = "SageMaker.CAPACITY_ERROR"
RESOURCE_LIMIT = "SageMaker.RESOURCE_LIMIT"

_BEGINNINGS = {
    "InternalServerError": JOB_INTERNAL_ERROR,
    "CapacityError": CAPACITY_ERROR,
    "ResourceLimitExceeded": RESOURCE_LIMIT,
    "ThrottlingException": THROTTLING,
    "InternalFailure": SERVICE_FAULT,
    "ServiceUnavailable": SERVICE_FAULT,
}


def exception_type(failure: str) -> str | None:
    """The exception type that retry policies know for a failure's reason, by the reason's first word."""
    return next((kind for word, kind in _BEGINNINGS.items() if failure.startswith(word)), None)


def wait(policies: Sequence[RetryPolicy], failure: str, attempts: int, elapsed: float) -> float | None:
    """Seconds until the next attempt, or None when there is none.

    `attempts` have been made, the first of them `elapsed` seconds ago.
    """
    kind = exception_type(failure)
    for policy in policies:
        if kind is None or kind not in policy.exception_types:
            continue
        pause = policy.interval_seconds * policy.backoff_rate ** (attempts - 1)
        if policy.max_attempts is not None and attempts >= policy.max_attempts:
            return None
        if policy.expire_after_minutes is not None and elapsed + pause > policy.expire_after_minutes * 60:
            return None
        return pause
    return None
