"""A parsed pipeline definition: parameters, steps, and what each step waits for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from localaws.definition.errors import InvalidParameter
from localaws.definition.references import gets

Scalar = str | int | float | bool
ParameterType = Literal["String", "Integer", "Float", "Boolean"]
Branch = Literal["IfSteps", "ElseSteps"]

MAX_VALUE_LENGTH = 1024
"""Characters of a value given at the start of an execution (botocore's shape String1024)."""

WHOLE = re.compile(r"[-+]?[0-9]+")
NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")


@dataclass(frozen=True)
class Parameter:
    """A pipeline parameter; without a default it must be given at each start."""

    name: str
    type: ParameterType
    default: Scalar | None = None
    enum_values: tuple[Scalar, ...] = ()

    def value(self, given: Any) -> Scalar:
        """Return a value given at a start, in the parameter's own type. Raises InvalidParameter."""
        value = self._converted(given)
        if self.enum_values and value not in self.enum_values:
            allowed = ", ".join(str(item) for item in self.enum_values)
            raise InvalidParameter(self.name, f"must be one of: {allowed}.")
        return value

    def _converted(self, given: Any) -> Scalar:
        text = given if isinstance(given, str) else str(given).lower() if isinstance(given, bool) else str(given)
        if not text:
            # AWS's own words (SageMaker SDK issue 4016); a default may be empty.
            raise InvalidParameter(self.name, 'is empty: [string "" is too short (length: 0, required minimum: 1)]')
        if len(text) > MAX_VALUE_LENGTH:
            raise InvalidParameter(self.name, f"has more than {MAX_VALUE_LENGTH} characters.")
        if self.type == "String":
            return text
        if self.type == "Boolean":
            if text.lower() in ("true", "false"):
                return text.lower() == "true"
            raise InvalidParameter(self.name, "must be true or false.")
        # Python's own int and float take more than SageMaker does: 1_000, ٣, nan, surrounding blanks.
        if not (WHOLE if self.type == "Integer" else NUMBER).fullmatch(text):
            kind = "a whole number" if self.type == "Integer" else "a number"
            raise InvalidParameter(self.name, f"must be {kind}.")
        return int(text) if self.type == "Integer" else float(text)


@dataclass(frozen=True)
class PropertyFile:
    """A JSON file in a processing job's output that conditions and arguments can read."""

    name: str
    output_name: str
    path: str


@dataclass(frozen=True)
class CacheConfig:
    """Whether an earlier execution's result may be taken instead; `expire_after` None means at any age."""

    enabled: bool
    expire_after: timedelta | None = None


@dataclass(frozen=True)
class RetryPolicy:
    """When and how often a step is tried again.

    `max_attempts` counts every attempt, `expire_after_minutes` runs from the first one; only one is set.
    """

    exception_types: tuple[str, ...]
    interval_seconds: float = 1
    backoff_rate: float = 2.0
    max_attempts: int | None = None
    expire_after_minutes: float | None = None


@dataclass(frozen=True)
class Step:
    """One step; those nested in a Condition stand beside the others, and `branch` says where they were.

    `settings` holds what a type has beside its arguments, such as FunctionArn, OutputParameters or CheckType.
    """

    name: str
    type: str
    arguments: dict[str, Any]
    depends_on: tuple[str, ...] = ()
    branch: tuple[str, Branch] | None = None
    property_files: Mapping[str, PropertyFile] = field(default_factory=dict)
    cache_config: CacheConfig | None = None
    retry_policies: tuple[RetryPolicy, ...] = ()
    display_name: str | None = None
    description: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def conditions(self) -> list[dict[str, Any]]:
        """The conditions of a Condition step, all of which must hold; of other types, none."""
        return self.arguments["Conditions"] if self.type == "Condition" else []

    def referring(self) -> dict[str, Any]:
        """Return the parts of the step that may hold references of its own, not those of nested steps."""
        nested = ("IfSteps", "ElseSteps") if self.type == "Condition" else ()
        arguments = {name: value for name, value in self.arguments.items() if name not in nested}
        return {"Arguments": arguments, **self.settings}


@dataclass(frozen=True)
class Definition:
    """A valid definition; steps are in the order of the text, nested ones after their Condition."""

    parameters: Mapping[str, Parameter]
    steps: Mapping[str, Step]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    experiment_config: Mapping[str, Any] | None = None

    def bind(self, overrides: Mapping[str, Any]) -> dict[str, Scalar]:
        """Return every parameter's value, in its type, for an execution started with `overrides`.

        Raises InvalidParameter: an unknown name, no value, or one that fits neither type nor EnumValues.
        """
        for name in overrides:
            if name not in self.parameters:
                raise InvalidParameter(name, "isn't a parameter of this pipeline.")
        values: dict[str, Scalar] = {}
        for name, parameter in self.parameters.items():
            if name in overrides:
                values[name] = parameter.value(overrides[name])
            elif parameter.default is not None:
                values[name] = parameter.default
            else:
                raise InvalidParameter(name, "has no default value and none was given.")
        return values

    def dependencies(self) -> dict[str, set[str]]:
        """Return what each step waits for: by DependsOn, by reference, and the Condition around it."""
        return {
            name: {*step.depends_on, *self.references(name), *([step.branch[0]] if step.branch else [])}
            for name, step in self.steps.items()
        }

    def references(self, name: str) -> set[str]:
        """Return the steps whose properties a step takes."""
        found = gets(self.steps[name].referring())
        return {str(reference.keys[1]) for _, reference in found if reference.root == "Steps"}

    def between(self, chosen: Set[str]) -> set[str]:
        """Return the steps on all paths from one of the chosen steps to another, these included."""
        waits = self.dependencies()
        after = {name: {other for other, on in waits.items() if name in on} for name in waits}
        return _reached(chosen, waits) & _reached(chosen, after)


def _reached(names: Set[str], leads: Mapping[str, set[str]]) -> set[str]:
    found, new = set(names), set(names)
    while new := set().union(*(leads[name] for name in new)) - found:
        found |= new
    return found
