"""Hyperparameter tuning jobs: create, describe, list, stop, and the training jobs that they launched."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

from localaws.access import roles
from localaws.api.call import Call, answers
from localaws.api.jobs import create, delete, find, stop
from localaws.api.listing import page
from localaws.engine import trials
from localaws.engine.kinds import TUNING
from localaws.engine.search import Axis, InvalidRanges, axes, combinations
from localaws.errors import InUse, Invalid

_BUILT_IN = re.compile(r"/(sagemaker-)?xgboost:")


@answers("CreateHyperParameterTuningJob")
def create_hyper_parameter_tuning_job(call: Call) -> dict[str, Any]:
    """Begin a tuning job; what localaws can't do is refused here, by name."""
    request, config = call.request, call.request["HyperParameterTuningJobConfig"]
    name = request[TUNING.name]
    if call.app.store.get(call.key(TUNING.kind, name)):
        raise InUse(f"A hyperparameter tuning job with the name, {name}, already exists. Choose a different name.")
    _refuse_unsupported(request, config)
    definitions = _definitions(request, config)
    for definition in definitions:
        roles.require_service_role(call, definition["RoleArn"])
    _limits(config, [_space(config, definition, config["Strategy"]) for definition in definitions])
    with call.app.store.transaction() as store:
        answer = create(call, TUNING)
        record = find(call, TUNING)
        record.body |= trials.counters([]) | {"_launched": 0, "_tags": request.get("Tags")}
        store.put(record)
    return answer


@answers("DescribeHyperParameterTuningJob")
def describe_hyper_parameter_tuning_job(call: Call) -> dict[str, Any]:
    """A tuning job by its name, with its counters and its best training job."""
    return find(call, TUNING).body


@answers("ListHyperParameterTuningJobs")
def list_hyper_parameter_tuning_jobs(call: Call) -> dict[str, Any]:
    """The account's tuning jobs, by name unless asked otherwise."""
    call.request.setdefault("SortBy", "Name")
    found = page(call, "HyperParameterTuningJobSummaries", TUNING.kind, order="Ascending")
    for body in found["HyperParameterTuningJobSummaries"]:
        config = body["HyperParameterTuningJobConfig"]
        body |= {"Strategy": config["Strategy"], "ResourceLimits": config["ResourceLimits"]}
    return found


@answers("ListTrainingJobsForHyperParameterTuningJob")
def list_training_jobs_for_hyper_parameter_tuning_job(call: Call) -> dict[str, Any]:
    """The training jobs that a tuning job launched."""
    request, job = call.request, find(call, TUNING)
    order = request.get("SortBy", "Name")
    member = {"Name": "TrainingJobName", "Status": "TrainingJobStatus"}.get(order, order)
    rows: list[tuple[list[Any], dict[str, Any]]] = []
    for record in trials.children(call.app.store, job.key):
        summary = trials.summary(record)
        if request.get("StatusEquals", record.status) != record.status:
            continue
        if order == "FinalObjectiveMetricValue":
            metric = summary.get("FinalHyperParameterTuningJobObjectiveMetric")
            if metric:
                rows.append(([metric["Value"], record.id], summary))
        else:
            rows.append(([summary[member], record.id], summary))
    descending = request.get("SortOrder") == "Descending"
    rows.sort(key=lambda row: row[0], reverse=descending)
    if request.get("NextToken"):
        place = _place(request["NextToken"], order)
        rows = [row for row in rows if (row[0] < place if descending else row[0] > place)]
    size = request.get("MaxResults", 10)
    result: dict[str, Any] = {"TrainingJobSummaries": [summary for _, summary in rows[:size]]}
    if len(rows) > size:
        result["NextToken"] = base64.urlsafe_b64encode(json.dumps([order, *rows[size - 1][0]]).encode()).decode()
    return result


@answers("StopHyperParameterTuningJob")
def stop_hyper_parameter_tuning_job(call: Call) -> dict[str, Any]:
    """Stop a tuning job and the training jobs that it runs."""
    return stop(call, TUNING)


@answers("DeleteHyperParameterTuningJob")
def delete_hyper_parameter_tuning_job(call: Call) -> dict[str, Any]:
    """Delete a tuning job that has ended; its training jobs stay."""
    return delete(call, TUNING)


def _refuse_unsupported(request: dict[str, Any], config: dict[str, Any]) -> None:
    if config["Strategy"] == "Hyperband":
        raise Invalid("The strategy Hyperband is not supported by localaws; Bayesian, Random and Grid are.")
    if "WarmStartConfig" in request:
        raise Invalid("WarmStartConfig is not supported by localaws.")
    if "Autotune" in request:
        raise Invalid("Autotune is not supported by localaws: give the hyperparameters' ranges.")
    criteria = config.get("TuningJobCompletionCriteria", {})
    if criteria.get("ConvergenceDetected", {}).get("CompleteOnConvergence") == "Enabled":
        raise Invalid("ConvergenceDetected is not supported by localaws; BestObjectiveNotImproving is.")


