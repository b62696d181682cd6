"""A started container: its output, its end, and what it leaves."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from docker.errors import APIError, DockerException, NotFound
from requests.exceptions import RequestException

from localaws.runtimes.docker import files
from localaws.runtimes.docker.network import Joined

MAX_LINE = 256 * 1024
"""Bytes of a line in CloudWatch Logs; longer ones are cut into several."""

KILLED = 137

YOUNG = 1.0
"""Seconds within which a program may not listen yet; the first of a container doesn't even get signals before."""

Frames = Iterator[tuple[bytes | None, bytes | None]]


class DockerHandle:
    """A container of the engine.

    Args:
        container: docker-py's.
        frames: pieces of its standard output and error, as they come.
        root: the folder that is its /opt/ml.
        log: takes each line.
        joined: its part in a network.
        address: host:port of a serving container.
    """

    def __init__(
        self,
        container: Any,
        frames: Frames,
        root: Path,
        log: Callable[[str], None],
        joined: Joined,
        address: str | None,
    ) -> None:
        self.address = address
        self.killed_for_memory = False
        self._container, self._root, self._log, self._joined = container, root, log, joined
        self._began = time.monotonic()
        self._code = KILLED
        self._ended = threading.Event()
        self._removed = False
        self._lock = threading.Lock()
        threading.Thread(target=self._follow, args=(frames,), daemon=True).start()

    def wait(self, timeout: float | None = None) -> int | None:
        """Return the exit code once all output was logged and all files are back; None after `timeout` seconds."""
        return self._code if self._ended.wait(timeout) else None

    def stop(self, grace: float) -> None:
        """Send SIGTERM, and SIGKILL after `grace` seconds."""
        self._signal("SIGTERM")
        if time.monotonic() - self._began < YOUNG and not self._ended.wait(min(YOUNG, grace)):
            self._signal("SIGTERM")
        if not self._ended.wait(grace):
            self._signal("SIGKILL")
            self._ended.wait()

    def remove(self) -> None:
        """Remove the container and its part in the network; kills it if it still runs."""
        with self._lock:
            if self._removed:
                return
            self._removed = True
        if not self._ended.is_set():
            self._signal("SIGKILL")
            self._ended.wait()
        with contextlib.suppress(NotFound, RequestException):
            self._container.remove(force=True, v=True)
        with contextlib.suppress(RequestException):
            self._joined.leave()

    def _signal(self, name: str) -> None:
        if not self._ended.is_set():
            # It may have ended at this very moment.
            with contextlib.suppress(APIError, RequestException):
                self._container.kill(name)

    def _follow(self, frames: Frames) -> None:
        try:
            try:
                for line in lines(frames):
                    self._log(line)
                self._code = self._container.wait(timeout=None)["StatusCode"]
                self._container.reload()
                self.killed_for_memory = bool(self._code and self._container.attrs["State"].get("OOMKilled"))
            finally:
                files.take_back(self._container, self._root, self._log)
        except NotFound:
            self._log("localaws: somebody else removed the container.")
        except (DockerException, RequestException, OSError) as error:
            self._log(f"localaws: the Docker engine lost the container: {error}")
        finally:
            self._ended.set()


def lines(frames: Frames) -> Iterator[str]:
    """Put the pieces of standard output and standard error together to lines, each stream for itself."""
    rest = [b"", b""]
    for pieces in frames:
        for number, piece in enumerate(pieces):
            if not piece:
                continue
            *whole, rest[number] = (rest[number] + piece).split(b"\n")
            for line in whole:
                yield from _cut(line.rstrip(b"\r"))
            while len(rest[number]) >= MAX_LINE:
                yield _text(rest[number][:MAX_LINE])
                rest[number] = rest[number][MAX_LINE:]
    yield from (_text(line.rstrip(b"\r")) for line in rest if line)


def _cut(line: bytes) -> Iterator[str]:
    yield from (_text(line[at : at + MAX_LINE]) for at in range(0, max(len(line), 1), MAX_LINE))


def _text(line: bytes) -> str:
    return line.decode(errors="replace")
