"""Checks a definition against botocore's own shapes of the calls that SageMaker makes of its steps."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any

import botocore.session
from botocore.model import Shape

from pipeline.release import steps_of

CALLS = {
    "Processing": ("CreateProcessingJob", "ProcessingJobName", "DescribeProcessingJob"),
    "Training": ("CreateTrainingJob", "TrainingJobName", "DescribeTrainingJob"),
    "Transform": ("CreateTransformJob", "TransformJobName", "DescribeTransformJob"),
    "Model": ("CreateModel", "ModelName", "DescribeModel"),
    "RegisterModel": ("CreateModelPackage", "ModelPackageName", "DescribeModelPackage"),
}
"""Step type → the call with its arguments, the member SageMaker fills in, the call its properties follow."""

PENDING = "PendingManualApproval"

OTHERS = {"Lambda": "FunctionArn", "Fail": None, "Condition": None}
"""Step types without a shape of their own → the member that must stand beside the arguments."""

EXECUTION_PROPERTIES = {
    "PipelineExecutionId", "PipelineExecutionArn", "PipelineName", "PipelineArn", "StartDateTime",
    "CurrentDateTime",
}  # fmt: skip

PYTHON_TYPES = {
    "structure": dict, "map": dict, "list": list, "string": str, "boolean": bool, "integer": int, "long": int,
    "float": (int, float), "double": (int, float), "timestamp": (int, float, str),
}  # fmt: skip

SIGNS = r"!-/:-@\[-`{-~\u00a1-\u00bf\u2010-\u2bff"
SEPARATORS = r" \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
JAVA_CLASSES = {
    r"\p{L}": r"\w", r"\p{N}": r"\d", r"\p{Z}": SEPARATORS, r"\p{M}": "", r"\p{S}": SIGNS, r"\p{P}": SIGNS,
    r"\p{Alnum}": "a-zA-Z0-9", r"\uD800\uDC00-\uDBFF\uDFFF": r"\U00010000-\U0010FFFF",
}  # fmt: skip
VARIABLE = re.compile(r"\$\{\w+\}")
"""What a release will fill in: where a text holds one, only its type can be checked."""


@functools.cache
def _model():
    return botocore.session.get_session().get_service_model("sagemaker")


def problems(definition: dict[str, Any]) -> list[str]:
    """Return one sentence per error in a rendered definition: none means SageMaker would take its shape.

    Found are missing, unknown and mistyped members, values outside an enum, a pattern or a length, repeated
    step names, and references to a parameter, step, property, output or property file that isn't there. A
    reference may stand wherever a value may; what it stands for isn't known before the execution, so it fits
    every type.
    """
    steps = list(steps_of(definition["Steps"]))
    names = [step["Name"] for step in steps]
    found = [f"step {name}: a second step of this name" for name in {n for n in names if names.count(n) > 1}]
    for step in steps:
        where = f"step {step['Name']}"
        if step["Type"] in CALLS:
            call, given, _ = CALLS[step["Type"]]
            shape = _model().operation_model(call).input_shape
            found += _check(shape, step["Arguments"], where, given)
            found += _decided(step, where)
        elif step["Type"] not in OTHERS:
            found.append(f"{where}: type {step['Type']} is unknown here")
        elif (member := OTHERS[step["Type"]]) and member not in step:
            found.append(f"{where}: {member} is missing")
    return found + [f"{path}: {wrong}" for path, wrong in _dangling(definition, steps)]


def _decided(step: dict[str, Any], where: str) -> Iterator[str]:
    """Give where a step registers a version as anything but one that waits for a person, or may at an execution."""
    if step["Type"] != "RegisterModel":
        return
    status = step["Arguments"].get("ModelApprovalStatus", PENDING)
    if status != PENDING:
        given = "what an execution decides" if is_reference(status) else status
        yield f"{where}.ModelApprovalStatus: {given} where nobody but a person approves: it has to be {PENDING}"
    if "ModelLifeCycle" in step["Arguments"]:
        yield f"{where}.ModelLifeCycle: a stage of the life cycle is a person's to set"


def is_reference(value: Any) -> bool:
    """Whether a value is one of the definition language's references."""
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)) in ("Get", "Std:Join", "Std:JsonGet")


