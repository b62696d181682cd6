"""Objects through the containers of one instance: payloads at the same time, answers in their order."""

from __future__ import annotations

import dataclasses
import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localaws.jobs import records
from localaws.jobs.failure import ALGORITHM_FAILED, JobFailed
from localaws.jobs.filters import DataProcessing
from localaws.jobs.invocations import Answer, Rejected, Server
from localaws.jobs.records import Payload

STRATEGIES = {"MULTI_RECORD": "MultiRecord", "SINGLE_RECORD": "SingleRecord"}
MAX_TOLD = 400
"""Characters of a container's message in a failure reason."""


class NoAnswer(JobFailed):
    """A container didn't answer: it may have ended."""


@dataclass(frozen=True)
class Settings:
    """How a transform job sends its data; None where neither the job nor the container has said it yet."""

    content_type: str | None
    accept: str | None
    gzipped: bool
    split: bool
    assemble: bool
    timeout: float
    retries: int
    concurrent: int | None
    payload_mb: int | None
    strategy: str | None
    processing: DataProcessing | None

    @classmethod
    def of(cls, body: dict[str, Any]) -> Settings:
        """Read a transform job's settings. Raises JobFailed for what can't be done here."""
        source, output, client = body["TransformInput"], body["TransformOutput"], body.get("ModelClientConfig", {})
        split = source.get("SplitType", "None")
        if split not in ("None", "Line"):
            raise JobFailed(f"ClientError: SplitType {split} isn't supported here; use Line or None.")
        if "DataCaptureConfig" in body:
            raise JobFailed("ClientError: DataCaptureConfig isn't supported here.")
        processing = DataProcessing.of(body.get("DataProcessing", {}), source.get("ContentType"), split == "Line")
        return cls(
            content_type=source.get("ContentType"),
            accept=output.get("Accept"),
            gzipped=source.get("CompressionType", "None") == "Gzip",
            split=split == "Line",
            assemble=output.get("AssembleWith", "None") == "Line",
            timeout=client.get("InvocationsTimeoutInSeconds", 600),
            retries=client.get("InvocationsMaxRetries", 3),
            concurrent=body.get("MaxConcurrentTransforms") or None,
            payload_mb=body.get("MaxPayloadInMB"),
            strategy=body.get("BatchStrategy"),
            processing=processing,
        )

    def completed(self, parameters: dict[str, Any]) -> Settings:
        """Return the settings with what /execution-parameters says, and SageMaker's defaults, where the job is silent.

        Raises JobFailed.
        """
        try:
            concurrent = self.concurrent or int(parameters.get("MaxConcurrentTransforms", 1))
            payload = self.payload_mb if self.payload_mb is not None else int(parameters.get("MaxPayloadInMB", 6))
            strategy = self.strategy or STRATEGIES[parameters.get("BatchStrategy", "MULTI_RECORD")]
        except (ValueError, TypeError, KeyError):
            raise JobFailed("AlgorithmError: The container's answer to /execution-parameters isn't valid.") from None
        if self.concurrent and payload * concurrent > 100:
            raise JobFailed("ClientError: MaxConcurrentTransforms * MaxPayloadInMB must not exceed 100.")
        return dataclasses.replace(self, concurrent=max(1, concurrent), payload_mb=payload, strategy=strategy)

    def described(self) -> str:
        """Return what SageMaker writes to the data log."""
        name = next(name for name, value in STRATEGIES.items() if value == self.strategy)
        return f"MaxConcurrentTransforms={self.concurrent}, MaxPayloadInMB={self.payload_mb}, BatchStrategy={name}"


class Sender:
    """Sends payloads of completed settings through a chain of containers."""

    def __init__(self, servers: list[Server], settings: Settings, given_up: threading.Event) -> None:
        assert settings.concurrent is not None
        self._servers = servers
        self._settings = settings
        self._given_up = given_up
        self._pool = ThreadPoolExecutor(settings.concurrent)

    def __enter__(self) -> Sender:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        for server in self._servers:
            server.close()

    def transform(self, source: Path, target: Path, uri: str) -> None:
        """Transform one object's file into its output's. Raises JobFailed, naming the object by its URI."""
        settings = self._settings
        content = records.unpacked(source, settings.gzipped, uri)
        most = (settings.payload_mb or 0) * records.MB
        waiting: deque[Future[bytes]] = deque()
        several = settings.strategy == "MultiRecord"
        try:
            with target.open("wb") as file:
                for payload in records.payloads(content, settings.split, several, most, uri):
                    waiting.append(self._pool.submit(self._send, payload, uri))
                    while len(waiting) > 2 * (settings.concurrent or 1):
                        self._write(file, waiting.popleft().result())
                while waiting:
                    self._write(file, waiting.popleft().result())
        finally:
            for future in waiting:
                future.cancel()

    def _write(self, file: Any, answer: bytes) -> None:
        file.write(records.assembled(answer) if self._settings.assemble else answer)

    def _send(self, payload: Payload, uri: str) -> bytes:
        processing, body = self._settings.processing, payload.body
        if processing:
            body = processing.narrowed(body, payload.first, uri)
        answer = Answer(body, self._settings.content_type)
        for server in self._servers:
            if self._given_up.is_set():
                raise JobFailed("The job has ended.")
            accept = self._settings.accept if server is self._servers[-1] else None
            try:
                answer = server.invoke(answer.body, answer.content_type, accept, not self._settings.payload_mb)
            except Rejected as error:
                kind = NoAnswer if error.status is None else JobFailed
                raise kind(_reason(error, payload, uri)) from None
        if processing:
            return processing.widened(payload.body, answer.body, payload.first, uri)
        return answer.body


def _reason(error: Rejected, payload: Payload, uri: str) -> str:
    """SageMaker's sentence, followed by the object and what the container said of it."""
    told = " ".join(str(error).split())
    told = told if len(told) <= MAX_TOLD else f"{told[:MAX_TOLD]}…"
    start, what = ALGORITHM_FAILED, "Unable to get response from algorithm"
    if error.status is not None:
        what = f"Bad HTTP status received from algorithm: {error.status}"
        if error.status < 500:
            start = start.replace("AlgorithmError", "ClientError")
    lines = f"lines {payload.first} to {payload.last}" if payload.last > payload.first else f"line {payload.first}"
    return f"{start}. {uri}, {lines}: {what}{f': {told}' if told else ''}"
