"""Earlier results of steps that would do the same again."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from localaws.definition import Step

if TYPE_CHECKING:
    from localaws.application import Application
    from localaws.store import Record

# "Default cache key attributes by pipeline step type" of the SageMaker developer guide; the training job
# definition of a tuning step counts by some of its members only.
_ATTRIBUTES = {
    "Processing": ("AppSpecification", "Environment", "ProcessingInputs"),
    "Training": (
        "AlgorithmSpecification",
        "CheckpointConfig",
        "DebugHookConfig",
        "DebugRuleConfigurations",
        "Environment",
        "HyperParameters",
        "InputDataConfig",
    ),
    "Tuning": ("HyperParameterTuningJobConfig", "TrainingJobDefinition", "TrainingJobDefinitions"),
    "Transform": ("DataProcessing", "Environment", "ModelName", "TransformInput"),
}
_TUNED = (
    "AlgorithmSpecification",
    "HyperParameterRanges",
    "InputDataConfig",
    "StaticHyperParameters",
    "TuningObjective",
)
_CHECKS = (
    "SkipCheck",
    "RegisterNewBaseline",
    "ModelPackageGroupName",
    "SuppliedBaselineConstraints",
    "SuppliedBaselineStatistics",
)


def key(pipeline: str, step: Step, arguments: dict[str, Any], settings: dict[str, Any]) -> str:
    """The signature of a step with its resolved arguments."""
    chosen: dict[str, Any] = arguments
    if step.type in _ATTRIBUTES:
        chosen = {name: arguments[name] for name in _ATTRIBUTES[step.type] if name in arguments}
    if isinstance(chosen.get("TrainingJobDefinition"), dict):
        tuned = chosen["TrainingJobDefinition"]
        chosen["TrainingJobDefinition"] = {name: tuned[name] for name in _TUNED if name in tuned}
    if step.type in ("QualityCheck", "ClarifyCheck"):
        chosen = chosen | {name: settings[name] for name in _CHECKS if name in settings}
    if step.type in ("Lambda", "Callback"):
        chosen = {
            "Arguments": arguments,
            "Settings": {k: v for k, v in settings.items() if k != "CacheConfig"},
        }
    text = json.dumps([pipeline, step.name, step.type, chosen], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def find(app: Application, step: Step, signature: str) -> dict[str, Any] | None:
    """The newest successful result with this signature that hasn't expired."""
    config = step.cache_config
    if config is None or not config.enabled:
        return None
    age = config.expire_after.total_seconds() if config.expire_after else float("inf")
    rows = app.store.rows(
        "SELECT body FROM cache WHERE key=? AND created >= ?", signature, app.clock.now() - min(age, 1e12)
    )
    return json.loads(rows[0][0]) if rows else None


def keep(app: Application, execution: Record, step: Record) -> None:
    """Remember a step's result (inside a transaction)."""
    signature = step.body.get("_signature")
    if signature is None or step.body.get("CacheHitResult"):
        return
    body = {
        "Source": execution.body["PipelineExecutionArn"],
        "Metadata": step.body.get("Metadata", {}),
        "Properties": step.body.get("_properties", {}),
    }
    app.store.write(
        "INSERT OR REPLACE INTO cache VALUES(?,?,?,?,?)",
        signature,
        app.clock.now(),
        execution.key.name,
        step.body["StepName"],
        json.dumps(body),
    )
