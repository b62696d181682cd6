"""What a release is made of in an account: functions, pipelines, rules, alarms. Each tells what it would change.

Functions' code and definitions are the release's; settings, rules and alarms are today's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import ClientError

from pipeline import templates
from pipeline.difference import differences
from promotion import running
from promotion.accounts import Account
from promotion.errors import DeployFailed
from promotion.manifest import digest

NEW = "(new)"
"""Stands for the version that publishing a function will give."""
ABSENT = {"ResourceNotFoundException", "ResourceNotFound"}
PRESENT = {
    "AlreadyExistsException", "BucketAlreadyOwnedByYou", "EntityAlreadyExists", "RepositoryAlreadyExistsException",
    "ResourceAlreadyExistsException", "ResourceConflictException", "QueueAlreadyExists", "QueueNameExists",
}  # fmt: skip
"""Error codes with which services say that a thing is there already."""
PATIENCE = {"Delay": 0.2, "MaxAttempts": 1500}
"""How a function is waited for: seconds between looks, and how many of them."""
LONGEST = 72
"""Characters of a value that a plan's line shows."""


def ensure(call: Callable[..., Any], **arguments: Any) -> Any:
    """Make a thing unless it is there; return the answer, or None."""
    try:
        return call(**arguments)
    except ClientError as error:
        if error.response["Error"]["Code"] not in PRESENT:
            raise
        return None


def absent(error: ClientError) -> bool:
    """Whether an error says that a thing isn't there."""
    return error.response["Error"]["Code"] in ABSENT


