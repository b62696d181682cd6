"""SageMaker's awsJson1.1 protocol, read from botocore's model: what a request may be, what an answer is."""

from __future__ import annotations

import base64
import datetime
import functools
import json
import math
from collections.abc import Iterator
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape

from localaws import patterns
from localaws.errors import ApiError, Invalid, Malformed, UnknownOperation

CONTENT_TYPE = "application/x-amz-json-1.1"
_NUMBERS = {"integer": int, "long": int, "float": (int, float), "double": (int, float)}
_BITS = {"integer": 31, "long": 63}


@functools.cache
def service() -> ServiceModel:
    """SageMaker as botocore describes it."""
    return botocore.session.Session().get_service_model("sagemaker")


def operation(name: str) -> OperationModel:
    """The model of an operation; raises UnknownOperation."""
    if name not in service().operation_names:
        raise UnknownOperation(f"SageMaker has no operation {name[:80]}")
    return service().operation_model(name)


def request(model: OperationModel, body: bytes) -> dict[str, Any]:
    """Parse and check a request's body.

    Timestamps come back as seconds since 1970. Raises Malformed or Invalid, in AWS's words.
    """
    try:
        document = json.loads(body or b"{}", parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Malformed("The request's body is not JSON") from error
    if not isinstance(document, dict):
        raise Malformed("The request's body is not a JSON object")
    if model.input_shape is None:
        return {}
    value = _read(model.input_shape, document, "")
    check(model.input_shape, value)
    return value


def check(shape: Shape, value: Any) -> None:
    """Raise Invalid with all that breaks the shape's constraints, as AWS words it."""
    problems = list(_problems(shape, value, ""))
    if problems:
        count = f"{len(problems)} validation error{'s' if len(problems) > 1 else ''} detected"
        raise Invalid(f"{count}: {'; '.join(problems[:10])}")


def answer(model: OperationModel, result: dict[str, Any]) -> bytes:
    """The result as the operation's output, without members that the model doesn't know."""
    shape = model.output_shape
    return json.dumps(_write(shape, result) if shape else {}).encode()


def shaped(shape_name: str, value: dict[str, Any]) -> dict[str, Any]:
    """The part of a value that the named shape knows, with epoch seconds for timestamps."""
    return _write(service().shape_for(shape_name), value)


def refusal(error: ApiError) -> bytes:
    """The body of an error."""
    return coded(error.code, error.message)


def coded(code: str, message: str) -> bytes:
    """The body of an error with a code and a sentence."""
    return json.dumps({"__type": code, "message": message}).encode()


def error_names(model: OperationModel) -> set[str]:
    """The codes of the errors that the model lists for an operation."""
    return {shape.name for shape in model.error_shapes}


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _read(shape: Shape, value: Any, path: str) -> Any:
    if value is None:
        return None
    if isinstance(shape, StructureShape):
        _expect(isinstance(value, dict), path, "an object")
        members = shape.members
        known = {name: _read(members[name], item, _join(path, name)) for name, item in value.items() if name in members}
        return {name: item for name, item in known.items() if item is not None}
    if isinstance(shape, ListShape):
        _expect(isinstance(value, list), path, "a list")
        return [_read(shape.member, item, f"{path}.{number}.member") for number, item in enumerate(value, 1)]
    if isinstance(shape, MapShape):
        _expect(isinstance(value, dict), path, "an object")
        return {key: _read(shape.value, item, _join(path, key)) for key, item in value.items()}
    return _scalar(shape, value, path)


def _scalar(shape: Shape, value: Any, path: str) -> Any:
    kind = shape.type_name
    if kind == "timestamp":
        return _timestamp(value, path)
    if kind == "boolean":
        _expect(isinstance(value, bool), path, "true or false")
    elif kind in _NUMBERS:
        _expect(isinstance(value, _NUMBERS[kind]) and not isinstance(value, bool), path, f"a number ({kind})")
        _expect(_representable(kind, value), path, f"a number ({kind})")
    else:
        _expect(isinstance(value, str), path, "a string")
    return value


def _representable(kind: str, value: float) -> bool:
    if kind in _BITS:
        return -(2 ** _BITS[kind]) <= value < 2 ** _BITS[kind]
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _timestamp(value: Any, path: str) -> float:
    try:
        if isinstance(value, str):
            return datetime.datetime.fromisoformat(value.replace("Z", "+00:00")).timestamp()
        if isinstance(value, int | float) and not isinstance(value, bool):
            datetime.datetime.fromtimestamp(value, datetime.UTC)
            return float(value)
    except (ValueError, OverflowError, OSError):
        pass
    raise Malformed(f"{path} is not a timestamp")


def _expect(holds: bool, path: str, kind: str) -> None:
    if not holds:
        raise Malformed(f"{path or 'The request'} is not {kind}")


def _join(path: str, name: str) -> str:
    name = name[:1].lower() + name[1:]
    return f"{path}.{name}" if path else name


def _problems(shape: Shape, value: Any, path: str) -> Iterator[str]:
    if value is None:
        yield _problem("null", path, "Member must not be null")
    elif isinstance(shape, StructureShape):
        for name in shape.required_members:
            if value.get(name) is None:
                yield _problem("null", _join(path, name), "Member must not be null")
        for name, item in value.items():
            if name in shape.members and item is not None:
                yield from _problems(shape.members[name], item, _join(path, name))
    elif isinstance(shape, ListShape):
        yield from _length(shape, value, path)
        for number, item in enumerate(value, 1):
            yield from _problems(shape.member, item, f"{path}.{number}.member")
    elif isinstance(shape, MapShape):
        yield from _length(shape, value, path)
        for key, item in value.items():
            yield from _problems(shape.key, key, f"{path}.key")
            yield from _problems(shape.value, item, _join(path, key))
    elif shape.type_name == "string":
        yield from _text(shape, value, path)
    elif shape.type_name in _NUMBERS:
        yield from _range(shape, value, path)


def _length(shape: Shape, value: Any, path: str) -> Iterator[str]:
    limits = shape.metadata
    if len(value) > limits.get("max", math.inf):
        yield _problem(_shown(value), path, f"Member must have length less than or equal to {limits['max']}")
    if len(value) < limits.get("min", 0):
        yield _problem(_shown(value), path, f"Member must have length greater than or equal to {limits['min']}")


def _text(shape: Shape, value: str, path: str) -> Iterator[str]:
    too_long = list(_length(shape, value, path))
    yield from too_long
    if shape.metadata.get("enum") and value not in shape.metadata["enum"]:
        choices = ", ".join(shape.metadata["enum"])
        yield _problem(_shown(value), path, f"Member must satisfy enum value set: [{choices}]")
    pattern = shape.metadata.get("pattern")
    if pattern and not too_long and not patterns.matches(pattern, value):
        yield _problem(_shown(value), path, f"Member must satisfy regular expression pattern: {pattern}")


def _range(shape: Shape, value: float, path: str) -> Iterator[str]:
    limits = shape.metadata
    if value > limits.get("max", math.inf):
        yield _problem(_shown(value), path, f"Member must have value less than or equal to {limits['max']}")
    if value < limits.get("min", -math.inf):
        yield _problem(_shown(value), path, f"Member must have value greater than or equal to {limits['min']}")


def _problem(value: str, path: str, constraint: str) -> str:
    return f"Value {value} at '{path}' failed to satisfy constraint: {constraint}"


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return f"'{text[:100]}…'" if len(text) > 100 else f"'{text}'"


def _write(shape: Shape, value: Any) -> Any:
    if isinstance(shape, StructureShape):
        return {
            name: _write(member, value[name]) for name, member in shape.members.items() if value.get(name) is not None
        }
    if isinstance(shape, ListShape):
        return [_write(shape.member, item) for item in value]
    if isinstance(shape, MapShape):
        return {key: _write(shape.value, item) for key, item in value.items()}
    if shape.type_name == "blob":
        return base64.b64encode(value).decode()
    if shape.type_name == "timestamp":
        return round(float(value), 3)
    return value
