"""Carries executions forward: whenever something has happened, `advance` begins what can begin.

All state is in the store, so that an execution is carried on by another process just as by this one.
"""

from __future__ import annotations

import functools
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from localaws import events
from localaws.definition import Definition, Unresolvable, parse
from localaws.disk import DiskFull
from localaws.engine import cache, checks, faults, retries, steps, trials
from localaws.engine.kinds import FINAL, JOB_TYPES, TUNING
from localaws.engine.plan import RUNNING, Plan
from localaws.engine.scope import ExecutionScope
from localaws.errors import Conflict
from localaws.store import Key, Record

if TYPE_CHECKING:
    from localaws.api.call import Call
    from localaws.application import Application

_log = logging.getLogger("localaws.engine")
_ENDED = {"Succeeded", "Failed", "Stopped"}
_THREADS = 16


@functools.lru_cache(maxsize=64)
def _parsed(text: str) -> Definition:
    return parse(text)


class Engine:
    """Executes pipelines."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="engine")
        self._locks = [threading.Lock() for _ in range(64)]
        self._timers: set[threading.Timer] = set()
        self._calling: set[Key] = set()
        self._closed = False

    def start(self) -> None:
        """Carry on the executions that an earlier process left."""
        running = "kind='PipelineExecution' AND status IN ('Executing', 'Stopping')"
        for execution in self._app.store.select(running, ()):
            for name, step in self._steps(execution.key).items():
                if step.status in RUNNING and not self._waits_elsewhere(step):
                    self._submit(self._run, execution.key, name)
            self.advance(execution.key)

    def close(self) -> None:
        """Begin nothing more."""
        self._closed = True
        for timer in list(self._timers):
            timer.cancel()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def advance(self, key: Key) -> None:
        """Look, in a thread of the pool, what an execution can do next."""
        self._submit(self._advance, key)

    def stopping(self, execution: Record) -> None:
        """Note that an execution is to stop (inside a transaction)."""
        self._changed(execution, "Stopping")

    def retrying(self, execution: Record) -> None:
        """Forget the steps that failed or were stopped, so that they begin again (inside a transaction).

        Raises Conflict for an execution that a Fail step ended, as AWS does.
        """
        found = self._steps(execution.key)
        if any(step.body["_type"] == "Fail" and step.status == "Failed" for step in found.values()):
            raise Conflict("An execution that ended in a Fail step can't be retried.")
        for step in found.values():
            if step.status != "Succeeded":
                self._app.store.delete(step.key)
        for member in ("FailureReason", "_ended"):
            execution.body.pop(member, None)
        self._changed(execution, "Executing")

    def job_ended(self, job: Record) -> None:
        """A job has ended: finish the step or the tuning that waits for it."""
        if "_tuning" in job.body:
            self._app.tuning.advance(
                Key("HyperParameterTuningJob", job.key.account, job.key.region, job.body["_tuning"])
            )
        if "_step" in job.body:
            account, region, execution, step = job.body["_step"]
            self._submit(self._job_ended, Key("PipelineExecution", account, region, execution), step, job)

    def called_back(self, call: Call, outputs: dict[str, str], failure: str | None) -> str:
        """Finish the callback step that a token belongs to; the execution's ARN."""
        token = call.request["CallbackToken"]
        with self._app.store.transaction() as store:
            waiting = store.select(
                "kind='PipelineExecutionStep' AND account=? AND region=? AND status IN ('Executing', 'Stopping') "
                "AND json_extract(body, '$._token')=?",
                (call.account, call.region, token),
            )
            if not waiting:
                raise call.missing("No pipeline execution step waits for this callback token.")
            step = waiting[0]
            execution = store.get(Key("PipelineExecution", call.account, call.region, step.parent))
            assert execution is not None
            name, result = step.body["StepName"], steps.Result("Failed", failure)
            if step.status == "Stopping":
                result = steps.Result("Stopped")
            elif failure is None:
                definition = _parsed(execution.body["_definition"]).steps[name]
                try:
                    typed = steps.callback_outputs(definition, outputs)
                except (LookupError, ValueError) as error:
                    raise Conflict(f"The callback does not give {error}.") from error
                shown = [{"Name": key, "Value": value} for key, value in outputs.items()]
                metadata = {"CallbackToken": token, "SqsQueueUrl": step.body["_queue"], "OutputParameters": shown}
                result = steps.Result("Succeeded", None, {"Callback": metadata}, {"OutputParameters": typed})
            self._finish(execution, step, result)
            store.after_commit(lambda: self.advance(execution.key))
            return execution.body["PipelineExecutionArn"]

    def _submit(self, act: Any, *arguments: Any) -> None:
        def run() -> None:
            try:
                self._app.store.patiently(lambda: act(*arguments), lambda: self._closed)
            except Exception:
                if not self._closed:
                    _log.exception("the engine failed at %s", arguments)

        if not self._closed:
            self._pool.submit(run)

    def _lock(self, key: Key) -> threading.Lock:
        return self._locks[hash(key) % len(self._locks)]

    def _steps(self, execution: Key) -> dict[str, Record]:
        place = (execution.account, execution.region, execution.name)
        found = self._app.store.select("kind='PipelineExecutionStep' AND account=? AND region=? AND parent=?", place)
        return {record.body["StepName"]: record for record in found}

    def _borrowed(self, execution: Record) -> dict[str, Record]:
        """The steps of the execution that a selective one builds upon, which may build upon another."""
        source = (execution.body.get("SelectiveExecutionConfig") or {}).get("SourcePipelineExecutionArn")
        if source is None:
            return {}
        record = self._app.store.get(replace(execution.key, name=source.rsplit("/", 1)[1]))
        return self._borrowed(record) | self._steps(record.key) if record else {}

    def succeeded(self, execution: Record) -> set[str]:
        """The steps whose results another execution can take from this one."""
        found = self._borrowed(execution) | self._steps(execution.key)
        return {name for name, step in found.items() if step.status == "Succeeded"}

    def _plan(self, execution: Record, found: dict[str, Record]) -> Plan:
        config = execution.body.get("SelectiveExecutionConfig")
        return Plan(
            _parsed(execution.body["_definition"]),
            {name: step.status for name, step in found.items()},
            {
                name: step.body["_properties"]["Outcome"] == "True"
                for name, step in found.items()
                if step.body["_type"] == "Condition" and step.status == "Succeeded"
            },
            {step["StepName"] for step in config["SelectedSteps"]} if config else None,
        )

    def _advance(self, key: Key) -> None:
        with self._lock(key), self._app.store.transaction() as store:
            execution = store.get(key)
            if execution is None or execution.status in _ENDED:
                return
            found = self._steps(key)
            plan = self._plan(execution, found)
            running = plan.running()
            ended_by_fail = any(step.body["_type"] == "Fail" and step.status == "Failed" for step in found.values())
            if execution.status == "Stopping" or ended_by_fail:
                for name in running:
                    self._stop_step(execution, found[name])
                if not [name for name in running if found[name].status in RUNNING]:
                    self._end(execution, "Failed" if ended_by_fail else "Stopped")
                return
            limit = (execution.body.get("ParallelismConfiguration") or {}).get("MaxParallelExecutionSteps", 10**6)
            beginning = plan.ready()[: max(0, limit - len(running))]
            for name in beginning:
                self._begin(execution, plan.definition, name)
            if not running and not beginning:
                self._end(execution, "Failed" if plan.failed() else "Succeeded")

    def _begin(self, execution: Record, definition: Definition, name: str) -> None:
        step, key, now = definition.steps[name], execution.key, self._app.clock.now()
        body = {
            "StepName": name,
            "StepDisplayName": step.display_name,
            "StepDescription": step.description,
            "StartTime": now,
            "StepStatus": "Starting",
            "AttemptCount": 1,
            "_type": step.type,
        }
        place = Key("PipelineExecutionStep", key.account, key.region, f"{key.name}/{name}")
        record = Record(place, body, "Starting", key.name, now, now)
        events.step_changed(self._app, execution, record, None)
        self._step_changed(execution, record, "Executing")
        self._app.store.after_commit(lambda: self._submit(self._run, key, name))

    def _run(self, key: Key, name: str) -> None:
        """Make one attempt at a step."""
        store = self._app.store
        execution, found = store.get(key), self._steps(key)
        record = found.get(name)
        if execution is None or record is None or record.status != "Executing":
            return
        turn = self._turn(execution, found, name)
        try:
            if self._from_cache(turn):
                return
            if (failure := faults.take(store, name)) is not None:
                self._settle_surely(turn, steps.Result("Failed", failure))
                return
            apart = turn.step.type in ("Lambda", "Callback", "Condition")
            if not apart:
                turn.read_ahead()
            with self._lock(key):
                if self._still(key, name) is None:
                    return
                if not apart:
                    with store.transaction():
                        self._settle(turn, steps.begin(turn))
                    return
                if turn.step.type == "Lambda":
                    self._calling.add(record.key)
            self._settle_surely(turn, steps.begin(turn))
        except Unresolvable as error:
            self._settle_surely(turn, steps.Result("Failed", f"ClientError: {error}"))
        except Exception as error:
            if self._closed:
                return
            if not isinstance(error, DiskFull):
                _log.exception("step %s of %s", name, key.name)
            self._settle_surely(turn, steps.Result("Failed", f"InternalFailure: {type(error).__name__}: {error}"))
        finally:
            self._calling.discard(record.key)

    def _turn(self, execution: Record, found: dict[str, Record], name: str) -> steps.Turn:
        definition = _parsed(execution.body["_definition"])
        scope = ExecutionScope(self._app, execution, definition, self._borrowed(execution) | found)
        return steps.Turn(self._app, execution, definition.steps[name], found[name], scope)

    def _still(self, key: Key, name: str) -> Record | None:
        place = Key("PipelineExecutionStep", key.account, key.region, f"{key.name}/{name}")
        record = self._app.store.get(place)
        return record if record is not None and record.status == "Executing" else None

    def _from_cache(self, turn: steps.Turn) -> bool:
        step = turn.step
        if step.cache_config is None or not step.cache_config.enabled:
            return False
        settings = {name: turn.setting(name) for name in step.settings}
        signature = cache.key(turn.execution.body["PipelineArn"], step, turn.arguments, settings)
        turn.record.body["_signature"] = signature
        hit = cache.find(self._app, step, signature)
        if hit is None:
            return False
        turn.record.body["CacheHitResult"] = {"SourcePipelineExecutionArn": hit["Source"]}
        self._settle(turn, steps.Result("Succeeded", None, hit["Metadata"], hit["Properties"]))
        return True

    def _settle_surely(self, turn: steps.Turn, result: steps.Result) -> None:
        """Write what an attempt came to as soon as there is room for it: the attempt itself must not be repeated."""
        self._app.store.patiently(lambda: self._settle(turn, result), lambda: self._closed)

    def _settle(self, turn: steps.Turn, result: steps.Result) -> None:
        """Write what an attempt came to, unless the step was stopped meanwhile."""
        key = turn.execution.key
        with self._app.store.transaction() as store:
            current, execution = store.get(turn.record.key), store.get(key)
            if current is None or execution is None:
                return
            if current.status == "Stopping" and current.key in self._calling:
                # What is stopped is the execution; AWS waits for the function, and tells only its timeout as a failure.
                result = result if steps.timed_out(result) else steps.Result("Stopped", metadata=result.metadata)
            elif current.status != "Executing":
                return
            current.body |= {
                k: v for k, v in turn.record.body.items() if k in ("_signature", "_token", "CacheHitResult")
            }
            if result.status is None:
                current.body["Metadata"] = result.metadata
                store.put(current)
                return
            self._finish(execution, current, result)
            store.after_commit(lambda: self.advance(key))

    def _job_ended(self, key: Key, name: str, job: Record) -> None:
        execution, found, verdict = self._app.store.get(key), self._steps(key), checks.NONE
        if execution and name in found and found[name].body["_type"] in checks.TYPES and job.status == "Completed":
            # S3 is asked before the transaction, because others' calls wait for that.
            verdict = checks.verdict(self._turn(execution, found, name), job)
        with self._app.store.transaction() as store:
            execution, record = store.get(key), self._steps(key).get(name)
            if execution is None or record is None or record.status not in RUNNING:
                return
            metadata = record.body.get("Metadata", {})
            if job.body[JOB_TYPES[job.key.kind].arn] not in str(metadata):
                return
            status = {"Completed": "Succeeded"}.get(job.status, job.status)
            failure = f"{job.body.get('FailureReason') or 'The job failed.'}" if status == "Failed" else None
            properties = steps.describe_job(job)
            if job.key.kind == TUNING.kind:
                properties["TrainingJobSummaries"] = trials.best_first(store, job.key)
            if record.body["_type"] in checks.TYPES and status != "Stopped":
                checked = metadata[record.body["_type"]]
                status, failure, properties = checks.conclude(checked, verdict, failure)
            self._finish(execution, record, steps.Result(status, failure, metadata, properties))
            store.after_commit(lambda: self.advance(key))

    def _finish(self, execution: Record, record: Record, result: steps.Result) -> None:
        """Give a step its end, or another attempt if its retry policies say so (inside a transaction)."""
        body, now = record.body, self._app.clock.now()
        if result.metadata:
            body["Metadata"] = result.metadata
        if result.status == "Failed" and execution.status == "Executing":
            policies = _parsed(execution.body["_definition"]).steps[body["StepName"]].retry_policies
            pause = retries.wait(policies, result.failure or "", body["AttemptCount"], now - body["StartTime"])
            if pause is not None:
                self._retry(execution.key, record, pause)
                return
        body["_properties"] = result.properties
        body["EndTime"] = now
        if result.failure:
            body["FailureReason"] = result.failure[:1024]
        self._step_changed(execution, record, result.status or "Failed")
        if record.status == "Succeeded":
            cache.keep(self._app, execution, record)

    def _retry(self, key: Key, record: Record, pause: float) -> None:
        record.body["AttemptCount"] += 1
        record.body.pop("Metadata", None)
        self._app.store.put(record)
        self._app.store.after_commit(lambda: self._later(pause, key, record.body["StepName"]))

    def _later(self, pause: float, key: Key, name: str) -> None:
        def run() -> None:
            self._timers.discard(timer)
            self._submit(self._run, key, name)

        timer = threading.Timer(pause, run)
        timer.daemon = True
        self._timers.add(timer)
        timer.start()

    def _stop_step(self, execution: Record, record: Record) -> None:
        """Stop what a step does (inside a transaction); a job's step ends when the job has."""
        app, metadata = self._app, record.body.get("Metadata", {})
        job = self._job_of(record)
        if job is not None and job.status not in FINAL:
            if record.status != "Stopping":
                self._step_changed(execution, record, "Stopping")
            if job.status != "Stopping":
                app.jobs.stopping(job)
                app.store.after_commit(lambda: self._submit(app.jobs.stop, job.key))
            return
        told = record.status == "Stopping"
        if "Callback" in metadata and not told:
            app.store.after_commit(lambda: self._submit(self._tell_callback, execution, record))
        if record.key in self._calling or ("Callback" in metadata and execution.status == "Stopping"):
            # A function ends by itself, and a callback with its answer.
            if not told:
                self._step_changed(execution, record, "Stopping")
            return
        record.body["EndTime"] = app.clock.now()
        self._step_changed(execution, record, "Stopped")

    def _tell_callback(self, execution: Record, record: Record) -> None:
        metadata, key = record.body["Metadata"]["Callback"], execution.key
        client = self._app.client("sqs", key.account, key.region, execution.body["_role"], key.name)
        url, token = metadata["SqsQueueUrl"], metadata["CallbackToken"]
        steps.send_callback(self._app, execution, client, url, token, {}, "Stopping")

    def _job_of(self, record: Record) -> Record | None:
        for metadata in record.body.get("Metadata", {}).values():
            arn = metadata.get("Arn") or metadata.get("CheckJobArn") or ""
            for job in JOB_TYPES.values():
                if f":{job.resource}/" in arn:
                    key = record.key
                    return self._app.store.get(Key(job.kind, key.account, key.region, arn.split("/", 1)[1]))
        return None

    def _waits_elsewhere(self, step: Record) -> bool:
        """Whether something other than the engine will end a step: a job in the queue, or a callback."""
        if "Callback" in step.body.get("Metadata", {}):
            return True
        job = self._job_of(step)
        if job is not None and job.status in FINAL:
            self.job_ended(job)
        return job is not None

    def _step_changed(self, execution: Record, record: Record, status: str) -> None:
        previous, record.body["StepStatus"], record.status = record.status, status, status
        record.modified = self._app.clock.now()
        self._app.store.put(record)
        events.step_changed(self._app, execution, record, previous)

    def _end(self, execution: Record, status: str) -> None:
        execution.body["_ended"] = self._app.clock.now()
        if status == "Failed":
            execution.body["FailureReason"] = "Step failure: One or multiple steps failed."
        self._changed(execution, status)

    def _changed(self, execution: Record, status: str) -> None:
        previous, execution.status = execution.status, status
        execution.body["PipelineExecutionStatus"] = status
        execution.body["LastModifiedTime"] = execution.modified = self._app.clock.now()
        self._app.store.put(execution)
        events.execution_changed(self._app, execution, previous)
