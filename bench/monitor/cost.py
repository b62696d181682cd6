"""What a process took: seconds on the clock and of the processors, and the most memory of it and its children."""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.monitor.environments import ROOT

EVERY = 0.1
"""Seconds between looks at the memory, whose height the system keeps anyway."""


class Failed(Exception):
    """The process failed; the message is its last line."""


@dataclass(frozen=True)
class Cost:
    """Seconds on the clock, seconds of the processors, bytes of memory at the height, and what was printed."""

    wall: float
    cpu: float
    memory: int
    printed: str


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Cost:
    """Run a process to its end; compiled imports are kept, as in an image.

    Raises:
        Failed: it did not exit with 0.
    """
    given = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    seen: dict[int, tuple[float, int]] = {}
    ended = threading.Event()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        began = time.monotonic()
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=given | dict(environment or {}),
            stdout=out,
            stderr=errors,
            start_new_session=True,
        )
        looks = threading.Thread(target=_look_until, args=(ended, process.pid, seen))
        looks.start()
        _, status, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
        ended.set()
        looks.join()
        process.returncode = os.waitstatus_to_exitcode(status)
        said = [_content(stream) for stream in (out, errors)]
    if process.returncode:
        lines = said[1].splitlines() or [f"exit code {process.returncode}"]
        raise Failed(lines[-1])
    others = [cost for pid, cost in seen.items() if pid != process.pid]
    cpu = used.ru_utime + used.ru_stime + sum(seconds for seconds, _ in others)
    # Where there is no /proc, what the system keeps of the process counts, which may be its parent's before it began.
    memory = sum(height for _, height in seen.values()) or used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Cost(wall, cpu, memory, said[0])


def _content(stream) -> str:
    stream.seek(0)
    return stream.read().strip()


def _look_until(ended: threading.Event, session: int, seen: dict[int, tuple[float, int]]) -> None:
    while not ended.wait(EVERY):
        _look(session, seen)


def _look(session: int, seen: dict[int, tuple[float, int]]) -> None:
    """Note the seconds and the most memory of each process of a session, where /proc tells them; Spark's is a child."""
    for folder in Path("/proc").glob("[0-9]*") if sys.platform == "linux" else ():
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) != session:
                continue
            status = (folder / "status").read_text()
            height = int(status.partition("VmHWM:")[2].split()[0]) * 1024
            seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            seen[int(folder.name)] = (seconds, height)
        except (OSError, ValueError, IndexError):
            continue
