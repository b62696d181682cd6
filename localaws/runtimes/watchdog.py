"""Ends the processes of jobs when localaws itself was killed.

A small process of its own waits at the end of a pipe. While localaws lives it only keeps the list of process groups;
when the pipe closes, for whatever reason, it kills those that are left. This works on every system with process
groups, and also when localaws had no chance to act.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path


class Watchdog:
    """The list of process groups that must not outlive this process; its helper starts with the first entry."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def add(self, group: int) -> None:
        """Have a process group killed when this process ends."""
        with self._lock:
            self._send(f"+{group}\n")

    def remove(self, group: int) -> None:
        """Forget a process group that has ended."""
        with self._lock:
            self._send(f"-{group}\n")

    def _send(self, line: str) -> None:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(Path(__file__))],
                stdin=subprocess.PIPE,
                start_new_session=True,
                env={},
                cwd="/",
            )
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode())
        self._process.stdin.flush()


def main() -> None:
    """Keep the list until the pipe closes, then kill what is on it."""
    groups: set[int] = set()
    for line in sys.stdin:
        (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
    for group in groups:
        with contextlib.suppress(OSError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
