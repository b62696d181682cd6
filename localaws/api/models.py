"""Models: what can be used for scoring."""

from __future__ import annotations

from typing import Any

from localaws import events
from localaws.access import roles
from localaws.api import packages, tags
from localaws.api.call import Call, answers, located
from localaws.api.listing import page
from localaws.errors import Invalid
from localaws.store import Record


@answers("CreateModel")
def create_model(call: Call) -> dict[str, Any]:
    """Create a model from containers or model packages."""
    request, now = call.request, call.app.clock.now()
    name = request["ModelName"]
    arn = call.arn(f"model/{name}")
    if "ExecutionRoleArn" in request:
        roles.require_service_role(call, request["ExecutionRoleArn"])
    containers = [request["PrimaryContainer"]] if "PrimaryContainer" in request else []
    containers += request.get("Containers", [])
    if not containers:
        raise Invalid("A model needs PrimaryContainer or Containers.")
    if "PrimaryContainer" in request and "Containers" in request:
        raise Invalid("A model has either PrimaryContainer or Containers, not both.")
    for container in containers:
        if "ModelPackageName" in container:
            packages.describe(call, container["ModelPackageName"], "sagemaker:DescribeModelPackage")
        elif "Image" not in container and "ModelPackageName" not in container:
            raise Invalid("A container needs an Image or a ModelPackageName.")
    with call.app.store.transaction() as store:
        key = call.key("Model", name)
        if store.get(key):
            raise Invalid(f'Cannot create already existing model "{arn}".')
        body = {member: value for member, value in request.items() if member != "Tags"}
        body |= {"ModelArn": arn, "CreationTime": now, "LastModifiedTime": now}
        body.setdefault("EnableNetworkIsolation", False)
        record = Record(key, body, "InService", "", now, now)
        store.put(record)
        tags.put(store, arn, request.get("Tags"))
        events.model_changed(call.app, record)
    return {"ModelArn": arn}


@answers("DescribeModel")
def describe_model(call: Call) -> dict[str, Any]:
    """A model by its name."""
    return _find(call).body


@answers("ListModels")
def list_models(call: Call) -> dict[str, Any]:
    """The account's models."""
    return page(call, "Models", "Model")


@answers("DeleteModel")
def delete_model(call: Call) -> dict[str, Any]:
    """Delete a model; its data stay where they are."""
    with call.app.store.transaction() as store:
        record = _find(call)
        store.delete(record.key)
        tags.forget(store, record.body["ModelArn"])
        events.model_changed(call.app, record)
    return {}


def _find(call: Call) -> Record:
    key = located(call, "Model", "model", call.request["ModelName"])
    record = call.app.store.get(key) if key.account == call.account else None
    if record is None:
        raise call.missing(f'Could not find model "{call.arn(f"model/{key.name}")}".')
    return record
