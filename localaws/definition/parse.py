"""Reads a definition's text, and refuses what SageMaker would refuse when the pipeline is created."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

from localaws import wire
from localaws.definition import conditions, validate
from localaws.definition.errors import InvalidDefinition
from localaws.definition.model import (
    Branch,
    CacheConfig,
    Definition,
    Parameter,
    PropertyFile,
    RetryPolicy,
    Step,
)
from localaws.definition.shapes import Problem
from localaws.definition.steptypes import COMMON, EXECUTED, known

VERSION = "2020-12-01"
MAX_PARAMETERS = 200
NAME = re.compile(r"[A-Za-z0-9\-_]+")
MAX_STEP_NAME, MAX_PARAMETER_NAME = 64, 256
"""Characters of names (botocore's shapes StepName and PipelineParameterName)."""

TYPES: dict[str, tuple[type, ...]] = {
    "String": (str,),
    "Integer": (int,),
    "Float": (int, float),
    "Boolean": (bool,),
}
MEMBERS = ("Version", "Metadata", "Parameters", "PipelineExperimentConfig", "MlflowConfig", "Steps")
# The developer guide's examples leave the P out and write small letters: 30d, 5y, T16m, 30dT5h.
DURATION = re.compile(
    r"P?(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?",
    re.IGNORECASE,
)
EXCEPTIONS = {
    "Step.SERVICE_FAULT",
    "Step.THROTTLING",
    "SageMaker.JOB_INTERNAL_ERROR",
    "SageMaker.CAPACITY_ERROR",
    "SageMaker.RESOURCE_LIMIT",
}
OF_MODELS = {"Step.SERVICE_FAULT", "Step.THROTTLING"}
"""The exceptions that steps know which make a model or a version of one, and start no job."""

MAX_ATTEMPTS, MAX_EXPIRY_MINUTES, MAX_INTERVAL_SECONDS = 20, 14400, 43200
"""As the SageMaker SDK's validators have them (sagemaker.workflow.retry)."""


def parse(text: str) -> Definition:
    """Return a definition's parts, or raise InvalidDefinition for the first thing that is wrong."""
    definition = _read(text)
    for path, message in validate.problems(definition):
        raise InvalidDefinition(path, message)
    return definition


def problems(text: str) -> list[Problem]:
    """Return (path, sentence) of all that is wrong with a definition; of one whose form is wrong, the first."""
    try:
        return list(validate.problems(_read(text)))
    except InvalidDefinition as error:
        return [(error.path, error.message)]


def _read(text: str) -> Definition:
    limit = wire.service().shape_for("PipelineDefinition").metadata.get("max", 1 << 20)
    if len(text) > limit:
        raise InvalidDefinition("", f"the definition has {len(text)} characters, and at most {limit} are allowed")
    try:
        document = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
        return _definition(document)
    except ValueError as error:
        raise InvalidDefinition("", f"the definition isn't JSON: {error}") from None
    except RecursionError:
        raise InvalidDefinition("", "the definition is nested too deeply") from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} isn't a JSON value")


def _finite(text: str) -> float:
    if math.isinf(value := float(text)):
        raise ValueError(f"{text[:64]} is too large a number")
    return value


def _definition(document: Any) -> Definition:
    _object(document, "", MEMBERS)
    if document.get("MlflowConfig") is not None:
        raise InvalidDefinition("MlflowConfig", "runs can't be tracked with MLflow here")
    if document.get("Version") != VERSION:
        raise InvalidDefinition("Version", f"must be {VERSION}")
    parameters = _parameters(document.get("Parameters", []))
    steps: dict[str, Step] = {}
    for step in _steps(_list(document, "Steps", ""), "Steps", None):
        if step.name in steps:
            raise InvalidDefinition(f"Steps.{step.name}", "is the name of more than one step")
        steps[step.name] = step
    if not steps:
        raise InvalidDefinition("Steps", "must be a list that isn't empty")
    metadata, experiment = document.get("Metadata") or {}, document.get("PipelineExperimentConfig")
    if not isinstance(metadata, dict):
        raise InvalidDefinition("Metadata", "must be an object")
    if experiment is not None:
        _object(experiment, "PipelineExperimentConfig", ("ExperimentName", "TrialName"))
    return Definition(parameters, steps, metadata, experiment)


def _parameters(items: Any) -> dict[str, Parameter]:
    if not isinstance(items, list):
        raise InvalidDefinition("Parameters", "must be a list")
    if len(items) > MAX_PARAMETERS:
        raise InvalidDefinition("Parameters", f"has {len(items)} items, and at most {MAX_PARAMETERS} are allowed")
    found: dict[str, Parameter] = {}
    for number, item in enumerate(items):
        path = f"Parameters[{number}]"
        _object(item, path, ("Name", "Type", "DefaultValue", "EnumValues", "Description"))
        name = _name(item, path, MAX_PARAMETER_NAME)
        if name in found:
            raise InvalidDefinition(path, f"{name} is the name of more than one parameter")
        found[name] = _parameter(name, item)
    return found


