"""SageMaker's pipeline definition language, version 2020-12-01: its words as small typed values.

Source: "Amazon SageMaker Pipelines, pipeline definition JSON schema"
(https://aws-sagemaker-mlops.github.io/sagemaker-model-building-pipeline-definition-JSON-schema/) and the JSON
that the SageMaker Python SDK v2 emits, which the tests hold this against.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

VERSION = "2020-12-01"

Json = Any
"""A JSON value in which any value may be a reference."""


def get(path: str) -> dict[str, Json]:
    """Return a reference to a property, such as Execution.PipelineExecutionId."""
    return {"Get": path}


def join(*values: Json, on: str = "") -> dict[str, Json]:
    """Return the values' texts with `on` between them."""
    return {"Std:Join": {"On": on, "Values": list(values)}}


def json_get(step: str, property_file: str, path: str) -> dict[str, Json]:
    """Return a reference to a value inside a property file that a step wrote."""
    return {"Std:JsonGet": {"PropertyFile": {"Get": f"Steps.{step}.PropertyFiles.{property_file}"}, "Path": path}}


@dataclass(frozen=True)
class Parameter:
    """A pipeline parameter; its type follows from its default."""

    name: str
    default: str | int | float

    TYPES = {str: "String", int: "Integer", float: "Float"}  # noqa: RUF012 - not a field

    @property
    def ref(self) -> dict[str, Json]:
        """A reference to the parameter's value."""
        return get(f"Parameters.{self.name}")

    def render(self) -> dict[str, Json]:
        """Return the parameter's JSON."""
        return {"Name": self.name, "Type": self.TYPES[type(self.default)], "DefaultValue": self.default}


@dataclass(frozen=True)
class Step:
    """A step of any type; `extra` holds what stands beside its arguments."""

    name: str
    type: str
    arguments: dict[str, Json]
    extra: dict[str, Json] | None = None

    def property(self, path: str) -> dict[str, Json]:
        """Return a reference to a property of what the step made, as its Describe call names it."""
        return get(f"Steps.{self.name}.{path}")

    def render(self) -> dict[str, Json]:
        """Return the step's JSON."""
        return {"Name": self.name, "Type": self.type, "Arguments": self.arguments, **(self.extra or {})}


def processing(name: str, arguments: dict[str, Json], property_files: Sequence[tuple[str, str, str]] = ()) -> Step:
    """Return a Processing step; a property file is (name, output, path within the output)."""
    files = [
        {"PropertyFileName": name, "OutputName": output, "FilePath": path} for name, output, path in property_files
    ]
    return Step(name, "Processing", arguments, {"PropertyFiles": files} if files else None)


def processing_output(step: Step, output: str) -> dict[str, Json]:
    """Return a reference to where a Processing step's output lies in S3."""
    return step.property(f"ProcessingOutputConfig.Outputs['{output}'].S3Output.S3Uri")


def function(name: str, arn: str, arguments: dict[str, Json], outputs: Sequence[str]) -> Step:
    """Return a Lambda step whose outputs are texts."""
    parameters = [{"OutputName": output, "OutputType": "String"} for output in outputs]
    return Step(name, "Lambda", arguments, {"FunctionArn": arn, "OutputParameters": parameters})


def function_output(step: Step, output: str) -> dict[str, Json]:
    """Return a reference to one of a Lambda step's outputs."""
    return step.property(f"OutputParameters['{output}']")


def at_least(left: Json, right: Json) -> dict[str, Json]:
    """Return the condition left ≥ right."""
    return {"Type": "GreaterThanOrEqualTo", "LeftValue": left, "RightValue": right}


def equals(left: Json, right: Json) -> dict[str, Json]:
    """Return the condition left = right."""
    return {"Type": "Equals", "LeftValue": left, "RightValue": right}


def condition(name: str, all_of: Sequence[dict[str, Json]], then: Sequence[Step], otherwise: Sequence[Step]) -> Step:
    """Return a Condition step; SageMaker knows no condition within another."""
    return Step(
        name,
        "Condition",
        {
            "Conditions": list(all_of),
            "IfSteps": [step.render() for step in then],
            "ElseSteps": [step.render() for step in otherwise],
        },
    )


def fail(name: str, message: Json) -> Step:
    """Return a Fail step, which ends the execution with a message."""
    return Step(name, "Fail", {"ErrorMessage": message})


@dataclass(frozen=True)
class Definition:
    """A pipeline: its parameters and its steps."""

    parameters: Sequence[Parameter]
    steps: Sequence[Step]

    def render(self) -> dict[str, Json]:
        """Return the definition's JSON value."""
        return {
            "Version": VERSION,
            "Metadata": {},
            "Parameters": [parameter.render() for parameter in self.parameters],
            "Steps": [step.render() for step in self.steps],
        }

    def text(self) -> str:
        """Return the definition's JSON, the same bytes for the same definition."""
        return json.dumps(self.render(), indent=1, ensure_ascii=False) + "\n"
