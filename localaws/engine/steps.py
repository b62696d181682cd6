"""What each type of step does when its turn comes."""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from localaws import wire
from localaws.api.call import split_arn
from localaws.definition import Step, evaluate, resolve
from localaws.engine.checks import check_request
from localaws.engine.kinds import PROCESSING, TRAINING, TRANSFORM, TUNING, JobType
from localaws.engine.scope import ExecutionScope
from localaws.errors import ApiError
from localaws.store import Key, Record

if TYPE_CHECKING:
    from localaws.application import Application

_ALPHABET = string.ascii_letters + string.digits


@dataclass
class Result:
    """How a step ended, or that it waits for a job or a callback (`status` None)."""

    status: str | None
    failure: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass
class Turn:
    """One attempt at one step."""

    app: Application
    execution: Record
    step: Step
    record: Record
    scope: ExecutionScope

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments with all references resolved."""
        return resolve(self.step.referring()["Arguments"], self.scope)

    def setting(self, name: str) -> Any:
        """A member beside the arguments, resolved."""
        return resolve(self.step.settings.get(name), self.scope)

    def read_ahead(self) -> None:
        """Read what references name in S3, as the execution's role, before a transaction in which nobody may wait."""
        _ = self.arguments, [self.setting(name) for name in self.step.settings]

    def invoke(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Call SageMaker as the execution's role."""
        key = self.execution.key
        role = self.execution.body["_role"].rsplit("/", 1)[-1]
        principal = f"arn:aws:sts::{key.account}:assumed-role/{role}/SageMaker"
        return self.app.invoke(operation, key.account, key.region, principal, request)

    def client(self, service: str) -> Any:
        """A client that acts as the execution's role."""
        key = self.execution.key
        return self.app.client(service, key.account, key.region, self.execution.body["_role"], key.name)

    def name(self, prefix: str | None = None) -> str:
        """A new resource's name, made like SageMaker's."""
        middle = self.step.name.replace("_", "-")
        start = prefix or f"pipelines-{self.execution.key.name}-{middle}"
        return f"{start[:52].rstrip('-')}-{''.join(secrets.choice(_ALPHABET) for _ in range(10))}"


def begin(turn: Turn) -> Result:
    """Do the step, or set in motion what does it; a refusal becomes the step's failure."""
    try:
        return _ACTS[turn.step.type](turn)
    except ApiError as error:
        return Result("Failed", f"{_client_error(error.code)}: {error.message}")
    except ClientError as error:
        return Result("Failed", f"ClientError: {error}")
    except BotoCoreError as error:
        return Result("Failed", f"InternalFailure: {error}")


def _client_error(code: str) -> str:
    return code if code in ("ResourceLimitExceeded", "InternalFailure") else f"ClientError: {code}"


def _job(job: JobType, metadata: str) -> Callable[[Turn], Result]:
    def act(turn: Turn) -> Result:
        name = _job_name(turn, job)
        # The arguments may hold the job's own name, as Execution.TrainingJobName.
        turn.scope.execution = {**turn.scope.execution, job.name: name}
        return start_job(turn, job, metadata, turn.arguments | {job.name: name})

    return act


def _job_name(turn: Turn, job: JobType) -> str:
    name = turn.name(resolve(turn.step.arguments.get(job.name), turn.scope))
    return name[-32:].lstrip("-") if job is TUNING else name


def start_job(turn: Turn, job: JobType, metadata: str, request: dict[str, Any]) -> Result:
    """Create the step's job, whose name is in the request; the step ends when the job does."""
    name = request[job.name]
    store, key = turn.app.store, turn.execution.key
    with store.transaction():
        made = turn.invoke(f"Create{job.kind}", request)
        record = store.get(Key(job.kind, key.account, key.region, name))
        assert record is not None
        record.body["_step"] = [key.account, key.region, key.name, turn.step.name]
        store.put(record)
        return Result(None, metadata={metadata: {"Arn": made[job.arn]}})


def describe_job(record: Record) -> dict[str, Any]:
    """What Describe… answers for a job, as the step's properties."""
    return wire.shaped(f"Describe{record.key.kind}Response", record.body)


def _model(turn: Turn) -> Result:
    arguments = turn.arguments
    name = turn.name(arguments.get("ModelName"))
    made = turn.invoke("CreateModel", arguments | {"ModelName": name})
    return Result("Succeeded", None, {"Model": {"Arn": made["ModelArn"]}}, _described(turn, "Model", name))


def _register(turn: Turn) -> Result:
    request = dict(turn.arguments)
    group = request.get("ModelPackageGroupName", "")
    if group and not group.startswith("arn:"):
        key = turn.execution.key
        if turn.app.store.get(Key("ModelPackageGroup", key.account, key.region, group)) is None:
            turn.invoke("CreateModelPackageGroup", {"ModelPackageGroupName": group})
    origin = {"GeneratedBy": turn.execution.body["PipelineExecutionArn"]}
    request["MetadataProperties"] = origin | request.get("MetadataProperties", {})
    arn = turn.invoke("CreateModelPackage", request)["ModelPackageArn"]
    region, account, _, name = split_arn(arn) or ("", "", "", "")
    record = turn.app.store.get(Key("ModelPackage", account, region, name))
    assert record is not None
    properties = wire.shaped("DescribeModelPackageOutput", record.body)
    return Result("Succeeded", None, {"RegisterModel": {"Arn": arn}}, properties)


def _described(turn: Turn, kind: str, name: str) -> dict[str, Any]:
    key = turn.execution.key
    record = turn.app.store.get(Key(kind, key.account, key.region, name))
    assert record is not None
    return wire.shaped(f"Describe{kind}Output", record.body)


def _condition(turn: Turn) -> Result:
    outcome = "True" if all(evaluate(item, turn.scope) for item in turn.step.conditions) else "False"
    return Result("Succeeded", None, {"Condition": {"Outcome": outcome}}, {"Outcome": outcome})


def _fail(turn: Turn) -> Result:
    message = str(turn.arguments.get("ErrorMessage", ""))[:3072]
    return Result("Failed", message or "The Fail step was reached.", {"Fail": {"ErrorMessage": message}})


def _lambda(turn: Turn) -> Result:
    arn = turn.setting("FunctionArn")
    answer = turn.client("lambda").invoke(FunctionName=arn, Payload=json.dumps(turn.arguments).encode())
    text = answer["Payload"].read().decode()
    if answer.get("FunctionError"):
        return Result("Failed", f"ClientError: The function {arn} failed: {_error_of(text)}"[:1024])
    wanted = turn.setting("OutputParameters") or []
    try:
        outputs = _outputs(wanted, json.loads(text or "null"))
    except (ValueError, LookupError) as error:
        return Result("Failed", f"ClientError: The function {arn} did not return {error}"[:1024])
    shown = [{"Name": name, "Value": _text(value)} for name, value in outputs.items()]
    metadata = {"Lambda": {"Arn": arn, "OutputParameters": shown}}
    return Result("Succeeded", None, metadata, {"OutputParameters": outputs})


def timed_out(result: Result) -> bool:
    """Whether a function ended at its own limit."""
    return result.status == "Failed" and "timed out" in (result.failure or "")


def _error_of(text: str) -> str:
    try:
        error = json.loads(text)
        return f"{error.get('errorType', 'Error')}: {error.get('errorMessage', '')}"
    except (ValueError, AttributeError):
        return text


def _outputs(wanted: list[dict[str, str]], given: Any) -> dict[str, Any]:
    """The declared outputs, in their declared types; LookupError or ValueError names the one that is wrong."""
    found: dict[str, Any] = {}
    for item in wanted:
        name, kind = item["OutputName"], item.get("OutputType", "String")
        if not isinstance(given, dict) or name not in given:
            raise LookupError(f"the output {name}")
        value = given[name]
        try:
            found[name] = _typed(value, kind)
        except (ValueError, TypeError):
            raise ValueError(f"the output {name} as {kind}") from None
    return found


def _typed(value: Any, kind: str) -> Any:
    if kind == "String":
        return _text(value)
    if kind == "Boolean":
        if _text(value).lower() not in ("true", "false"):
            raise ValueError(value)
        return _text(value).lower() == "true"
    return int(value) if kind == "Integer" else float(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _callback(turn: Turn) -> Result:
    token = turn.record.body.setdefault("_token", secrets.token_hex(5))
    url = turn.setting("SqsQueueUrl")
    store = turn.app.store
    # Whoever hears of the token may answer at once.
    with store.transaction():
        waiting = store.get(turn.record.key)
        if waiting is not None and waiting.status == "Executing":
            waiting.body |= {"_token": token, "_queue": url}
            store.put(waiting)
    send_callback(turn.app, turn.execution, turn.client("sqs"), url, token, turn.arguments, "Executing")
    return Result(None, metadata={"Callback": {"CallbackToken": token, "SqsQueueUrl": url}})


def send_callback(
    app: Application, execution: Record, client: Any, url: str, token: str, arguments: Any, status: str
) -> None:
    """Tell the queue that a callback step waits (or was stopped)."""
    body = {
        "token": token,
        "pipelineExecutionArn": execution.body["PipelineExecutionArn"],
        "arguments": arguments,
        "status": status,
    }
    client.send_message(QueueUrl=url, MessageBody=json.dumps(body))


def callback_outputs(step: Step, given: dict[str, str]) -> dict[str, Any]:
    """A callback's outputs in their declared types; LookupError or ValueError names the one that is wrong."""
    return _outputs(list(step.settings.get("OutputParameters") or []), given)


def _check(turn: Turn) -> Result:
    request, metadata = check_request(turn)
    request |= {PROCESSING.name: _job_name(turn, PROCESSING)}
    result = start_job(turn, PROCESSING, "ProcessingJob", request)
    metadata["CheckJobArn"] = result.metadata["ProcessingJob"]["Arn"]
    return Result(None, metadata={turn.step.type: metadata})


_ACTS: dict[str, Callable[[Turn], Result]] = {
    "Processing": _job(PROCESSING, "ProcessingJob"),
    "Training": _job(TRAINING, "TrainingJob"),
    "Transform": _job(TRANSFORM, "TransformJob"),
    "Tuning": _job(TUNING, "TuningJob"),
    "Model": _model,
    "RegisterModel": _register,
    "Condition": _condition,
    "Fail": _fail,
    "Lambda": _lambda,
    "Callback": _callback,
    "QualityCheck": _check,
    "ClarifyCheck": _check,
}