def _parameter(name: str, item: dict[str, Any]) -> Parameter:
    path = f"Parameters.{name}"
    kind = _one_of(item.get("Type", "String"), TYPES, f"{path}.Type")
    default, enum = item.get("DefaultValue"), item.get("EnumValues", [])
    if not isinstance(enum, list):
        raise InvalidDefinition(f"{path}.EnumValues", "must be a list")
    for where, value in [("DefaultValue", default), *(("EnumValues", value) for value in enum)]:
        fits = isinstance(value, TYPES[kind]) and isinstance(value, bool) == (kind == "Boolean")
        if value is not None and not fits:
            raise InvalidDefinition(f"{path}.{where}", f"doesn't fit the type {kind}")
    if kind == "Float":
        default, enum = None if default is None else float(default), [float(value) for value in enum]
    if default is not None and enum and default not in enum:
        raise InvalidDefinition(f"{path}.DefaultValue", "isn't one of the EnumValues")
    return Parameter(name, kind, default, tuple(enum))


def _steps(items: list[Any], path: str, branch: tuple[str, Branch] | None) -> Iterator[Step]:
    """Give the steps of a list, each Condition followed by what is nested in it."""
    for number, item in enumerate(items):
        where = f"{path}[{number}]"
        if not isinstance(item, dict):
            raise InvalidDefinition(where, "must be an object")
        step = _step(item, f"Steps.{_name(item, where)}", branch)
        yield step
        if step.type == "Condition":
            for side in ("IfSteps", "ElseSteps"):
                nested = f"Steps.{step.name}.Arguments.{side}"
                yield from _steps(step.arguments.get(side) or [], nested, (step.name, side))


def _step(item: dict[str, Any], path: str, branch: tuple[str, Branch] | None) -> Step:
    kind = item.get("Type")
    if not isinstance(kind, str):
        raise InvalidDefinition(f"{path}.Type", f"must be one of {', '.join(EXECUTED)}")
    if kind not in EXECUTED:
        refused = kind in known()
        reason = f"steps of type {kind} can't run here" if refused else f"{kind[:64]} isn't a type of step"
        raise InvalidDefinition(f"{path}.Type", f"{reason}; these run: {', '.join(EXECUTED)}")
    form = EXECUTED[kind]
    _object(item, path, (*COMMON, *form.members))
    for member in form.required:
        if item.get(member) is None:
            raise InvalidDefinition(path, f"{member} is missing")
    free = kind in ("Lambda", "Callback")
    if "Arguments" not in item and not free:
        raise InvalidDefinition(path, "Arguments is missing")
    arguments = item.get("Arguments") or {}
    if not isinstance(arguments, dict):
        raise InvalidDefinition(f"{path}.Arguments", "must be an object")
    if kind == "Condition":
        _condition(arguments, f"{path}.Arguments", branch)
    depends_on = item.get("DependsOn") or []
    if not isinstance(depends_on, list) or not all(isinstance(name, str) for name in depends_on):
        raise InvalidDefinition(f"{path}.DependsOn", "must be a list of step names")
    for member in ("DisplayName", "Description"):
        if not isinstance(item.get(member, ""), str | None):
            raise InvalidDefinition(f"{path}.{member}", "must be a text")
    own = {*COMMON, "PropertyFiles", "RetryPolicies", "CacheConfig"}
    return Step(
        name=item["Name"],
        type=kind,
        arguments=arguments,
        depends_on=tuple(depends_on),
        branch=branch,
        property_files=_property_files(item, path),
        cache_config=_cache(item, f"{path}.CacheConfig"),
        retry_policies=_retries(item, path),
        display_name=item.get("DisplayName"),
        description=item.get("Description"),
        settings={name: item[name] for name in form.members if item.get(name) is not None and name not in own},
    )


def _condition(arguments: dict[str, Any], path: str, branch: tuple[str, Branch] | None) -> None:
    if branch:
        raise InvalidDefinition(path, "a Condition can't stand within another Condition")
    _object(arguments, path, ("Conditions", "IfSteps", "ElseSteps"))
    for side in ("IfSteps", "ElseSteps"):
        if not isinstance(arguments.get(side) or [], list):
            raise InvalidDefinition(f"{path}.{side}", "must be a list")
    for number, condition in enumerate(_list(arguments, "Conditions", path)):
        for where, message in conditions.problems(condition, f"{path}.Conditions[{number}]"):
            raise InvalidDefinition(where, message)


