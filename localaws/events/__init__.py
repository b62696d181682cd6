"""The events that SageMaker sends to EventBridge, and their way to the targets of rules."""

from localaws.events.shapes import (
    execution_changed,
    job_changed,
    model_changed,
    package_changed,
    step_changed,
)

__all__ = ["execution_changed", "job_changed", "model_changed", "package_changed", "step_changed"]
