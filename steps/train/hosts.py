"""Training on several hosts: XGBoost's own collective, found through resourceconfig.json."""

import os
import socket
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from xgboost import collective
from xgboost.tracker import RabitTracker

from steps.common.failure import StepFailed

FIRST_PORT, PORTS = 20000, 12000


@contextmanager
def together(host: str, hosts: list[str], wait: float = 300) -> Iterator[bool]:
    """Join this job's hosts for the block; give whether this host writes the model.

    The first host runs the tracker. Its port is made from the job's name, so that jobs which share a
    machine keep apart; a name that nobody resolves means that all hosts are processes of one machine.

    Args:
        host: this host's name.
        hosts: names of all hosts, the same list everywhere.
        wait: seconds to wait for the others.
    """
    if len(hosts) == 1:
        yield True
        return
    job = os.environ.get("TRAINING_JOB_NAME", "")
    address, port = _address(hosts[0]), FIRST_PORT + zlib.crc32(job.encode()) % PORTS
    tracker = None
    if host == hosts[0]:
        tracker = RabitTracker(n_workers=len(hosts), host_ip=address, port=port)
        tracker.start()
        threading.Thread(target=tracker.wait_for, daemon=True).start()
    try:
        with collective.CommunicatorContext(
            dmlc_tracker_uri=address, dmlc_tracker_port=port, dmlc_task_id=host, dmlc_timeout=int(wait)
        ):
            yield host == hosts[0]
    except ConnectionError as error:
        raise StepFailed(f"{host}: the hosts of this job can't reach each other: {error}") from None


def _address(host: str) -> str:
    try:
        return socket.gethostbyname(host)
    except OSError:
        return "127.0.0.1"
