"""The containers of a job's hosts: started together, watched together, ended together."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from localaws.contract import JobContext
from localaws.jobs.failure import JobFailed
from localaws.runtimes.base import ML, Container, Handle

LOOK = 0.05
"""Seconds between two looks at what may end a job."""


@dataclass(frozen=True)
class Ended:
    """How the containers ended: by themselves, or because the job was stopped or its time was over.

    `failed` is the first host whose container gave an exit code other than 0, which is `code`.
    """

    cause: Literal["exit", "stopped", "timeout"]
    failed: str | None = None
    code: int = 0
    killed_for_memory: bool = False


@dataclass
class Watch:
    """When a job's time is over, and what it may be told meanwhile."""

    context: JobContext
    limit: float | None
    began: float = field(default_factory=time.monotonic)

    def cause(self) -> Literal["stopped", "timeout"] | None:
        """Why the job should end now, if it should."""
        if self.context.stopped.is_set():
            return "stopped"
        if self.limit is not None and time.monotonic() - self.began > self.limit:
            return "timeout"
        return None


def names(count: int) -> tuple[str, ...]:
    """Return the names that SageMaker gives to a job's hosts."""
    return tuple(f"algo-{number}" for number in range(1, count + 1))


def place(root: Path, path: str, what: str) -> Path:
    """Return where a container's path lies on this machine. Raises JobFailed for one that isn't below /opt/ml."""
    parts = PurePosixPath(path).parts
    if parts[:3] != ("/", "opt", "ml") or len(parts) < 4 or ".." in parts:
        raise JobFailed(f"ClientError: {what}: the path {path} doesn't lie below {ML}.")
    return root.joinpath(*parts[3:])


def write_json(file: Path, content: Any) -> None:
    """Write a file of a container's configuration."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, indent=2))


def environment(context: JobContext, isolated: bool, *given: Mapping[str, str] | None) -> dict[str, str]:
    """Return a container's environment; later mappings win.

    Containers of Docker have no network and those of isolated jobs may have none: they get no credentials.
    """
    merged = {"AWS_REGION": context.region, "AWS_DEFAULT_REGION": context.region}
    if context.runtime.name == "process" and not isolated:
        merged |= context.credentials()
    for mapping in given:
        merged |= mapping or {}
    return merged


def logger(context: JobContext, host: str, also: Callable[[str], None] | None = None) -> Callable[[str], None]:
    """Return what takes a host's lines to the job's log."""
    stream = f"{host}-{int(time.time())}"

    def line(text: str) -> None:
        context.log(stream, text)
        if also is not None:
            also(text)

    return line


@contextlib.contextmanager
def started(context: JobContext, containers: Iterable[Container]) -> Iterator[dict[str, Handle]]:
    """Start containers, by host; none of them is left when the block ends."""
    handles: dict[str, Handle] = {}
    try:
        for container in containers:
            handles[container.host] = context.runtime.start(container)  # type: ignore[attr-defined]
        yield handles
    finally:
        _each(handles.values(), lambda handle: handle.remove())


def run(context: JobContext, containers: Sequence[Container], watch: Watch, grace: float) -> Ended:
    """Run containers until all have ended, one has failed, or the job has to end.

    In the last case they get SIGTERM, and `grace` seconds later SIGKILL. Where one has failed, the others are killed.
    """
    with started(context, containers) as handles:
        running = dict(handles)
        while running:
            if cause := watch.cause():
                stop(running.values(), grace)
                return Ended(cause)
            for host, handle in list(running.items()):
                code = handle.wait(LOOK / len(running))
                if code is None:
                    continue
                del running[host]
                if code:
                    return Ended("exit", host, code, handle.killed_for_memory)
        return Ended("exit")


def stop(handles: Iterable[Handle], grace: float) -> None:
    """Stop containers at the same time."""
    _each(handles, lambda handle: handle.stop(grace))


def _each(handles: Iterable[Handle], act: Callable[[Handle], None]) -> None:
    threads = [threading.Thread(target=act, args=(handle,)) for handle in handles]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
