"""Namespaces of a container's own (Linux): processes that nothing outlives, and a real /opt/ml."""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
from pathlib import Path

FIRST = (sys.executable, "-I", "-S", str(Path(__file__).with_name("first.py")))
"""Starts a container's first process."""

MOUNTS = ("-Urm",)
PROCESSES = ("-Urmpi", "--fork", "--mount-proc", "--kill-child")
POWERLESS = ("setpriv", "--bounding-set", "-all", "--no-new-privs")
"""With an own /proc: through the machine's a program could read the environments of its user's other processes."""

SCRIPT = """
set -e
root=$1 hosts=$2 stage=$3
shift 3
if [ ! -d /opt/ml ]; then
    # Only root may make /opt/ml, and nobody should: an own /opt shows everything of the real one, and ml.
    mount --rbind /opt "$stage"
    back=$PWD
    cd "$stage"
    mount -t tmpfs -o mode=755 tmpfs /opt
    for entry in *; do
        if [ -L "$entry" ]; then cp -P "$entry" "/opt/$entry"
        elif [ -d "$entry" ]; then mkdir "/opt/$entry" && mount --rbind "./$entry" "/opt/$entry"
        elif [ -e "$entry" ]; then : > "/opt/$entry" && mount --bind "./$entry" "/opt/$entry"
        fi
    done
    mkdir /opt/ml
    cd "$back"
fi
mount --bind "$root" /opt/ml
mount --bind "$hosts" /etc/hosts
exec "$@"
"""


@functools.cache
def own_root() -> bool:
    """Whether this system lets the user make a namespace of mounts, for a real /opt/ml."""
    return Path("/opt").is_dir() and _works(*MOUNTS, "sh", "-c", "mount -t tmpfs tmpfs /opt")


@functools.cache
def own_processes() -> bool:
    """Whether this system lets the user make a namespace of processes, with a /proc that shows only these."""
    alone = "import os; assert list(filter(str.isdigit, os.listdir('/proc'))) == ['1']"
    return _works(*PROCESSES, *POWERLESS, *FIRST[:-1], "-c", alone)


def _works(*command: str) -> bool:
    if not sys.platform.startswith("linux") or not shutil.which("unshare"):
        return False
    try:
        return subprocess.run(["unshare", *command], capture_output=True, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def command(root: Path | None, scratch: Path, hosts: tuple[str, ...]) -> list[str]:
    """Return the command of a container's first process, in what namespaces there are.

    With `root` that folder is its /opt/ml, and each of the job's hosts has a loopback address of its own (127.0.0.1,
    127.0.0.2, …), so that they can listen on the same port.
    """
    flags = PROCESSES if own_processes() else MOUNTS if root else ()
    entered = ["unshare", *flags] if flags else []
    first = [*POWERLESS, *FIRST] if own_processes() else [*FIRST]
    if root is None:
        return [*entered, *first]
    stage, names = scratch / "opt", scratch / "hosts"
    stage.mkdir(parents=True, exist_ok=True)
    lines = [f"127.0.0.{number} {host}" for number, host in enumerate(hosts, 1)]
    names.write_text("\n".join(["127.0.0.1 localhost", "::1 localhost", *lines]) + "\n")
    return [*entered, "sh", "-c", SCRIPT, "sh", str(root), str(names), str(stage), *first]
