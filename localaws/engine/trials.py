"""The training jobs of a tuning job: how they are asked for, what they came to, and how they are counted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from localaws.engine import search
from localaws.engine.kinds import FINAL, TRAINING, TUNING
from localaws.store import Key, Record, Store

CONFIG = "HyperParameterTuningJobConfig"
_IMPROVEMENT = 0.01
"""Share by which a result must be better than the best one to count as better (BestObjectiveNotImproving)."""
MOST_SUMMARIES = 50
"""Training jobs of a tuning step that its properties know (Amazon SageMaker AI developer guide, "Tuning step")."""

_PASSED = (
    "RoleArn",
    "InputDataConfig",
    "VpcConfig",
    "OutputDataConfig",
    "StoppingCondition",
    "EnableNetworkIsolation",
    "EnableInterContainerTrafficEncryption",
    "EnableManagedSpotTraining",
    "RetryStrategy",
    "Environment",
    "AlgorithmSpecification",
)
_SUMMARY = (
    "TrainingJobName",
    "TrainingJobArn",
    "CreationTime",
    "TrainingStartTime",
    "TrainingEndTime",
    "TrainingJobStatus",
    "FailureReason",
)


def children(store: Store, tuning: Key) -> list[Record]:
    """The training jobs that a tuning job launched, in the order of their launch."""
    return store.select(
        "kind=? AND account=? AND region=? AND parent=?",
        (TRAINING.kind, tuning.account, tuning.region, tuning.name),
    )


def ranges(config: dict[str, Any], definition: dict[str, Any]) -> dict[str, Any]:
    """The ParameterRanges of a training job definition, which may stand beside it."""
    return definition.get("HyperParameterRanges") or config.get("ParameterRanges", {})


def objective(config: dict[str, Any], definition: dict[str, Any]) -> dict[str, str]:
    """What a training job definition is judged by: {"Type", "MetricName"}."""
    return definition.get("TuningObjective") or config["HyperParameterTuningJobObjective"]


def summary(child: Record) -> dict[str, Any]:
    """A HyperParameterTrainingJobSummary."""
    body, value = child.body, value_of(child)
    found = {member: body[member] for member in _SUMMARY if member in body}
    found |= {"TunedHyperParameters": body["_tuned"], "TuningJobName": body["_tuning"]}
    if body.get("_definition"):
        found["TrainingJobDefinitionName"] = body["_definition"]
    if value is not None:
        found["FinalHyperParameterTuningJobObjectiveMetric"] = body["_objective"] | {"Value": value}
    found["ObjectiveStatus"] = _objective_status(child)
    return found


def counters(launched: Sequence[Record]) -> dict[str, Any]:
    """TrainingJobStatusCounters and ObjectiveStatusCounters."""
    retryable = sum(_internal(child) for child in launched)
    jobs = {
        "Completed": sum(child.status == "Completed" for child in launched),
        "InProgress": sum(child.status not in FINAL for child in launched),
        "RetryableError": retryable,
        "NonRetryableError": sum(child.status == "Failed" for child in launched) - retryable,
        "Stopped": sum(child.status == "Stopped" for child in launched),
    }
    statuses = [_objective_status(child) for child in launched]
    objectives = {status: statuses.count(status) for status in ("Succeeded", "Pending", "Failed")}
    return {"TrainingJobStatusCounters": jobs, "ObjectiveStatusCounters": objectives}


def count(job: Record, launched: Sequence[Record]) -> None:
    """Bring a tuning job's counters and best training job up to date."""
    job.body |= counters(launched)
    results = [child for child in launched if value_of(child) is not None]
    if results:
        job.body["BestTrainingJob"] = summary(min(results, key=loss))
    job.body["TuningJobCompletionDetails"] = {"NumberOfTrainingJobsObjectiveNotImproving": _stale(results)}


def best_first(store: Store, tuning: Key) -> list[dict[str, Any]]:
    """Summaries of the training jobs that have a result, the best first: the step's TrainingJobSummaries."""
    results = [child for child in children(store, tuning) if value_of(child) is not None]
    return [summary(child) for child in sorted(results, key=loss)][:MOST_SUMMARIES]