def _definitions(request: dict[str, Any], config: dict[str, Any]) -> list[dict[str, Any]]:
    one, many = request.get("TrainingJobDefinition"), request.get("TrainingJobDefinitions")
    if (one is None) == (many is None):
        raise Invalid("Give either TrainingJobDefinition or TrainingJobDefinitions, one of them.")
    if one is not None:
        if "HyperParameterTuningJobObjective" not in config:
            raise Invalid("HyperParameterTuningJobConfig needs HyperParameterTuningJobObjective.")
        return [one]
    names = [item.get("DefinitionName") for item in many]
    if None in names or len(set(names)) < len(names):
        raise Invalid("Each of TrainingJobDefinitions needs a DefinitionName of its own.")
    for item in many:
        if "TuningObjective" not in item or "HyperParameterRanges" not in item:
            raise Invalid(
                f"TrainingJobDefinition {item['DefinitionName']} needs TuningObjective, HyperParameterRanges."
            )
    if "HyperParameterTuningJobObjective" in config or "ParameterRanges" in config:
        raise Invalid("With TrainingJobDefinitions, objective and ranges belong into each definition.")
    return many


def _space(config: dict[str, Any], definition: dict[str, Any], strategy: str) -> list[Axis]:
    try:
        space = axes(trials.ranges(config, definition))
    except InvalidRanges as error:
        raise Invalid(str(error)) from error
    if not space:
        raise Invalid("A tuning job needs the range of at least one hyperparameter.")
    if len(space) > 30:
        raise Invalid("A tuning job can search at most 30 hyperparameters.")
    if strategy == "Grid" and not all(axis.categories for axis in space):
        raise Invalid("The strategy Grid takes CategoricalParameterRanges only.")
    if both := sorted({axis.name for axis in space} & set(definition.get("StaticHyperParameters", {}))):
        raise Invalid(f"The hyperparameter {both[0]} is both static and tuned.")
    if ("ResourceConfig" in definition) == ("HyperParameterTuningResourceConfig" in definition):
        raise Invalid("A training job definition needs either ResourceConfig or HyperParameterTuningResourceConfig.")
    algorithm, metric = definition["AlgorithmSpecification"], trials.objective(config, definition)["MetricName"]
    known = {item["Name"] for item in algorithm.get("MetricDefinitions", [])}
    if not known and _BUILT_IN.search(algorithm.get("TrainingImage", "")):
        # Built-in algorithms bring the expressions of their metrics; XGBoost prints validation-auc:0.9.
        regex = re.escape(metric.replace(":", "-")) + r":([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)"
        algorithm["MetricDefinitions"] = [{"Name": metric, "Regex": regex}]
    elif metric not in known:
        raise Invalid(f"The objective metric {metric} is not among the MetricDefinitions.")
    return space


def _limits(config: dict[str, Any], spaces: list[list[Axis]]) -> None:
    limits, total = config["ResourceLimits"], sum(combinations(space) for space in spaces)
    if config["Strategy"] == "Grid":
        if limits.setdefault("MaxNumberOfTrainingJobs", int(total)) != total:
            raise Invalid(f"MaxNumberOfTrainingJobs of a Grid search must be the number of combinations, {int(total)}.")
    elif "MaxNumberOfTrainingJobs" not in limits:
        raise Invalid("ResourceLimits needs MaxNumberOfTrainingJobs.")
    most = limits["MaxNumberOfTrainingJobs"]
    if total < most:
        raise Invalid(
            "You don't have enough combinations of hyperparameter ranges. The total number of hyperparameter "
            f"combinations for the provided ranges [{total:.1f}] must be equal or greater than the value of "
            f"MaxNumberOfJobs, [{most}]. Provide additional ranges."
        )
    if limits["MaxParallelTrainingJobs"] > most:
        raise Invalid("MaxParallelTrainingJobs can't be greater than MaxNumberOfTrainingJobs.")


def _place(token: str, order: str) -> list[Any]:
    try:
        given, *place = json.loads(base64.urlsafe_b64decode(token.encode()))
        kind = (int, float) if order in ("CreationTime", "FinalObjectiveMetricValue") else str
        if given == order and len(place) == 2 and isinstance(place[0], kind) and isinstance(place[1], int):
            return place
    except (ValueError, TypeError, RecursionError):
        pass
    raise Invalid("The NextToken is not one that this operation gave")
