"""Carries hyperparameter tuning jobs forward: launches training jobs, compares them, stops the hopeless ones.

All state is in the store: the tuning job's record, and its training jobs, whose bodies name it in `_tuning`.
"""

from __future__ import annotations

import hashlib
import logging
import math
import statistics
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from localaws import events
from localaws.disk import LOOKS_AGAIN, DiskFull
from localaws.engine import search, trials
from localaws.engine.kinds import FINAL, TRAINING, TUNING
from localaws.errors import ApiError
from localaws.jobs.failure import JobFailed
from localaws.jobs.metrics import Metrics
from localaws.store import Key, Record

if TYPE_CHECKING:
    from localaws.application import Application

_log = logging.getLogger("localaws.tuning")
_ATTEMPTS = 5
_CURVES = 3
"""Ended training jobs that are needed before another is compared with them."""


class Tuning:
    """Runs the tuning jobs of all accounts; `advance` does whatever is due for one of them."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self._timers: dict[Key, threading.Timer] = {}
        self._curves: dict[Key, list[float]] = {}
        self._lock = threading.Lock()

    def start(self) -> None:
        """Carry on what an earlier process left."""
        left = "kind=? AND status IN ('InProgress', 'Stopping')"
        for record in self._app.store.select(left, (TUNING.kind,)):
            self.advance(record.key)

    def close(self) -> None:
        """Begin nothing more."""
        with self._lock:
            for timer in self._timers.values():
                timer.cancel()
            self._timers.clear()

    def advance(self, key: Key) -> None:
        """Launch, stop or end what is due; on a full disk as soon as there is room."""
        try:
            self._advance(key)
        except DiskFull:
            timer = threading.Timer(LOOKS_AGAIN, self.advance, (key,))
            timer.daemon = True
            timer.start()

    def _advance(self, key: Key) -> None:
        with self._app.store.transaction() as store:
            job = store.get(key)
            if job is None or job.status in FINAL:
                return
            launched = trials.children(store, key)
            for child in launched:
                self._keep_curve(child)
            trials.count(job, launched)
            running = [child for child in launched if child.status not in FINAL]
            reason, failed = self._reason_to_end(job, launched)
            if job.status == "Stopping" or reason:
                for child in running:
                    self._stop(child)
                if not running:
                    status = "Stopped" if job.status == "Stopping" else "Failed" if failed else "Completed"
                    self._end(job, status, reason if failed else None)
                    return
            else:
                self._launch(job, launched, len(running))
            store.put(job)

    def watch(self, job: Record, log: Callable[[str, str], None]) -> Callable[[str, str], None]:
        """The log of a training job that a tuning job launched, with an eye on its objective metric.

        With TrainingJobEarlyStoppingType Auto the job is stopped when its metric is worse than the median of
        the other jobs' running averages up to the same epoch ("How Early Stopping Works", SageMaker's
        developer guide). Other jobs' logs come back as they are.
        """
        if "_tuning" not in job.body:
            return log
        tuning = self._app.store.get(trials.tuning_key(job))
        if tuning is None or tuning.body[trials.CONFIG].get("TrainingJobEarlyStoppingType") != "Auto":
            return log
        goal = job.body["_objective"]
        definitions = job.body["AlgorithmSpecification"].get("MetricDefinitions", [])
        try:
            metrics = Metrics([item for item in definitions if item["Name"] == goal["MetricName"]])
        except JobFailed:  # the job itself says so
            return log
        curve: list[float] = []
        with self._lock:
            self._curves[job.key] = curve
        seen = _Epochs(metrics)

        def line(stream: str, text: str) -> None:
            log(stream, text)
            # Each host prints the metric; the first host's are the job's epochs.
            if stream.startswith("algo-1-") and seen.read(text):
                curve.append(seen.value)
                if self._hopeless(job, goal["Type"], curve):
                    threading.Thread(target=self._stop_early, args=(job.key,), daemon=True).start()

        return line

    def _reason_to_end(self, job: Record, launched: Sequence[Record]) -> tuple[str | None, bool]:
        """Why the tuning job ends (None: it goes on), and whether that is a failure."""
        config = job.body[trials.CONFIG]
        limits, criteria = config["ResourceLimits"], config.get("TuningJobCompletionCriteria", {})
        if "_failure" in job.body:
            return job.body["_failure"], True
        results = [child for child in launched if trials.value_of(child) is not None]
        ended = [child for child in launched if child.status in FINAL]
        needed = min(_ATTEMPTS, limits["MaxNumberOfTrainingJobs"])
        if not results and len(ended) >= needed:
            return (
                f"No training job succeeded after {needed} attempts. Please take a look at the training job "
                "failures to get more details."
            ), True
        if job.body["_launched"] >= limits["MaxNumberOfTrainingJobs"] and len(ended) == len(launched):
            return "all training jobs have ended", False
        target = criteria.get("TargetObjectiveMetricValue")
        if target is not None and any(trials.loss(child) <= trials.signed(child, target) for child in results):
            return "the target value was reached", False
        patience = criteria.get("BestObjectiveNotImproving", {}).get("MaxNumberOfTrainingJobsNotImproving")
        stale = job.body["TuningJobCompletionDetails"]["NumberOfTrainingJobsObjectiveNotImproving"]
        if patience is not None and stale >= patience:
            return "the best value doesn't improve", False
        longest = limits.get("MaxRuntimeInSeconds")
        if longest is not None and self._wait(job, longest) <= 0:
            return "the longest runtime is over", False
        return None, False

    def _wait(self, job: Record, longest: float) -> float:
        """Seconds until the longest runtime is over; a timer looks again then."""
        left = job.created + longest - self._app.clock.now()
        with self._lock:
            if left > 0 and job.key not in self._timers:
                timer = self._timers[job.key] = threading.Timer(left + 0.1, self._ring, (job.key,))
                timer.daemon = True
                timer.start()
        return left

    def _ring(self, key: Key) -> None:
        with self._lock:
            self._timers.pop(key, None)
        self.advance(key)

    def _launch(self, job: Record, launched: Sequence[Record], running: int) -> None:
        """Launch as many training jobs as there is room for (inside a transaction)."""
        limits, known = job.body[trials.CONFIG]["ResourceLimits"], list(launched)
        most, at_once = limits["MaxNumberOfTrainingJobs"], limits["MaxParallelTrainingJobs"]
        while running < at_once and job.body["_launched"] < most:
            try:
                known.append(self._launch_one(job, known))
            except ApiError as error:
                job.body["_failure"] = f"{error.code}: {error.message}"
                self._app.store.after_commit(lambda: self.advance(job.key))
                return
            job.body["_launched"] += 1
            running += 1
        trials.count(job, known)

    def _launch_one(self, job: Record, launched: Sequence[Record]) -> Record:
        number, config, key = job.body["_launched"], job.body[trials.CONFIG], job.key
        definition, place = trials.turn(job, number)
        name = definition.get("DefinitionName")
        space = search.axes(trials.ranges(config, definition))
        same = [child for child in launched if child.body.get("_definition") == name]
        seed = str(config.get("RandomSeed", f"{job.body[TUNING.arn]}/{job.created}"))
        point = search.propose(
            config["Strategy"],
            space,
            place,
            f"{seed}/{name}" if name else seed,
            [child.body["_tuned"] for child in same],
            [(child.body["_tuned"], trials.loss(child)) for child in same if trials.value_of(child) is not None],
        )
        unique = hashlib.sha256(f"{job.body[TUNING.arn]}/{job.created}/{number}".encode()).hexdigest()[:8]
        training = Key(TRAINING.kind, key.account, key.region, f"{key.name}-{number + 1:03d}-{unique}")
        goal = trials.objective(config, definition)
        request = trials.request_for(job, definition, goal, training.name, point)
        root = f"arn:aws:iam::{key.account}:root"
        self._app.invoke("CreateTrainingJob", key.account, key.region, root, request)
        record = self._app.store.get(training)
        assert record is not None
        record.body |= {
            "_tuning": key.name,
            "_tuned": point,
            "_objective": goal,
            "_definition": name,
            "TuningJobArn": job.body[TUNING.arn],
        }
        record.parent = key.name
        self._app.store.put(record)
        return record

    def _stop(self, child: Record) -> None:
        """Stop a training job (inside a transaction)."""
        if child.status == "InProgress":
            self._app.jobs.stopping(child)
        self._app.store.after_commit(lambda: self._app.jobs.stop(child.key))

    def _stop_early(self, key: Key) -> None:
        with self._app.store.transaction() as store:
            job = store.get(key)
            if job is not None and job.status == "InProgress":
                _log.info("training job %s is stopped: others were better at the same epoch", key.name)
                self._stop(job)

    def _hopeless(self, job: Record, goal: str, curve: Sequence[float]) -> bool:
        ended = [child for child in trials.children(self._app.store, trials.tuning_key(job)) if child.status in FINAL]
        others = [child.body.get("_curve", []) for child in ended]
        averages = [math.fsum(other[: len(curve)]) / len(curve) for other in others if len(other) >= len(curve)]
        if len(averages) < _CURVES:
            return False
        median = statistics.median(averages)
        return curve[-1] < median if goal == "Maximize" else curve[-1] > median

    def _keep_curve(self, child: Record) -> None:
        """Write down an ended training job's epochs, for later ones to be compared with."""
        if child.status not in FINAL:
            return
        with self._lock:
            curve = self._curves.pop(child.key, None)
        if curve:
            child.body["_curve"] = curve
            self._app.store.put(child)

    def _end(self, job: Record, status: str, failure: str | None) -> None:
        """Record how the tuning job ended (inside a transaction)."""
        app, now = self._app, self._app.clock.now()
        job.body[TUNING.status] = job.status = status
        job.body |= {TUNING.end_time: now, "LastModifiedTime": now}
        job.body["ConsumedResources"] = {"RuntimeInSeconds": round(now - job.created)}
        job.modified = now
        if failure:
            job.body["FailureReason"] = failure[:1024]
        app.store.put(job)
        events.job_changed(app, job)
        with self._lock:
            if timer := self._timers.pop(job.key, None):
                timer.cancel()
        app.store.after_commit(lambda: app.engine.job_ended(job))


class _Epochs:
    """Tells which lines give the objective metric."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._last: dict[str, Any] | None = None

    def read(self, line: str) -> bool:
        """Whether the line gave a value."""
        self._metrics.read(line)
        found = self._metrics.final()
        last = found[0] if found else None
        new, self._last = last is not self._last, last
        return new

    @property
    def value(self) -> float:
        """The newest value."""
        assert self._last is not None
        return self._last["Value"]
