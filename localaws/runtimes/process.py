"""Containers as plain processes: each in the environment that the image map gives for its image."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from localaws.contract import Image, ImageMap
from localaws.runtimes import private_root, scriptmode
from localaws.runtimes.base import ML, CannotRun, Container, mapped
from localaws.runtimes.watchdog import Watchdog

INHERITED = ("PATH", "LANG", "LANGUAGE", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
             "CURL_CA_BUNDLE", "PIP_CERT")  # fmt: skip
"""All that a container gets from localaws' own environment, beside LC_…: no key, no token, no setting."""

GATE = 'read -r go || exit 125; exec "$@" < /dev/null'
"""Waits until the watchdog knows the process: killed before that, localaws leaves no process behind."""

PORTS = range(10_000, 20_000)
"""Of containers that serve: below the ports that systems give to outgoing connections, one of which could take a
port before its container does."""

MAX_LINE = 256 * 1024
"""Bytes of a line in CloudWatch Logs; longer ones are cut into several."""


class ProcessRuntime:
    """Runs the command of an image's map entry, in its folder, with SAGEMAKER_BASE_DIR for /opt/ml.

    Entries in script mode may run foreign scripts, which know only the real /opt/ml; these get one of their own
    where the system can make it, and are refused elsewhere.
    """

    name = "process"

    def __init__(self, images: ImageMap) -> None:
        self.images = images
        self._watchdog = Watchdog()

    def start(self, container: Container) -> ProcessHandle:
        """Start a process in a session of its own. Raises CannotRun."""
        image = mapped(self.images, container.image)
        scratch = container.root.parent / f"{container.root.name}.process"
        for folder in ("home", "tmp"):
            (scratch / folder).mkdir(parents=True, exist_ok=True)
        environment = _environment(image, container, scratch)
        port = _free_port() if container.serving else None
        if port:
            environment["SAGEMAKER_BIND_TO_PORT"] = str(port)
        foreign = image.script_mode and _is_foreign(container)
        arguments = _arguments(image, container, ML if foreign else str(container.root))
        _require_command(arguments[0], environment["PATH"], container.image)
        if foreign:
            if not private_root.available():
                raise CannotRun(
                    f"The image {container.image} runs a script that needs a real {ML}, which a process can't have on "
                    "this system (unshare -Urm doesn't work): use the docker runtime."
                )
            arguments = private_root.command(container.root, scratch, container.hosts, arguments)
        else:
            environment["SAGEMAKER_BASE_DIR"] = str(container.root)
        try:
            process = subprocess.Popen(
                ["sh", "-c", GATE, "sh", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=image.directory,
                start_new_session=True,
            )
        except OSError as error:
            raise CannotRun(f"The image {container.image} can't run in {image.directory}: {error.strerror}.") from None
        self._watchdog.add(process.pid)
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.close()
        return ProcessHandle(process, container.log, self._watchdog, f"127.0.0.1:{port}" if port else None)


class ProcessHandle:
    """A container that is a process with its children."""

    killed_for_memory = False

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        log: Callable[[str], None],
        watchdog: Watchdog,
        address: str | None,
    ) -> None:
        self.address = address
        self._process = process
        self._watchdog = watchdog
        self._reader = threading.Thread(target=_read, args=(process, log), daemon=True)
        self._reader.start()
        self._ended = threading.Event()
        threading.Thread(target=self._reap, daemon=True).start()

    def wait(self, timeout: float | None = None) -> int | None:
        """Return the exit code once all output was logged; None after `timeout` seconds."""
        if not self._ended.wait(timeout):
            return None
        code = self._process.returncode
        return 128 - code if code < 0 else code

    def stop(self, grace: float) -> None:
        """Send SIGTERM to the process, and SIGKILL to it and its children after `grace` seconds."""
        # A container's first process alone hears SIGTERM; were its children to hear it too, those that it hands
        # the signal on to would get it twice, and the second one while they end can be their death.
        if not self._ended.is_set():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self._process.pid, signal.SIGTERM)
        if not self._ended.wait(grace):
            self.remove()

    def remove(self) -> None:
        """Kill what is left of the process and its children."""
        if not self._ended.is_set():
            _kill_group(self._process.pid, signal.SIGKILL)
        self._ended.wait()

    def _reap(self) -> None:
        if hasattr(os, "waitid"):
            # Not reaped yet, its number can't be another process's while we kill the rest of its group.
            os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        else:
            self._process.wait()
        _kill_group(self._process.pid, signal.SIGKILL)
        self._reader.join()
        self._process.wait()
        self._watchdog.remove(self._process.pid)
        self._ended.set()


def _kill_group(group: int, number: int) -> None:
    # macOS answers with a missing permission where only the dead leader is left.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _environment(image: Image, container: Container, scratch: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in INHERITED or name.startswith("LC_")}
    if image.command and "/" in image.command[0]:
        # A container's own entry point says `python3`, and means its image's.
        kept["PATH"] = f"{image.directory / Path(image.command[0]).parent}{os.pathsep}{kept.get('PATH', os.defpath)}"
    return {
        **kept,
        "HOME": str(scratch / "home"),
        "TMPDIR": str(scratch / "tmp"),
        # On a machine in EC2 the SDK would otherwise find the machine's own role.
        "AWS_EC2_METADATA_DISABLED": "true",
        **image.environment,
        **container.environment,
    }


def _is_foreign(container: Container) -> bool:
    """Whether it isn't the image's own program that runs, but one that the job or the model brings."""
    brought = (container.root / "code").is_dir() or (container.root / "model" / "code").is_dir()
    return bool(container.entrypoint) or brought or "SAGEMAKER_PROGRAM" in container.environment


def _arguments(image: Image, container: Container, root: str) -> list[str]:
    if container.entrypoint:
        return [*container.entrypoint, *container.arguments]
    if not image.command:
        raise CannotRun(f"The image map's entry for {container.image} has no command for the process runtime.")
    toolkit = [f"{root}{scriptmode.install(container.root).removeprefix(ML)}"] if image.script_mode else []
    first, *rest = image.command
    program = str(image.directory / first) if "/" in first else first
    return [program, *rest, *toolkit, *container.arguments]


def _require_command(program: str, path: str, image: str) -> None:
    if not shutil.which(program, path=path) and not program.startswith((".", ML)):
        raise CannotRun(f"The image {image} can't run: its command {program} isn't there or can't be executed.")


def _read(process: subprocess.Popen[bytes], log: Callable[[str], None]) -> None:
    assert process.stdout is not None
    while line := process.stdout.readline(MAX_LINE):
        log(line.decode(errors="replace").rstrip("\r\n"))
    process.stdout.close()


def _free_port() -> int:
    """Return a port that nobody listens on, for a container that will listen on it in a second or two."""
    for port in random.sample(PORTS, 50):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise CannotRun(f"No free port from {PORTS[0]} to {PORTS[-1]} was found for a container that serves.")