def _property_files(item: dict[str, Any], path: str) -> dict[str, PropertyFile]:
    found: dict[str, PropertyFile] = {}
    members = ("PropertyFileName", "OutputName", "FilePath")
    for number, file in enumerate(_list(item, "PropertyFiles", path) if "PropertyFiles" in item else []):
        where = f"{path}.PropertyFiles[{number}]"
        _object(file, where, members)
        for member in members:
            if not isinstance(file.get(member), str):
                raise InvalidDefinition(f"{where}.{member}", "must be a text")
        name, output, place = (file[member] for member in members)
        if name in found:
            raise InvalidDefinition(where, f"{name} is the name of more than one property file")
        found[name] = PropertyFile(name, output, place)
    return found


def _cache(item: dict[str, Any], path: str) -> CacheConfig | None:
    config = item.get("CacheConfig")
    if config is None:
        return None
    _object(config, path, ("Enabled", "ExpireAfter"))
    if not isinstance(config.get("Enabled", False), bool):
        raise InvalidDefinition(f"{path}.Enabled", "must be true or false")
    expiry = config.get("ExpireAfter")
    return CacheConfig(
        config.get("Enabled", False), None if expiry is None else _duration(expiry, f"{path}.ExpireAfter")
    )


def _duration(text: Any, path: str) -> timedelta:
    match = DURATION.fullmatch(text) if isinstance(text, str) else None
    parts = {name: int(value) for name, value in match.groupdict().items() if value} if match else {}
    if not parts:
        raise InvalidDefinition(path, "must be an ISO 8601 duration such as P30D, 30d or T12H")
    days = parts.pop("years", 0) * 365 + parts.pop("months", 0) * 30 + parts.pop("days", 0)
    try:
        return timedelta(days=days, **parts)
    except OverflowError:
        raise InvalidDefinition(path, "is longer than any result can be old") from None


def _retries(item: dict[str, Any], path: str) -> tuple[RetryPolicy, ...]:
    members = ("ExceptionType", "IntervalSeconds", "BackoffRate", "MaxAttempts", "ExpireAfterMin")
    found = []
    for number, policy in enumerate(_list(item, "RetryPolicies", path) if item.get("RetryPolicies") else []):
        where = f"{path}.RetryPolicies[{number}]"
        _object(policy, where, members)
        types = policy.get("ExceptionType")
        types = types if isinstance(types, list) and types else [types]
        allowed = OF_MODELS if item["Type"] in ("Model", "RegisterModel") else EXCEPTIONS
        for kind in types:
            _one_of(kind, sorted(allowed), f"{where}.ExceptionType")
        attempts, minutes = policy.get("MaxAttempts"), policy.get("ExpireAfterMin")
        if (attempts is None) == (minutes is None):
            raise InvalidDefinition(where, "exactly one of MaxAttempts and ExpireAfterMin must be given")
        for member, least, most in (
            ("IntervalSeconds", 0, MAX_INTERVAL_SECONDS),
            ("BackoffRate", 0, None),
            ("MaxAttempts", 1, MAX_ATTEMPTS),
            ("ExpireAfterMin", 0, MAX_EXPIRY_MINUTES),
        ):
            _number(policy.get(member), f"{where}.{member}", least, most)
        found.append(
            RetryPolicy(
                tuple(types),
                policy.get("IntervalSeconds", 1),
                policy.get("BackoffRate", 2.0),
                attempts,
                minutes,
            )
        )
    return tuple(found)


def _number(value: Any, path: str, least: float, most: float | None) -> None:
    if value is None:
        return
    if not isinstance(value, int | float) or isinstance(value, bool) or value < least or (most and value > most):
        raise InvalidDefinition(path, f"must be a number of at least {least}" + (f", at most {most}" if most else ""))


def _object(value: Any, path: str, members: tuple[str, ...]) -> None:
    if not isinstance(value, dict):
        raise InvalidDefinition(path, "must be an object" if path else "the definition must be an object")
    for member in value:
        if member not in members:
            raise InvalidDefinition(f"{path}.{member}" if path else member, "is unknown")


def _list(item: dict[str, Any], member: str, path: str) -> list[Any]:
    value = item.get(member)
    if not isinstance(value, list):
        raise InvalidDefinition(f"{path}.{member}" if path else member, "must be a list")
    return value


def _name(item: dict[str, Any], path: str, most: int = MAX_STEP_NAME) -> str:
    name = item.get("Name")
    if not isinstance(name, str) or not NAME.fullmatch(name) or len(name) > most:
        raise InvalidDefinition(f"{path}.Name", f"must be 1 to {most} letters, digits, hyphens and underscores")
    return name


def _one_of(value: Any, allowed: Iterable[str], path: str) -> str:
    if not isinstance(value, str) or value not in allowed:
        raise InvalidDefinition(path, f"must be one of {', '.join(allowed)}")
    return value
