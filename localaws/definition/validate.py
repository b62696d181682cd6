"""What is wrong with a definition beyond its form: arguments, references, dependencies, cycles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from localaws import wire
from localaws.definition import shapes, types
from localaws.definition.model import Definition, Step
from localaws.definition.references import Key, Reference, gets, is_reference
from localaws.definition.shapes import Problem
from localaws.definition.steptypes import EXECUTED

EXECUTION = {
    "PipelineName", "PipelineArn", "PipelineExecutionId", "PipelineExecutionArn", "StartDateTime",
    "CurrentDateTime",
}  # fmt: skip
JOB_NAMES = {"Training": "TrainingJobName", "Processing": "ProcessingJobName"}
"""Variables of the execution that only steps of one type know."""

SWITCHES = ("SkipCheck", "RegisterNewBaseline", "FailOnViolation")


def problems(definition: Definition) -> Iterator[Problem]:
    """Give (path, sentence) of what SageMaker would refuse in a definition whose form is right.

    What comes later stands on what is checked before: references lead to what has its form, and types are those of
    references that lead somewhere.
    """
    for check in (_forms, _links, _types):
        found = list(check(definition))
        yield from found
        if found:
            return


def _forms(definition: Definition) -> Iterator[Problem]:
    for step in definition.steps.values():
        path = f"Steps.{step.name}"
        yield from _functions(step.referring(), path)
        yield from _settings(step, path)
        yield from _arguments(step, f"{path}.Arguments")
    yield from _functions(definition.experiment_config, "PipelineExperimentConfig")


def _links(definition: Definition) -> Iterator[Problem]:
    for step in definition.steps.values():
        path = f"Steps.{step.name}"
        yield from _references(step, definition, path)
        for name in step.depends_on:
            if name not in definition.steps:
                yield f"{path}.DependsOn", f"{name} isn't a step of this pipeline"
        for file in step.property_files.values():
            if (outputs := _outputs(step)) is not None and file.output_name not in outputs:
                yield f"{path}.PropertyFiles", f"{file.output_name} isn't an output of the step"
    for place, reference in gets(definition.experiment_config or {}, "PipelineExperimentConfig"):
        if reference.root == "Steps" or (wrong := _wrong_variable(reference, definition, None)):
            yield place, f"{reference.text} " + ("needs a step" if reference.root == "Steps" else wrong)


def _types(definition: Definition) -> Iterator[Problem]:
    for step in definition.steps.values():
        yield from types.problems(step, definition, f"Steps.{step.name}.Arguments")
    yield from _cycles(definition)


def _functions(value: Any, path: str) -> Iterator[Problem]:
    """Check the form of every Get, Std:Join and Std:JsonGet within a value."""
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _functions(item, f"{path}[{number}]")
    elif isinstance(value, dict):
        if is_reference(value):
            function, argument = next(iter(value.items()))
            if wrong := {"Get": _wrong_get, "Std:Join": _wrong_join, "Std:JsonGet": _wrong_json_get}[function](
                argument
            ):
                yield f"{path}.{function}", wrong
                return
        for name, item in value.items():
            yield from _functions(item, f"{path}.{name}")


def _wrong_get(argument: Any) -> str | None:
    if not isinstance(argument, str):
        return "must be a text"
    try:
        next(gets({"Get": argument}))
    except ValueError as error:
        return str(error)
    return None


def _wrong_join(argument: Any) -> str | None:
    if not isinstance(argument, dict) or not isinstance(argument.get("Values"), list):
        return "must be an object with Values, a list"
    if not isinstance(argument.get("On", ""), str) or set(argument) - {"On", "Values"}:
        return "must be an object of On, a text, and Values, a list"
    if not all(is_reference(value) or isinstance(value, str | int | float) for value in argument["Values"]):
        return "Values must be texts, numbers, booleans and references"
    return None


def _wrong_json_get(argument: Any) -> str | None:
    if not isinstance(argument, dict) or set(argument) not in ({"PropertyFile", "Path"}, {"S3Uri", "Path"}):
        return "must be an object of Path and either PropertyFile or S3Uri"
    if not isinstance(argument["Path"], str):
        return "Path must be a text"
    if "PropertyFile" in argument and not (
        is_reference(argument["PropertyFile"]) and "Get" in argument["PropertyFile"]
    ):
        return "PropertyFile must be a Get"
    try:
        next(gets({"Get": argument["Path"]}))
    except ValueError as error:
        return str(error)
    return None


def _arguments(step: Step, path: str) -> Iterator[Problem]:
    form = EXECUTED[step.type]
    if form.call:
        shape = wire.operation(form.call).input_shape
        yield from shapes.problems(shape, step.arguments, path, form.given, is_reference)
    elif step.type == "Fail":
        yield from _fail(step.arguments, path)
    elif step.type in ("Lambda", "Callback"):
        yield from _output_parameters(step, path.removesuffix("Arguments") + "OutputParameters")


def _fail(arguments: Mapping[str, Any], path: str) -> Iterator[Problem]:
    for member in arguments:
        if member != "ErrorMessage":
            yield f"{path}.{member}", "is unknown"
    if "ErrorMessage" not in arguments:
        yield path, "ErrorMessage is missing"
    elif not _is_text(arguments["ErrorMessage"]):
        yield f"{path}.ErrorMessage", "must be a text or a reference"


def _is_text(value: Any) -> bool:
    return isinstance(value, str) or is_reference(value)


def _settings(step: Step, path: str) -> Iterator[Problem]:
    """Check what stands beside the arguments: texts, switches, or references to them."""
    for member, value in step.settings.items():
        if member in SWITCHES:
            if not isinstance(value, bool) and not is_reference(value):
                yield f"{path}.{member}", "must be true, false or a reference"
        elif member != "OutputParameters" and not _is_text(value):
            yield f"{path}.{member}", "must be a text or a reference"


def _output_parameters(step: Step, path: str) -> Iterator[Problem]:
    declared = step.settings.get("OutputParameters", [])
    if not isinstance(declared, list):
        yield path, "must be a list"
        return
    for number, output in enumerate(declared):
        if not isinstance(output, dict) or not isinstance(output.get("OutputName"), str):
            yield f"{path}[{number}]", "OutputName is missing"
        elif output.get("OutputType", "String") not in ("String", "Integer", "Float", "Boolean"):
            yield f"{path}[{number}].OutputType", "must be one of String, Integer, Float, Boolean"


def _references(step: Step, definition: Definition, path: str) -> Iterator[Problem]:
    for place, reference in gets(step.referring(), path):
        if reference.root != "Steps":
            wrong = _wrong_variable(reference, definition, step)
        elif len(reference.keys) < 3:
            wrong = "names no property of a step"
        elif (name := reference.keys[1]) not in definition.steps:
            wrong = f"names {name}, which isn't a step of this pipeline"
        elif name == step.name:
            wrong = "names a property of the step itself"
        else:
            target, rest = definition.steps[str(name)], reference.keys[2:]
            in_json_get = place.endswith(".Std:JsonGet.PropertyFile")
            wrong = _wrong_property_file(target, rest) if in_json_get else _wrong_property(target, rest)
        if wrong:
            yield place, f"{reference.text} {wrong}"


def _wrong_variable(reference: Reference, definition: Definition, step: Step | None) -> str | None:
    root, rest = reference.root, reference.keys[1:]
    if root == "Parameters":
        known = len(rest) == 1 and rest[0] in definition.parameters
        return None if known else "isn't a parameter of this pipeline"
    if root == "Execution":
        names = EXECUTION | ({JOB_NAMES[step.type]} if step and step.type in JOB_NAMES else set())
        return None if len(rest) == 1 and rest[0] in names else "isn't a variable of an execution here"
    return "begins with neither Parameters, Execution nor Steps"


def _wrong_property_file(step: Step, rest: tuple[Key, ...]) -> str | None:
    if len(rest) == 2 and rest[0] == "PropertyFiles" and rest[1] in step.property_files:
        return None
    return f"isn't a property file of {step.name}"


def _wrong_property(step: Step, rest: tuple[Key, ...]) -> str | None:
    form = EXECUTED[step.type]
    if rest[0] in form.own_properties:
        if rest[0] != "OutputParameters":
            return None
        declared = {output.get("OutputName") for output in step.settings.get("OutputParameters", [])}
        return None if len(rest) == 2 and rest[1] in declared else f"isn't an output parameter of {step.name}"
    if rest[:2] == ("ProcessingOutputConfig", "Outputs") and len(rest) > 2 and isinstance(rest[2], str):
        outputs = _outputs(step)
        if outputs is not None and rest[2] not in outputs:
            return f"isn't an output of {step.name}"
    if any(_leads_somewhere(wire.operation(call).output_shape, rest) for call in form.properties):
        return None
    return f"isn't a property of a step of type {step.type}"


def _leads_somewhere(shape: Any, path: tuple[Key, ...]) -> bool:
    for key in path:
        if shape.type_name == "structure" and key in shape.members:
            shape = shape.members[key]
        elif shape.type_name == "list":
            shape = shape.member
        elif shape.type_name == "map":
            shape = shape.value
        else:
            return False
    return True


def _outputs(step: Step) -> set[str] | None:
    """Return the names of a processing job's outputs, or None where a reference stands for some of them."""
    config = step.arguments.get("ProcessingOutputConfig", {})
    outputs = config.get("Outputs", []) if isinstance(config, dict) and not is_reference(config) else None
    if not isinstance(outputs, list) or any(is_reference(output) for output in outputs):
        return None
    names = [output.get("OutputName") for output in outputs if isinstance(output, Mapping)]
    return set(names) if all(isinstance(name, str) for name in names) else None


def _cycles(definition: Definition) -> Iterator[Problem]:
    waits = {name: {on for on in steps if on in definition.steps} for name, steps in definition.dependencies().items()}
    done: set[str] = set()
    while ready := {name for name in waits if name not in done and waits[name] <= done}:
        done |= ready
    if left := [name for name in waits if name not in done]:
        circle = [left[0]]
        while (following := next(name for name in sorted(waits[circle[-1]]) if name not in done)) not in circle:
            circle.append(following)
        circle = circle[circle.index(following) :]
        yield f"Steps.{circle[0]}", f"waits for itself: {' → '.join([*circle, circle[0]])}"
