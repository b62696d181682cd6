"""The types of references: one can't stand where an argument has another type.

The sentence is AWS's (SageMaker SDK issues 2345, 2425, 4867); what only an execution knows is looked at there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from botocore.model import Shape

from localaws import wire
from localaws.definition.model import Definition, Step
from localaws.definition.references import Key, is_reference, keys
from localaws.definition.shapes import Problem
from localaws.definition.steptypes import EXECUTED

_KINDS = {
    "string": "String",
    "integer": "Integer",
    "long": "Integer",
    "float": "Float",
    "double": "Float",
    "boolean": "Boolean",
    "list": "List",
    "structure": "Structure",
    "map": "Map",
}


def problems(step: Step, definition: Definition, path: str) -> Iterator[Problem]:
    """Give (path, sentence) of every reference in a step's arguments that has another type than they have there.

    The definition's references must lead somewhere.
    """
    form = EXECUTED[step.type]
    if form.call:
        yield from _walk(wire.operation(form.call).input_shape, step.arguments, definition, path)


def _walk(shape: Shape, value: Any, definition: Definition, path: str) -> Iterator[Problem]:
    if is_reference(value):
        wanted, found = _KINDS.get(shape.type_name), _type(value, definition)
        if wanted and found and found != wanted and (found, wanted) != ("Integer", "Float"):
            name = value.get("Get") or next(iter(value))
            yield path, f"Cannot assign property reference [{name}] to argument of type [{wanted}]"
    elif shape.type_name == "structure" and isinstance(value, dict):
        for name, item in value.items():
            if name in shape.members:
                yield from _walk(shape.members[name], item, definition, f"{path}.{name}")
    elif shape.type_name == "map" and isinstance(value, dict):
        for name, item in value.items():
            yield from _walk(shape.value, item, definition, f"{path}.{name}")
    elif shape.type_name == "list" and isinstance(value, list):
        for number, item in enumerate(value):
            yield from _walk(shape.member, item, definition, f"{path}[{number}]")


def _type(reference: dict[str, Any], definition: Definition) -> str | None:
    """Return a reference's type; None where only an execution knows."""
    if "Std:Join" in reference:
        return "String"
    if "Get" not in reference:
        return None
    root, name, *rest = keys(reference["Get"])
    if root == "Parameters":
        return definition.parameters[str(name)].type
    if root == "Execution":
        return "String"
    return _of_property(definition.steps[str(name)], tuple(rest))


def _of_property(step: Step, path: tuple[Key, ...]) -> str | None:
    form = EXECUTED[step.type]
    if path[0] == "OutputParameters":
        declared = {output.get("OutputName"): output for output in step.settings.get("OutputParameters", [])}
        return str(declared[path[1]].get("OutputType", "String"))
    if path[0] in form.own_properties:
        return "String"
    for call in form.properties:
        shape = wire.operation(call).output_shape
        for key in path:
            if shape.type_name == "structure":
                shape = shape.members.get(key)
            else:
                shape = getattr(shape, "member", None) or getattr(shape, "value", None)
            if shape is None:
                break
        else:
            return _KINDS.get(shape.type_name)
    return None