def _stale(results: Sequence[Record]) -> int:
    """How many results in a row, in the order of their end, were not better than the best before by 1 %."""
    best, stale = math.inf, 0
    for child in sorted(results, key=lambda child: child.body.get(TRAINING.end_time, 0)):
        found = loss(child)
        if best == math.inf or best - found > _IMPROVEMENT * abs(best):
            best, stale = found, 0
        else:
            stale += 1
    return stale


def value_of(child: Record) -> float | None:
    """The final objective metric; None for a training job that has none to be used."""
    if child.status not in ("Completed", "Stopped"):
        return None
    name = child.body["_objective"]["MetricName"]
    values = [item["Value"] for item in child.body.get("FinalMetricDataList", []) if item["MetricName"] == name]
    if not values and child.body.get("_curve"):
        values = child.body["_curve"]
    return values[-1] if values and math.isfinite(values[-1]) else None


def loss(child: Record) -> float:
    """The final objective metric as something to be made small; infinite where there is none."""
    value = value_of(child)
    return math.inf if value is None else signed(child, value)


def signed(child: Record, value: float) -> float:
    """A value of a training job's objective metric as something to be made small."""
    return -value if child.body["_objective"]["Type"] == "Maximize" else value


def _objective_status(child: Record) -> str:
    if child.status not in FINAL:
        return "Pending"
    return "Failed" if value_of(child) is None else "Succeeded"


def _internal(child: Record) -> bool:
    return child.status == "Failed" and child.body.get("FailureReason", "").startswith("InternalServerError")


def tuning_key(child: Record) -> Key:
    """The key of the tuning job that launched a training job."""
    return Key(TUNING.kind, child.key.account, child.key.region, child.body["_tuning"])


def turn(job: Record, number: int) -> tuple[dict[str, Any], int]:
    """Whose turn it is among the definitions, and how many it has had: in turns, a Grid one after the other."""
    config = job.body[CONFIG]
    definitions = job.body.get("TrainingJobDefinitions") or [job.body["TrainingJobDefinition"]]
    if config["Strategy"] != "Grid":
        return definitions[number % len(definitions)], number // len(definitions)
    for definition in definitions:
        size = int(search.combinations(search.axes(ranges(config, definition))))
        if number < size:
            return definition, number
        number -= size
    raise AssertionError("the grid is used up")


def request_for(
    job: Record, definition: dict[str, Any], goal: dict[str, str], name: str, point: dict[str, str]
) -> dict[str, Any]:
    """CreateTrainingJob's request for one point."""
    request = {member: definition[member] for member in _PASSED if member in definition}
    fixed = definition.get("StaticHyperParameters", {})
    request |= {
        "TrainingJobName": name,
        "HyperParameters": {**fixed, **point, "_tuning_objective_metric": goal["MetricName"]},
        "ResourceConfig": definition.get("ResourceConfig") or _resources(definition),
    }
    if "CheckpointConfig" in definition:
        # Training jobs of one tuning job must not take over one another's checkpoints.
        config = definition["CheckpointConfig"]
        request["CheckpointConfig"] = config | {"S3Uri": f"{config['S3Uri'].rstrip('/')}/{name}"}
    if job.body.get("_tags"):
        request["Tags"] = job.body["_tags"]
    return request


def _resources(definition: dict[str, Any]) -> dict[str, Any]:
    """The instances of HyperParameterTuningResourceConfig, the preferred ones first."""
    config = definition["HyperParameterTuningResourceConfig"]
    chosen = config["InstanceConfigs"][0] if "InstanceConfigs" in config else config
    members = ("InstanceType", "InstanceCount", "VolumeSizeInGB")
    found = {member: chosen[member] for member in members if member in chosen}
    if "VolumeKmsKeyId" in config:
        found["VolumeKmsKeyId"] = config["VolumeKmsKeyId"]
    return found
