"""A job's lines on their way to CloudWatch Logs, where SageMaker puts them."""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from localaws.engine.kinds import JOB_TYPES
from localaws.store import Key

if TYPE_CHECKING:
    from localaws.application import Application

_log = logging.getLogger("localaws.logs")
OUTPUT = logging.getLogger("localaws.output")
"""What containers print, for the terminal or file that localaws' own log goes to."""

_PAUSE = 0.5
_MOST = 500
_LONGEST = 16_384


class JobLog:
    """Collects lines and sends them twice a second; never in the way of the job.

    They are sent as the job's role. What the role may not write is lost, as in AWS, and the job goes on.
    """

    def __init__(self, app: Application, job: Key, role: str | None = None) -> None:
        self._app, self._job, self._role = app, job, role
        self._group = JOB_TYPES[job.kind].log_group
        self._client: Any = None
        self._refused = False
        self._streams: set[str] = set()
        self._pending: list[tuple[str, int, str]] = []
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def line(self, stream: str, text: str) -> None:
        """Take one line of a container, `stream` being its name after the job's."""
        OUTPUT.info("%s/%s %s", self._job.name, stream, text)
        with self._lock:
            self._pending.append((stream, int(self._app.clock.real() * 1000), text[:_LONGEST] or " "))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=f"log-{self._job.name}", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Send what is left."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join(timeout=30)

    def _run(self) -> None:
        while not self._closed.wait(_PAUSE):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        with self._lock:
            pending, self._pending = self._pending, []
        for stream in dict.fromkeys(item[0] for item in pending):
            lines = [{"timestamp": when, "message": text} for name, when, text in pending if name == stream]
            try:
                self._send(f"{self._job.name}/{stream}", lines)
            except ClientError as error:
                if not self._refused:
                    _log.warning("the log of %s is lost: %s", self._job.name, error)
                self._refused = True
            except Exception:
                _log.exception("the log of %s lost %d lines", self._job.name, len(lines))

    def _send(self, stream: str, lines: list[dict[str, object]]) -> None:
        if self._client is None:
            self._client = self._app.client("logs", self._job.account, self._job.region, self._role, self._job.name)
        if stream not in self._streams:
            self._create(stream)
            self._streams.add(stream)
        for start in range(0, len(lines), _MOST):
            self._client.put_log_events(
                logGroupName=self._group, logStreamName=stream, logEvents=lines[start : start + _MOST]
            )

    def _create(self, stream: str) -> None:
        # Only a group that isn't there yet needs the permission to create one.
        try:
            self._client.create_log_stream(logGroupName=self._group, logStreamName=stream)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "ResourceAlreadyExistsException":
                return
            if code != "ResourceNotFoundException":
                raise
            with contextlib.suppress(self._client.exceptions.ResourceAlreadyExistsException):
                self._client.create_log_group(logGroupName=self._group)
            self._create(stream)
