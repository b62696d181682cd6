"""The targets of EventBridge rules: pipelines, functions, topics, queues, log groups and other buses."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from localaws.access import enforce
from localaws.errors import ApiError
from localaws.events import outbox, payload

if TYPE_CHECKING:
    from localaws.application import Application

_log = logging.getLogger("localaws.events")
_TRANSIENT = {"ThrottlingException", "TooManyRequestsException", "InternalFailure", "ServiceUnavailable"}


class Refused(Exception):
    """A delivery that no repetition will make succeed."""


@dataclass(frozen=True)
class Delivery:
    """One event on its way to one target of a rule of `account`."""

    row: int
    account: str
    region: str
    rule: str
    target: dict[str, Any]
    event: dict[str, Any]
    hops: int


def deliver(app: Application, delivery: Delivery) -> None:
    """Bring the event to its target; raises Refused, or anything else for another attempt."""
    parts = delivery.target["Arn"].split(":", 5)
    if len(parts) != 6:
        raise Refused(f"{delivery.target['Arn']} is not an ARN")
    _, _, service, region, account, resource = parts
    if service == "events" and resource.startswith("event-bus/"):
        return _to_bus(app, delivery, account, region, resource.split("/", 1)[1])
    act = _ACTS.get(service)
    if act is None:
        raise Refused(f"localaws does not deliver to {service}")
    if region != delivery.region:
        raise Refused("a rule's target must be in the rule's region")
    content = payload.of(delivery.target, delivery.event, delivery.rule)
    try:
        act(app, delivery, account, resource, content)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
        if status < 500 and code not in _TRANSIENT:
            raise Refused(str(error)) from error
        raise
    except ApiError as error:
        raise Refused(error.message) from error


def dead_letter(app: Application, delivery: Delivery, attempts: int, error: Exception) -> None:
    """Send an event that couldn't be delivered to its target's dead-letter queue, if it has one."""
    queue = delivery.target.get("DeadLetterConfig", {}).get("Arn")
    if not queue:
        return
    code = "SDK_CLIENT_ERROR" if isinstance(error, Refused) else "RETRIES_EXHAUSTED"
    attributes = {
        "RULE_ARN": delivery.rule,
        "TARGET_ARN": delivery.target["Arn"],
        "ERROR_CODE": code,
        "ERROR_MESSAGE": str(error)[:1024] or type(error).__name__,
        "RETRY_ATTEMPTS": str(attempts - 1),
    }
    try:
        _send(app, delivery.region, queue, json.dumps(delivery.event), attributes)
    except Exception:
        _log.exception("rule %s: the dead-letter queue %s did not take an event", delivery.rule, queue)


def _to_pipeline(app: Application, delivery: Delivery, account: str, resource: str, content: str) -> None:
    if account != delivery.account:
        raise Refused("a pipeline can't be the target of another account's rule")
    given = delivery.target.get("SageMakerPipelineParameters", {}).get("PipelineParameterList", [])
    values = [{"Name": item["Name"], "Value": _dynamic(item["Value"], delivery.event)} for item in given]
    token = f"localaws-delivery-{app.identity}-{delivery.row:020d}"
    request = {
        "PipelineName": resource.split("/", 1)[1],
        "ClientRequestToken": token,
        "PipelineParameters": values,
    }
    app.invoke("StartPipelineExecution", account, delivery.region, _principal(delivery), request)


def _to_lambda(app: Application, delivery: Delivery, account: str, resource: str, content: str) -> None:
    client = app.client("lambda", account, delivery.region)
    client.invoke(FunctionName=delivery.target["Arn"], InvocationType="Event", Payload=content.encode())


def _to_topic(app: Application, delivery: Delivery, account: str, resource: str, content: str) -> None:
    app.client("sns", account, delivery.region).publish(TopicArn=delivery.target["Arn"], Message=content)


def _to_queue(app: Application, delivery: Delivery, account: str, resource: str, content: str) -> None:
    group = delivery.target.get("SqsParameters", {}).get("MessageGroupId")
    _send(app, delivery.region, delivery.target["Arn"], content, {}, group)


def _to_log_group(app: Application, delivery: Delivery, account: str, resource: str, content: str) -> None:
    group = resource.removeprefix("log-group:").removesuffix(":*")
    stream = f"{delivery.event['id']}"
    client = app.client("logs", account, delivery.region)
    client.create_log_stream(logGroupName=group, logStreamName=stream)
    event = {"timestamp": int(app.clock.real() * 1000), "message": content}
    client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[event])


def _to_bus(app: Application, delivery: Delivery, account: str, region: str, bus: str) -> None:
    arn = delivery.target["Arn"]
    policy = app.emulator.bus_policy(account, region, bus)
    if policy is None:
        raise Refused(f"there is no event bus {arn}")
    if account != delivery.account:
        try:
            enforce.require_put_events(app, region, _principal(delivery), arn, policy, delivery.event)
        except enforce.Denied as error:
            raise Refused(str(error)) from None
    outbox.put_event(app, account, region, bus, delivery.event, delivery.hops + 1)


def _send(
    app: Application, region: str, queue: str, body: str, attributes: dict[str, str], group: str | None = None
) -> None:
    _, _, _, _, account, name = queue.split(":", 5)
    client = app.client("sqs", account, region)
    url = client.get_queue_url(QueueName=name)["QueueUrl"]
    fields = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
    ordered = {"MessageGroupId": group} if group else {}
    client.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=fields, **ordered)


def _principal(delivery: Delivery) -> str:
    """Who acts for a rule: the target's role in a session of EventBridge's, or the rule's account."""
    role = delivery.target.get("RoleArn")
    if role is None:
        return f"arn:aws:iam::{delivery.account}:root"
    return f"arn:aws:sts::{role.split(':')[4]}:assumed-role/{role.rsplit('/', 1)[-1]}/events"


def _dynamic(value: str, event: dict[str, Any]) -> str:
    """A pipeline parameter's value; one that begins with `$.` is a path into the event."""
    if not value.startswith("$."):
        return value
    found = payload.at(event, value)
    return found if isinstance(found, str) else json.dumps(found)


_ACTS = {
    "sagemaker": _to_pipeline,
    "lambda": _to_lambda,
    "sns": _to_topic,
    "sqs": _to_queue,
    "logs": _to_log_group,
}
