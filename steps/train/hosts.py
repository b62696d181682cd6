"""Training on several hosts: XGBoost's own collective, found through resourceconfig.json."""

import os
import socket
import threading
import time
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from xgboost import collective
from xgboost.core import XGBoostError
from xgboost.tracker import RabitTracker

from steps.common import paths
from steps.common.failure import StepFailed

FIRST_PORT, PORTS = 20000, 12000
"""Below the ports that systems hand out by themselves."""


@contextmanager
def together(host: str, hosts: list[str], wait: float = 300) -> Iterator[bool]:
    """Join this job's hosts for the block; give whether this host writes the model.

    The first host runs the tracker. Its port is made from the job's name, so that jobs which share a
    machine keep apart.

    Args:
        host: this host's name.
        hosts: names of all hosts, the same list everywhere.
        wait: seconds to wait for the others.

    Raises:
        StepFailed: the hosts don't find each other, or lose each other.
    """
    if len(hosts) == 1:
        yield True
        return
    job = os.environ.get("TRAINING_JOB_NAME", "")
    address, port = _address(hosts[0], wait), FIRST_PORT + zlib.crc32(job.encode()) % PORTS
    try:
        if host == hosts[0]:
            tracker = RabitTracker(n_workers=len(hosts), host_ip=address, port=port, sortby="task", timeout=int(wait))
            tracker.start()
            threading.Thread(target=_serve, args=(tracker,), daemon=True).start()
        context = _join(host, address, port, wait)
    except (XGBoostError, ValueError):
        raise StepFailed(f"{host}: the {len(hosts)} hosts of the job didn't meet at {hosts[0]}, port {port}.") from None
    try:
        yield host == hosts[0]
    except XGBoostError:
        raise StepFailed(f"{host}: lost the job's other hosts; one of them failed or was stopped.") from None
    finally:
        with warnings.catch_warnings(action="ignore"), suppress(XGBoostError):
            context.__exit__()


def _join(host: str, address: str, port: int, wait: float) -> collective.CommunicatorContext:
    """Try again until the first host listens: XGBoost's own retries sleep for longer and longer."""
    end = time.monotonic() + wait
    while True:
        context = collective.CommunicatorContext(
            dmlc_tracker_uri=address, dmlc_tracker_port=port, dmlc_task_id=host, dmlc_timeout=int(wait), dmlc_retry=1
        )
        try:
            with warnings.catch_warnings(action="ignore"):
                context.__enter__()
            return context
        except XGBoostError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def _serve(tracker: RabitTracker) -> None:
    # Where a host is lost, the collective calls of the others fail and say so.
    with suppress(XGBoostError):
        tracker.wait_for()


def _address(host: str, wait: float) -> str:
    """Return a host's address; with a moved root, all are processes of one machine."""
    if os.environ.get(paths.ROOT_VARIABLE):
        return "127.0.0.1"
    end = time.monotonic() + wait
    while True:
        try:
            return socket.gethostbyname(host)
        except OSError:
            if time.monotonic() > end:
                raise StepFailed(f"{host}: its address isn't known after {wait:g} s.") from None
            time.sleep(1)