def _check(shape: Shape, value: Any, where: str, given: str | None = None) -> Iterator[str]:
    """Give what is wrong with a value of a shape; `given` is a required member that SageMaker fills in."""
    if is_reference(value):
        return
    kind = PYTHON_TYPES.get(shape.type_name, object)
    if not isinstance(value, kind) or (isinstance(value, bool) and shape.type_name != "boolean"):
        yield f"{where}: not a {shape.type_name}"
    elif shape.type_name == "structure":
        for member in shape.required_members:
            if member not in value and member != given:
                yield f"{where}: {member} is missing"
        for member, item in value.items():
            if member in shape.members:
                yield from _check(shape.members[member], item, f"{where}.{member}")
            else:
                yield f"{where}: {member} is unknown"
    elif shape.type_name == "list":
        yield from _limits(shape, len(value), where, "items")
        for number, item in enumerate(value):
            yield from _check(shape.member, item, f"{where}[{number}]")
    elif shape.type_name == "map":
        yield from _limits(shape, len(value), where, "entries")
        for key, item in value.items():
            yield from _check(shape.key, key, f"{where} key {key}")
            yield from _check(shape.value, item, f"{where}.{key}")
    elif shape.type_name == "string" and not VARIABLE.search(value):
        yield from _limits(shape, len(value), where, "characters")
        if enum := shape.metadata.get("enum"):
            if value not in enum:
                yield f"{where}: {value} isn't one of {', '.join(enum)}"
        elif (pattern := shape.metadata.get("pattern")) and not re.fullmatch(python_pattern(pattern), value):
            yield f"{where}: {value} doesn't match {pattern}"
    elif shape.type_name in ("integer", "long", "float", "double"):
        yield from _limits(shape, value, where, "")


def _limits(shape: Shape, size: float, where: str, unit: str) -> Iterator[str]:
    lowest, highest = shape.metadata.get("min"), shape.metadata.get("max")
    if lowest is not None and size < lowest:
        yield f"{where}: {size} {unit} where at least {lowest} are asked for".replace("  ", " ")
    if highest is not None and size > highest:
        yield f"{where}: {size} {unit} where at most {highest} are allowed".replace("  ", " ")


@functools.cache
def python_pattern(pattern: str) -> re.Pattern[str]:
    """Return one of AWS's (Java) patterns as Python knows it.

    Unicode categories become Python's classes; letters become word characters, because a negated class can't
    stand inside another class.
    """
    for java, python in JAVA_CLASSES.items():
        pattern = pattern.replace(java, python)
    # Java repeats an end of text; Python refuses to.
    return re.compile(re.sub(r"\$\{\d+,\d+\}$", "$", pattern))


def _dangling(definition: dict[str, Any], steps: list[dict]) -> Iterator[tuple[str, str]]:
    """Give (place, what is wrong) of every reference that leads nowhere."""
    parameters = {parameter["Name"] for parameter in definition["Parameters"]}
    by_name = {step["Name"]: step for step in steps}
    for step in steps:
        for reference in _references(step["Arguments"], step["Type"]):
            head, _, rest = reference.partition(".")
            if head == "Parameters":
                wrong = None if rest in parameters else "no such parameter"
            elif head == "Execution":
                wrong = None if rest in EXECUTION_PROPERTIES else "no such property of an execution"
            elif head == "Steps":
                name, _, path = rest.partition(".")
                wrong = _wrong_property(by_name[name], path) if name in by_name else "no such step"
            else:
                wrong = "neither a parameter nor a property of the execution or of a step"
            if wrong:
                yield f"step {step['Name']}", f"reference {reference}: {wrong}"


def _references(value: Any, step_type: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "Get" and isinstance(item, str):
                yield item
            elif not (step_type == "Condition" and key in ("IfSteps", "ElseSteps")):
                yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)


def _wrong_property(step: dict, path: str) -> str | None:
    """Return what is wrong with a property of a step, or None."""
    keys = re.findall(r"\['([^']*)'\]|\[(\d+)\]|([^.\[\]]+)", path)
    words = [named or number or plain for named, number, plain in keys]
    if not words:
        return "names no property"
    if words[0] == "PropertyFiles":
        files = {file["PropertyFileName"] for file in step.get("PropertyFiles", [])}
        return None if words[1:] and words[1] in files else "the step has no such property file"
    if step["Type"] == "Lambda":
        outputs = {output["OutputName"] for output in step.get("OutputParameters", [])}
        return None if words[0] == "OutputParameters" and words[-1] in outputs else "the function has no such output"
    if step["Type"] not in CALLS:
        return "this step has no properties"
    shape = _model().operation_model(CALLS[step["Type"]][2]).output_shape
    for number, word in enumerate(words):
        if shape.type_name == "structure":
            if word not in shape.members:
                return f"{shape.name} has no member {word}"
            shape = shape.members[word]
        elif shape.type_name == "list":
            # SageMaker finds the outputs of a processing job by their name.
            if words[number - 1] == "Outputs" and word not in _outputs(step, word):
                return "the step has no such output"
            shape = shape.member
        elif shape.type_name == "map":
            shape = shape.value
        else:
            return f"{shape.name} has no members"
    return None


def _outputs(step: dict, wanted: str) -> set[str]:
    """Return the names of a Processing step's outputs; where one is a reference it may be the wanted one."""
    names = set()
    config = step["Arguments"].get("ProcessingOutputConfig", {})
    outputs = [config] if is_reference(config) else config.get("Outputs", [])
    for output in [outputs] if is_reference(outputs) else outputs:
        name = output if is_reference(output) else output.get("OutputName", "")
        names.add(wanted if is_reference(name) else name)
    return names
