"""QualityCheck and ClarifyCheck steps: a processing job with the analyzer's environment, and its baselines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localaws.definition import Step
from localaws.store import Record

if TYPE_CHECKING:
    from localaws.application import Application
    from localaws.engine.steps import Turn


def check_request(turn: Turn) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """The processing job of a check step (None when the check is skipped) and the step's metadata."""
    arguments = dict(turn.arguments)
    settings = {name: turn.setting(name) for name in turn.step.settings}
    metadata = {
        "CheckType": settings.get("CheckType"),
        "ModelPackageGroupName": settings.get("ModelPackageGroupName"),
        "SkipCheck": bool(settings.get("SkipCheck", False)),
        "RegisterNewBaseline": bool(settings.get("RegisterNewBaseline", False)),
    }
    metadata = {name: value for name, value in metadata.items() if value is not None}
    return arguments, metadata


def check_properties(
    app: Application, execution: Record, step: Step, record: Record, job: Record, failure: str | None
) -> tuple[str, str | None, dict[str, Any]]:
    """A check step's status, failure reason and properties once its job has ended."""
    outputs = job.body.get("ProcessingOutputConfig", {}).get("Outputs", [])
    uri = outputs[0]["S3Output"]["S3Uri"].rstrip("/") if outputs else ""
    properties = {
        "CalculatedBaselineStatistics": f"{uri}/statistics.json",
        "CalculatedBaselineConstraints": f"{uri}/constraints.json",
        "BaselineUsedForDriftCheckStatistics": f"{uri}/statistics.json",
        "BaselineUsedForDriftCheckConstraints": f"{uri}/constraints.json",
    }
    return ("Failed" if failure else "Succeeded"), failure, properties
