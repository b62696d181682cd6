"""A real /opt/ml for one process, in a mount namespace of its own (Linux)."""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
from pathlib import Path

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
def available() -> bool:
    """Whether this system lets the user make such a namespace."""
    if not sys.platform.startswith("linux") or not shutil.which("unshare") or not Path("/opt").is_dir():
        return False
    try:
        probe = ["unshare", "-Urm", "sh", "-c", "mount -t tmpfs tmpfs /opt"]
        return subprocess.run(probe, capture_output=True, timeout=10).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def command(root: Path, scratch: Path, hosts: tuple[str, ...], arguments: list[str]) -> list[str]:
    """Return a command that runs `arguments` with `root` as /opt/ml and the job's hosts on loopback addresses.

    Each host has an address of its own (127.0.0.1, 127.0.0.2, …), so that they can listen on the same port.
    """
    stage, names = scratch / "opt", scratch / "hosts"
    stage.mkdir(parents=True, exist_ok=True)
    lines = [f"127.0.0.{number} {host}" for number, host in enumerate(hosts, 1)]
    names.write_text("\n".join(["127.0.0.1 localhost", "::1 localhost", *lines]) + "\n")
    return ["unshare", "-Urm", "sh", "-c", SCRIPT, "sh", str(root), str(names), str(stage), *arguments]
