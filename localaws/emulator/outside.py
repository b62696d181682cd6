"""What the built-in emulator's functions leave, where queues, topics, logs and metrics are another emulator's.

Functions run in sessions of that emulator; their logs, metrics and dead letters are handed to it through localaws' own
port. Like all that reaches into ministack, this is held by a test and by the pinned version.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

Client = Callable[[str, str, str], Any]
"""Takes a service, an account and a region; gives a boto3 client of the account's root."""

_log = logging.getLogger("localaws.emulator")
_KEPT_SECONDS = 3000
"""A session ends after an hour."""


def connect(ministack: Any, client: Client, session: Client, services: frozenset[str]) -> None:
    """Let functions at home use the services that aren't.

    Args:
        ministack: its application's module.
        client: makes clients that go through localaws' port; they are called in a thread of their own.
        session: makes clients that go straight to the other emulator; they may be called from the server's loop.
        services: those that are at home.
    """
    # One thread keeps the order of what one function says.
    pool = ThreadPoolExecutor(1, thread_name_prefix="outside")

    def later(act: Callable[..., Any], *arguments: Any) -> None:
        from ministack.core.responses import get_account_id, get_region

        where = get_account_id(), get_region()
        pool.submit(_safely, act, lambda service: client(service, *where), *arguments)

    if "sts" not in services:
        _sessions(session)
    if "logs" not in services:
        _logs(ministack, later)
    if "monitoring" not in services:
        ministack._get_module("cloudwatch").record_metric = lambda *given: later(_put_metric, *_metric(*given))
    if "sqs" not in services:
        _queues(ministack, later)
    if "sns" not in services:
        _topics(ministack, later)


def _safely(act: Callable[..., Any], client: Callable[[str], Any], *arguments: Any) -> None:
    try:
        act(client, *arguments)
    except (ClientError, BotoCoreError) as error:
        _log.warning("what a function left could not be handed on: %s", error)


def _sessions(session: Client) -> None:
    from ministack.core import lambda_runtime
    from ministack.services import lambda_svc

    made: dict[tuple[str, str], tuple[dict[str, str], float]] = {}

    def credentials(config: dict[str, Any]) -> dict[str, str]:
        account, region = lambda_runtime._account_region_from_function_config(config)
        role, name = config.get("Role", ""), config.get("FunctionName", "function")[:64]
        kept = made.get((role, name))
        if kept is None or kept[1] < time.time():
            found = session("sts", account, region).assume_role(RoleArn=role, RoleSessionName=name)["Credentials"]
            keys = {
                "AWS_ACCESS_KEY_ID": found["AccessKeyId"],
                "AWS_SECRET_ACCESS_KEY": found["SecretAccessKey"],
                "AWS_SESSION_TOKEN": found["SessionToken"],
            }
            kept = made[role, name] = keys, time.time() + _KEPT_SECONDS
        return kept[0]

    lambda_runtime.execution_credentials = lambda_svc.execution_credentials = credentials


def _logs(ministack: Any, later: Callable[..., None]) -> None:
    functions, logs = ministack._get_module("lambda_svc"), ministack._get_module("cloudwatch_logs")
    write = functions._emit_lambda_logs

    def write_and_hand_on(*given: Any, **named: Any) -> None:
        write(*given, **named)
        for group in list(logs._log_groups):
            for stream, content in logs._log_groups.pop(group)["streams"].items():
                later(_put_logs, group, stream, content["events"])

    functions._emit_lambda_logs = write_and_hand_on


def _put_logs(client: Callable[[str], Any], group: str, stream: str, events: list[dict[str, Any]]) -> None:
    logs = client("logs")
    for make, names in (
        (logs.create_log_group, {"logGroupName": group}),
        (logs.create_log_stream, {"logGroupName": group, "logStreamName": stream}),
    ):
        try:
            make(**names)
        except logs.exceptions.ResourceAlreadyExistsException:
            continue
    logs.put_log_events(
        logGroupName=group,
        logStreamName=stream,
        # A line of its own has no text, and CloudWatch takes none without.
        logEvents=[{"timestamp": event["timestamp"], "message": event["message"] or " "} for event in events],
    )


def _metric(
    namespace: str, name: str, value: float, unit: str = "None", dimensions: dict[str, str] | None = None
) -> tuple[str, dict[str, Any]]:
    pairs = [{"Name": key, "Value": text} for key, text in (dimensions or {}).items()]
    return namespace, {"MetricName": name, "Value": float(value), "Unit": unit, "Dimensions": pairs}


def _put_metric(client: Callable[[str], Any], namespace: str, metric: dict[str, Any]) -> None:
    client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=[metric])


def _queues(ministack: Any, later: Callable[..., None]) -> None:
    class Messages(list[dict[str, Any]]):
        """Messages of a queue that is elsewhere."""

        def __init__(self, arn: str) -> None:
            super().__init__()
            self._arn = arn

        def append(self, message: dict[str, Any]) -> None:
            later(_send, self._arn, message["body"])

    ministack._get_module("sqs")._queue_by_arn = lambda arn: {"messages": Messages(arn), "attributes": {}}


def _send(client: Callable[[str], Any], arn: str, text: str) -> None:
    sqs, (account, name) = client("sqs"), arn.split(":")[-2:]
    url = sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=text)


def _topics(ministack: Any, later: Callable[..., None]) -> None:
    sns = ministack._get_module("sns")

    class Topics(type(sns._topics)):  # type: ignore[misc]
        """Topics that are elsewhere: whatever is named may be there."""

        __slots__ = ()

        def __contains__(self, arn: object) -> bool:
            return True

    sns._topics.__class__ = Topics
    sns._fanout = lambda arn, number, text, subject, *_, **__: later(_publish, arn, text, subject)


def _publish(client: Callable[[str], Any], arn: str, text: str, subject: str) -> None:
    client("sns").publish(TopicArn=arn, Message=text, Subject=subject or "Lambda")
