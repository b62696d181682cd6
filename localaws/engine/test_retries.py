import pytest

from localaws.definition import RetryPolicy
from localaws.engine import retries

SERVICE = ("Step.SERVICE_FAULT", "Step.THROTTLING")
JOB = ("SageMaker.JOB_INTERNAL_ERROR",)


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        ("InternalServerError: We encountered an internal error.", "SageMaker.JOB_INTERNAL_ERROR"),
        ("CapacityError: Unable to provision", "SageMaker.CAPACITY_ERROR"),
        ("ResourceLimitExceeded: The account-level service limit", "SageMaker.RESOURCE_LIMIT"),
        ("ThrottlingException: Rate exceeded", "Step.THROTTLING"),
        ("InternalFailure", "Step.SERVICE_FAULT"),
        ("ServiceUnavailable", "Step.SERVICE_FAULT"),
        ("AlgorithmError: exit code 1", None),
        ("ClientError: InternalServerError", None),
        ("", None),
    ],
)
def test_a_failure_s_first_word_says_its_kind(failure, kind):
    assert retries.exception_type(failure) == kind


def test_pauses_grow_until_the_attempts_are_used_up():
    policy = [RetryPolicy(JOB, interval_seconds=2, backoff_rate=3, max_attempts=4)]
    found = [retries.wait(policy, "InternalServerError", attempts, 0) for attempts in range(1, 6)]
    assert found == [2, 6, 18, None, None]


def test_attempts_end_when_the_next_would_begin_too_late():
    policy = [RetryPolicy(JOB, interval_seconds=30, backoff_rate=1, expire_after_minutes=1)]
    assert retries.wait(policy, "InternalServerError", 1, 0) == 30
    assert retries.wait(policy, "InternalServerError", 2, 30) == 30
    assert retries.wait(policy, "InternalServerError", 2, 31) is None


def test_the_first_policy_that_names_the_kind_decides():
    policies = [
        RetryPolicy(SERVICE, interval_seconds=1, max_attempts=5),
        RetryPolicy(JOB, interval_seconds=7, max_attempts=2),
        RetryPolicy(JOB, interval_seconds=9, max_attempts=9),
    ]
    assert retries.wait(policies, "InternalServerError", 1, 0) == 7
    assert retries.wait(policies, "InternalServerError", 2, 0) is None
    assert retries.wait(policies, "ThrottlingException", 1, 0) == 1


def test_what_no_policy_names_is_not_tried_again():
    policies = [RetryPolicy(SERVICE, max_attempts=5)]
    assert retries.wait(policies, "InternalServerError", 1, 0) is None
    assert retries.wait(policies, "AlgorithmError", 1, 0) is None
    assert retries.wait([], "InternalServerError", 1, 0) is None