class Function:
    """One function: its code is the release's, its settings are today's."""

    def __init__(self, account: Account, name: str, code: bytes) -> None:
        self._aws = account.client("lambda")
        self.name, self._called, self._code = name, account.names.name(name), code
        every = templates.functions(account.settings)
        own = every["functions"][name]
        self._wanted = {
            "Runtime": every["runtime"],
            "Role": account.names.role(name),
            "Handler": own["handler"],
            "Timeout": own["timeout"],
            "MemorySize": own["memory"],
            "Description": own["description"],
            "Environment": {"Variables": every["environment"]},
        }
        if own.get("dead_letters"):
            self._wanted["DeadLetterConfig"] = {"TargetArn": account.names.dead_letters()}

    def version(self) -> str:
        """Return the published version that is as wanted, or NEW if none is."""
        try:
            pages = self._aws.get_paginator("list_versions_by_function").paginate(FunctionName=self._called)
            fits = [item["Version"] for page in pages for item in page["Versions"] if not self._differs(item)]
        except ClientError as error:
            if not absent(error):
                raise
            fits = []
        return max((version for version in fits if version.isdigit()), key=int, default=NEW)

    def changes(self) -> Iterator[str]:
        """Give a line for each change.

        What counts is the live version. $LATEST is whatever was published last, a release that was rolled back too.
        """
        live = self._live()
        try:
            present = self._aws.get_function_configuration(FunctionName=self._called, Qualifier=live or "$LATEST")
        except ClientError as error:
            if not absent(error):
                raise
            yield f"function {self._called}: new, code {digest(self._code)}"
            return
        for part, before, after in self._differs(present):
            yield f"function {self._called}: {part} {short(before)} → {short(after)}"
        version = self.version()
        if version != live:
            yield f"function {self._called}: live version {live or 'none'} → {version}"

    def put(self) -> str:
        """Create, update or leave the function; return the version that is as wanted."""
        if self.version() == NEW:
            self._publish()
        version = self.version()
        if self._live() is None:
            ensure(self._aws.create_alias, FunctionName=self._called, Name="live", FunctionVersion=version)
        if self._live() != version:
            self._aws.update_alias(FunctionName=self._called, Name="live", FunctionVersion=version)
        return version

    def _publish(self) -> None:
        wanted = {"FunctionName": self._called, **self._wanted}
        if ensure(self._aws.create_function, **wanted, Code={"ZipFile": self._code}) is None:
            self._wait("function_updated_v2")
            self._aws.update_function_configuration(**wanted)
            self._wait("function_updated_v2")
            self._aws.update_function_code(FunctionName=self._called, ZipFile=self._code)
        else:
            self._wait("function_active_v2")
        self._wait("function_updated_v2")
        self._aws.publish_version(FunctionName=self._called)

    def _wait(self, state: str) -> None:
        self._aws.get_waiter(state).wait(FunctionName=self._called, WaiterConfig=PATIENCE)

    def _differs(self, present: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
        found = {"Environment": {"Variables": {}}, **present}
        before = {part: found.get(part) for part in self._wanted} | {"code": running.code_digest(found["CodeSha256"])}
        return list(differences(before, self._wanted | {"code": digest(self._code)}))

    def _live(self) -> str | None:
        try:
            return self._aws.get_alias(FunctionName=self._called, Name="live")["FunctionVersion"]
        except ClientError as error:
            if not absent(error):
                raise
            return None


def put_functions(functions: Collection[Function]) -> dict[str, str]:
    """Put functions at once, since each is mostly waited for; return each one's version that is as wanted."""
    with ThreadPoolExecutor(len(functions)) as pool:
        return dict(zip((function.name for function in functions), pool.map(Function.put, functions), strict=True))


class Pipeline:
    """One pipeline: its definition is the release's, for the versions of the functions that the account has."""

    def __init__(
        self, account: Account, name: str, definition: Callable[[Mapping[str, str]], str], description: str
    ) -> None:
        self._sagemaker, self._role = account.client("sagemaker"), account.names.role("pipeline")
        self._called, self._definition, self._description = account.names.name(name), definition, description

    def changes(self, versions: Mapping[str, str]) -> Iterator[str]:
        """Give a line for each change; `versions` are the functions'."""
        wanted, present = self._wanted(versions), self._present()
        if present is None:
            yield f"pipeline {self._called}: new"
            return
        before = {**{part: present.get(part) for part in wanted}, "PipelineDefinition": _value(present)}
        for path, old, new in differences(before, {**wanted, "PipelineDefinition": _value(wanted)}):
            yield f"pipeline {self._called}: {path} {short(old)} → {short(new)}"

    def put(self, versions: Mapping[str, str]) -> None:
        """Create, update or leave the pipeline."""
        wanted = self._wanted(versions)
        if self._present() is None:
            self._sagemaker.create_pipeline(**wanted)
        elif any(self.changes(versions)):
            self._sagemaker.update_pipeline(**wanted)

    def _wanted(self, versions: Mapping[str, str]) -> dict[str, str]:
        return {
            "PipelineName": self._called,
            "PipelineDefinition": self._definition(versions),
            "PipelineDescription": self._description,
            "RoleArn": self._role,
        }

    def _present(self) -> dict[str, Any] | None:
        try:
            return self._sagemaker.describe_pipeline(PipelineName=self._called)
        except ClientError as error:
            if not absent(error):
                raise
            return None


class NoPipeline:
    """A pipeline that a release doesn't have: an earlier or a later one has deployed it."""

    def __init__(self, account: Account, name: str) -> None:
        self._sagemaker, self._called = account.client("sagemaker"), account.names.name(name)

    def changes(self, _: Mapping[str, str]) -> Iterator[str]:
        """Give the one line, if the pipeline is there."""
        try:
            self._sagemaker.describe_pipeline(PipelineName=self._called)
        except ClientError as error:
            if not absent(error):
                raise
            return
        yield f"pipeline {self._called}: gone"

    def put(self, versions: Mapping[str, str]) -> None:
        """Take the pipeline away; SageMaker refuses while it executes."""
        if any(self.changes(versions)):
            self._sagemaker.delete_pipeline(PipelineName=self._called)


class Rule:
    """One rule of events/, with its targets."""

    def __init__(self, account: Account, rule: Mapping[str, Any]) -> None:
        self._events, self._lambda = account.client("events"), account.client("lambda")
        self._wanted = {"State": "ENABLED", **rule["rule"]}
        self._name = self._wanted["Name"]
        self._bus = {part: self._wanted[part] for part in ("EventBusName",) if part in self._wanted}
        self._targets = {target["Id"]: target for target in rule["targets"]}

    def changes(self) -> Iterator[str]:
        """Give a line for each change."""
        try:
            found = self._events.describe_rule(Name=self._name, **self._bus)
        except ClientError as error:
            if not absent(error):
                raise
            yield f"rule {self._name}: new"
            return
        if "EventPattern" in found:
            found["EventPattern"] = json.loads(found["EventPattern"])
        before = {part: found.get(part) for part in self._wanted}
        for path, old, new in differences(before, self._wanted):
            yield f"rule {self._name}: {path} {short(old)} → {short(new)}"
        listed = self._events.list_targets_by_rule(Rule=self._name, **self._bus)["Targets"]
        for path, old, new in differences({target["Id"]: target for target in listed}, self._targets):
            yield f"rule {self._name}: target {path} {short(old)} → {short(new)}"

    def put(self) -> None:
        """Create or update the rule; targets that it shouldn't have go."""
        arguments = dict(self._wanted)
        if "EventPattern" in arguments:
            arguments["EventPattern"] = json.dumps(arguments["EventPattern"])
        arn = self._events.put_rule(**arguments)["RuleArn"]
        listed = self._events.list_targets_by_rule(Rule=self._name, **self._bus)["Targets"]
        if odd := [target["Id"] for target in listed if target["Id"] not in self._targets]:
            self._events.remove_targets(Rule=self._name, Ids=odd, **self._bus)
        answer = self._events.put_targets(Rule=self._name, Targets=list(self._targets.values()), **self._bus)
        if failed := answer["FailedEntries"]:
            raise DeployFailed(f"rule {self._name}: target {failed[0]['TargetId']}: {failed[0]['ErrorMessage']}")
        for target in self._targets.values():
            function, _, qualifier = target["Arn"].partition(":function:")[2].partition(":")
            if function:
                ensure(
                    self._lambda.add_permission,
                    FunctionName=function,
                    Qualifier=qualifier,
                    StatementId=self._name,
                    Action="lambda:InvokeFunction",
                    Principal="events.amazonaws.com",
                    SourceArn=arn,
                )


class NoRule:
    """A rule of the project that today's templates don't have any more."""

    def __init__(self, account: Account, name: str, bus: str) -> None:
        self._events, self._where = account.client("events"), {"EventBusName": bus}
        self._name = name

    def changes(self) -> Iterator[str]:
        """Give the one line."""
        yield f"rule {self._name}: gone"

    def put(self) -> None:
        """Take the rule away, with its targets."""
        targets = self._events.list_targets_by_rule(Rule=self._name, **self._where)["Targets"]
        if targets:
            self._events.remove_targets(Rule=self._name, Ids=[target["Id"] for target in targets], **self._where)
        self._events.delete_rule(Name=self._name, **self._where)


def leftovers(account: Account, wanted: Collection[str]) -> Iterator[NoRule]:
    """Give the project's rules on the account's buses that are none of the wanted names."""
    events, prefix = account.client("events"), account.names.name("")
    for bus in ("default", account.settings.project):
        try:
            found = events.list_rules(NamePrefix=prefix, EventBusName=bus)["Rules"]
        except ClientError as error:
            if not absent(error):
                raise
            continue
        yield from (NoRule(account, rule["Name"], bus) for rule in found if rule["Name"] not in wanted)


class Alarm:
    """One alarm of events/alarms/."""

    def __init__(self, account: Account, alarm: Mapping[str, Any]) -> None:
        self._cloudwatch, self._wanted = account.client("cloudwatch"), dict(alarm)

    def changes(self) -> Iterator[str]:
        """Give a line for each change."""
        name = self._wanted["AlarmName"]
        found = self._cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
        if not found:
            yield f"alarm {name}: new"
            return
        for path, old, new in differences({part: found[0].get(part) for part in self._wanted}, self._wanted):
            yield f"alarm {name}: {path} {short(old)} → {short(new)}"

    def put(self) -> None:
        """Create or update the alarm."""
        self._cloudwatch.put_metric_alarm(**self._wanted)


def short(value: Any) -> str:
    """Return a value as a plan's line shows it; what is too long keeps its end, where images have their digest."""
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text if len(text) <= LONGEST else f"…{text[-LONGEST:]}"


def _value(request: Mapping[str, Any]) -> Any:
    return json.loads(request["PipelineDefinition"])
