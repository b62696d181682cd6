"""SageMaker's operations, each answered by one function."""

from localaws.api import executions, jobs, models, packages, pipelines, tags, tuning  # noqa: F401
from localaws.api.call import Call, answered, answers, handler

__all__ = ["Call", "answered", "answers", "handler"]
