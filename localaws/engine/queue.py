"""Jobs wait for a slot, run, and end; a job that a killed process left behind begins again."""

from __future__ import annotations

import logging
import queue
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from localaws import disk, events, jobs
from localaws.access import enforce, images
from localaws.contract import JobContext, Outcome
from localaws.engine.joblogs import JobLog
from localaws.engine.kinds import FINAL, JOB_TYPES, TRAINING, TRANSFORM, TUNING
from localaws.store import Key, Record

if TYPE_CHECKING:
    from localaws.application import Application

_log = logging.getLogger("localaws.jobs")
_MESSAGES = {
    "Downloading": "Downloading input data",
    "Training": "Training image download completed. Training in progress.",
    "Uploading": "Uploading generated training model",
    "Stopping": "Stopping the training job",
    "Stopped": "Training job stopped",
    "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds provided",
    "MaxWaitTimeExceeded": "Training job exceeded MaxWaitTimeInSeconds provided",
    "Failed": "Training job failed",
    "Completed": "Training job completed",
}
"""What SageMaker says of a training job's secondary statuses."""


CLOSES = 15.0
"""Seconds for the jobs that run when localaws ends."""

NO_ROOM = "The disk that holds the job's folder is full."


class Jobs:
    """As many worker threads as there are slots, and the jobs that wait for them."""

    def __init__(self, app: Application, slots: int) -> None:
        self._app = app
        self._waiting: queue.SimpleQueue[Key | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._running: dict[Key, threading.Event] = {}
        self._closing = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, name=f"slot-{number}", daemon=True) for number in range(slots)
        ]

    def start(self) -> None:
        """Begin, with the jobs that an earlier process had not finished."""
        for kind in JOB_TYPES:
            for record in self._app.store.select("kind=? AND status IN ('InProgress', 'Stopping')", (kind,)):
                if record.status == "Stopping" and kind != TUNING.kind:
                    self._end(record, Outcome("Stopped"))
                else:
                    self.enqueue(record.key)
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End the running processes; their jobs begin again with the next start."""
        self._closing.set()
        with self._lock:
            for stopped in self._running.values():
                stopped.set()
        for _ in self._threads:
            self._waiting.put(None)
        deadline = time.monotonic() + CLOSES
        for thread in self._threads:
            thread.join(max(0, deadline - time.monotonic()))

    def enqueue(self, key: Key) -> None:
        """Let a job wait for a slot."""
        if key.kind == TUNING.kind:
            self._app.tuning.advance(key)
        else:
            self._waiting.put(key)

    def stopping(self, record: Record) -> None:
        """Note that a job is to stop (inside a transaction)."""
        record.body[JOB_TYPES[record.key.kind].status] = record.status = "Stopping"
        record.body["LastModifiedTime"] = record.modified = self._app.clock.now()
        if record.key.kind == TRAINING.kind:
            _transition(record, "Stopping", self._app.clock.now())
        self._app.store.put(record)
        events.job_changed(self._app, record)

    def stop(self, key: Key) -> None:
        """End a job's processes, or take it out of the queue."""
        if key.kind == TUNING.kind:
            self._app.tuning.advance(key)
            return
        with self._lock:
            stopped = self._running.get(key)
        if stopped is not None:
            stopped.set()
            return
        with self._app.store.transaction() as store:
            record = store.get(key)
            if record is not None and record.status == "Stopping":
                self._end(record, Outcome("Stopped"))

    def _work(self) -> None:
        while (key := self._waiting.get()) is not None:
            if self._closing.is_set():
                return
            try:
                self._run(key)
            except Exception:
                _log.exception("%s %s: localaws failed", key.kind, key.name)

    def _run(self, key: Key) -> None:
        stopped = threading.Event()
        with self._lock:
            self._running[key] = stopped
        try:
            record = self._surely(lambda: self._begin(key))
            if record is None:
                return
            outcome = self._execute(record, stopped)
            if not self._closing.is_set():
                self._surely(lambda: self._conclude(key, outcome))
        finally:
            with self._lock:
                self._running.pop(key, None)

    def _surely(self, act: Callable[[], Any]) -> Any:
        return self._app.store.patiently(act, self._closing.is_set)

    def _conclude(self, key: Key, outcome: Outcome) -> None:
        with self._app.store.transaction() as store:
            record = store.get(key)
            if record is not None and record.status not in FINAL:
                self._end(record, outcome)

    def _begin(self, key: Key) -> Record | None:
        with self._app.store.transaction() as store:
            record, now = store.get(key), self._app.clock.now()
            if record is not None and record.status == "Stopping":
                # It was stopped between its slot and its beginning: whoever did that has left its end to us.
                self._end(record, Outcome("Stopped"))
            if record is None or record.status != "InProgress":
                return None
            record.body[JOB_TYPES[key.kind].start_time] = now
            record.body["LastModifiedTime"] = record.modified = now
            store.put(record)
            return record

    def _progress(self, key: Key, status: str) -> None:
        """Note a training job's secondary status, unless it is being stopped, and tell the bus."""
        with self._app.store.transaction() as store:
            record, now = store.get(key), self._app.clock.now()
            if record is not None and record.status == "InProgress":
                _transition(record, status, now)
                record.body["LastModifiedTime"] = record.modified = now
                store.put(record)
                events.job_changed(self._app, record)

    def _execute(self, record: Record, stopped: threading.Event) -> Outcome:
        app, key = self._app, record.key
        folder = app.scratch / key.kind / key.account / key.name
        disk.remove(folder)
        role = self._role(record)
        log = JobLog(app, key, role)
        try:
            folder.mkdir(parents=True)
            if role:
                for image in images.pulled(record, app.store):
                    enforce.require_image(app, key.account, key.region, role, key.name, image)
            context = JobContext(
                account=key.account,
                region=key.region,
                name=key.name,
                folder=folder,
                client=lambda service: app.client(service, key.account, key.region, role, key.name),
                runtime=app.runtime,
                images=app.images,
                log=app.tuning.watch(record, log.line),
                stopped=stopped,
                describe_model=lambda name: self._model(key, name),
                progress=lambda status: self._progress(key, status),
                closing=self._closing,
                credentials=lambda: app.container_environment(key.account, key.region, role, key.name) if role else {},
            )
            return _for_want_of_room(jobs.run(key.kind, record.body, context), folder)
        except ClientError as error:
            return Outcome("Failed", failure_reason=f"ClientError: {error.response['Error'].get('Message')}"[:1024])
        except Exception as error:
            if disk.is_full(error, folder) or isinstance(error, disk.DiskFull):
                return Outcome("Failed", failure_reason=f"InternalServerError: {NO_ROOM}")
            _log.error("%s %s: %s", key.kind, key.name, traceback.format_exc())
            # The error's text may name, or quote, what lies on this machine.
            told = f"InternalServerError: {type(error).__name__}; localaws' log says where."
            return Outcome("Failed", failure_reason=told)
        finally:
            # First the room, then what needs some.
            disk.remove(folder)
            log.close()

    def _role(self, record: Record) -> str | None:
        """The role that a job runs under; a transform job has its model's."""
        if record.key.kind != TRANSFORM.kind:
            return record.body.get("RoleArn")
        model = self._app.store.get(replace(record.key, kind="Model", name=record.body["ModelName"]))
        return model.body.get("ExecutionRoleArn") if model else None

    def _model(self, job: Key, name: str) -> dict[str, Any]:
        return self._app.invoke(
            "DescribeModel", job.account, job.region, f"arn:aws:iam::{job.account}:root", {"ModelName": name}
        )

    def _end(self, record: Record, outcome: Outcome) -> None:
        """Record how a job ended, tell the bus, and carry on what waited for it."""
        app, job, now = self._app, JOB_TYPES[record.key.kind], self._app.clock.now()
        with app.store.transaction() as store:
            body = record.body
            body |= outcome.fields
            body[job.status] = record.status = outcome.status
            body.setdefault(job.end_time, now)
            body["LastModifiedTime"] = record.modified = now
            if outcome.failure_reason:
                body["FailureReason"] = outcome.failure_reason[:1024]
            if outcome.exit_message:
                body["ExitMessage"] = outcome.exit_message[:1024]
            if job is TRAINING:
                _transition(record, outcome.fields.get("SecondaryStatus", outcome.status), now)
                started = body.get(job.start_time, now)
                body["TrainingTimeInSeconds"] = body["BillableTimeInSeconds"] = max(1, round(now - started))
            store.put(record)
            events.job_changed(app, record)
            store.after_commit(lambda: app.engine.job_ended(record))


def _for_want_of_room(outcome: Outcome, folder: Path) -> Outcome:
    """The outcome, which names a full disk if the job failed on one; a container rarely says so itself."""
    if outcome.status != "Failed" or disk.free(folder) >= disk.FULL:
        return outcome
    return replace(outcome, failure_reason=f"ClientError: {NO_ROOM} {outcome.failure_reason or ''}".strip()[:1024])


def _transition(record: Record, status: str, now: float) -> None:
    body = record.body
    transitions = body.setdefault("SecondaryStatusTransitions", [])
    if transitions:
        transitions[-1].setdefault("EndTime", now)
    final = {"EndTime": now} if record.status in FINAL else {}
    message = _MESSAGES.get(status, status)
    transitions.append({"Status": status, "StartTime": now, "StatusMessage": message, **final})
    body["SecondaryStatus"] = status
