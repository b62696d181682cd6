"""Removes containers and networks that nobody waits for any more.

Each has two labels: the state folder it was made for, and the process that made it. What an earlier process of the
same state folder left is removed when the next one starts. Until then a helper watches: it waits at the end of a
pipe, and when that closes, for whatever reason, it removes what its process left.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

OWNER, RUN = "localaws.owner", "localaws.run"
PAUSE = 0.5
"""Seconds between two looks; a request that was under way when its sender died may still be carried out."""


def sweep(client: Any, label: str) -> int:
    """Remove the containers, with their volumes, and the networks that have a label; return how many."""
    from docker.errors import APIError

    removed = 0
    for container in client.containers.list(all=True, filters={"label": label}, ignore_removed=True):
        with contextlib.suppress(APIError):
            container.remove(force=True, v=True)
            removed += 1
    for network in client.networks.list(filters={"label": label}):
        with contextlib.suppress(APIError):
            network.reload()
            for member in network.attrs.get("Containers") or {}:
                network.disconnect(member, force=True)
            network.remove()
            removed += 1
    return removed


class Watchdog:
    """The helper of this process; it starts with the first container."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Have everything with the label removed when this process ends."""
        with self._lock:
            if self._process is None:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", str(Path(__file__)), self._label],
                    stdin=subprocess.PIPE,
                    start_new_session=True,
                    cwd="/",
                )


def main(label: str) -> None:
    """Wait until standard input closes, then remove what has the label."""
    sys.stdin.read()
    import docker

    client = docker.from_env()
    quiet = 0
    while quiet < 2:
        quiet = 0 if sweep(client, label) else quiet + 1
        time.sleep(PAUSE)


if __name__ == "__main__":
    main(sys.argv[1])
