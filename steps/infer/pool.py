"""The processes that share a payload's blocks; each has the model from the one that loaded it."""

import ctypes
import multiprocessing
import os
import signal
import sys
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

from steps.infer.answers import Answers

MOST = 8
"""Processes; beyond, the one that speaks HTTP can't feed more."""

_PR_SET_PDEATHSIG = 1

_answers: Answers | None = None


def answer(block: bytes, first: int, taken: str, given: str) -> tuple[bytes, int, list[str]]:
    """Return what `Answers.of` does, in whichever process this is."""
    assert _answers is not None
    return _answers.of(block, first, taken, given)


def cores() -> int:
    """Return how many processors this container may use at once."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        limit, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        count = min(count, max(1, -(-int(limit) // int(period))))
    except (OSError, ValueError):  # No limit, or another kernel.
        pass
    return min(count, MOST)


def start(folder: Path) -> tuple[Executor, int]:
    """Load a model archive and return the processes that score with it, and how many they are.

    They are forked after the model was loaded, so that they share its memory; one processor gets a thread instead.
    Call it before there are threads.

    Raises:
        StepFailed: the archive holds no sound model.
    """
    global _answers
    # Processes share the work, not threads; and OpenMP's threads would not survive a fork.
    os.environ["OMP_NUM_THREADS"] = "1"
    from steps.infer.scoring import Model

    _answers, workers = Answers(Model(folder)), cores()
    if workers == 1:
        return ThreadPoolExecutor(1), 1
    executor = ProcessPoolExecutor(workers, multiprocessing.get_context("fork"), _begin, (os.getpid(),))
    executor.submit(os.getpid).result()  # All are forked at the first task.
    return executor, workers


def _begin(parent: int) -> None:
    """Leave the end to the parent: it ends this process when it has its answers, or dies."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
