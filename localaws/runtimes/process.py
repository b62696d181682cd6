"""Containers as plain processes: each in the environment that the image map gives for its image."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from localaws.contract import Image, ImageMap
from localaws.environment import inherited
from localaws.runtimes import first, namespaces, scriptmode
from localaws.runtimes.base import ML, CannotRun, Container, mapped

PORTS = range(10_000, 20_000)
"""Of containers that serve: below the ports that systems give to outgoing connections, one of which could take a
port before its container does."""

MAX_LINE = 256 * 1024
"""Bytes of a line in CloudWatch Logs; longer ones are cut into several."""

DIES = 5.0
"""Seconds within which a container's first process ends all others; then it is killed itself."""

DRAINS = 30.0
"""Seconds for the output of a container that has ended; what it leaked a pipe to may hold that open for ever."""


class ProcessRuntime:
    """Runs the command of an image's map entry, with SAGEMAKER_BASE_DIR for /opt/ml, in folders of the job's own.

    The entry's directory is where the command's files and Python's modules are found, not where it runs. Entries in
    script mode may run foreign scripts, which know only the real /opt/ml; these get one of their own where the system
    can make it, and are refused elsewhere.
    """

    name = "process"

    def __init__(self, images: ImageMap) -> None:
        self.images = images

    def start(self, container: Container) -> ProcessHandle:
        """Start a process with all that makes it a container. Raises CannotRun."""
        image = mapped(self.images, container.image)
        scratch = container.root.parent / f"{container.root.name}.process"
        for folder in ("home", "tmp", "work"):
            (scratch / folder).mkdir(parents=True, exist_ok=True)
        environment = _environment(image, container, scratch)
        port = _free_port() if container.serving else None
        if port:
            environment["SAGEMAKER_BIND_TO_PORT"] = str(port)
        foreign = image.script_mode and _is_foreign(container)
        arguments = _arguments(image, container, ML if foreign else str(container.root))
        if not image.directory.is_dir():
            raise CannotRun(f"The image {container.image} can't run in {image.directory}: No such file or directory.")
        _require_command(arguments[0], environment["PATH"], container.image)
        if not foreign:
            environment["SAGEMAKER_BASE_DIR"] = str(container.root)
        elif not namespaces.own_root():
            raise CannotRun(
                f"The image {container.image} runs a script that needs a real {ML}, which a process can't have on "
                "this system (unshare -Urm doesn't work): use the docker runtime."
            )
        try:
            said = first.packed(str(scratch / "work"), arguments, environment)
        except ValueError:
            raise CannotRun(
                f"The image {container.image} can't be started: a variable or argument holds a zero byte."
            ) from None
        try:
            process = subprocess.Popen(
                namespaces.command(container.root if foreign else None, scratch, container.hosts),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=inherited(),
                cwd=scratch,
                start_new_session=True,
            )
        except OSError as error:
            raise CannotRun(f"The image {container.image} can't be started: {error.strerror}.") from None
        log = scriptmode.log(container) if image.script_mode else container.log
        handle = ProcessHandle(process, log, f"127.0.0.1:{port}" if port else None)
        handle.tell(said)
        return handle


class ProcessHandle:
    """A container that is a process with its descendants."""

    killed_for_memory = False

    def __init__(self, process: subprocess.Popen[bytes], log: Callable[[str], None], address: str | None) -> None:
        self.address = address
        self._process, self._log = process, log
        self._telling = threading.Lock()
        self._ended = threading.Event()
        threading.Thread(target=self._follow, daemon=True).start()

    def tell(self, said: bytes) -> None:
        """Say something to the first process, unless it has ended."""
        with self._telling, contextlib.suppress(OSError, ValueError):
            assert self._process.stdin is not None
            self._process.stdin.write(said)
            self._process.stdin.flush()

    def wait(self, timeout: float | None = None) -> int | None:
        """Return the exit code once all output was logged; None after `timeout` seconds."""
        if not self._ended.wait(timeout):
            return None
        code = self._process.returncode
        return 128 - code if code < 0 else code

    def stop(self, grace: float) -> None:
        """Send SIGTERM to the program, and SIGKILL to it and its descendants after `grace` seconds."""
        # A container's program alone hears SIGTERM; were its children to hear it too, those that it hands the signal
        # on to would get it twice, and the second one while they end can be their death.
        self.tell(b"stop\n")
        if not self._ended.wait(grace):
            self.remove()

    def remove(self) -> None:
        """Kill what is left of the program and its descendants."""
        with self._telling, contextlib.suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        if not self._ended.wait(DIES):
            self._process.kill()
            self._ended.wait(DRAINS)

    def _follow(self) -> None:
        reader = threading.Thread(target=_read, args=(self._process, self._log), daemon=True)
        reader.start()
        self._process.wait()
        reader.join(DRAINS)
        self._ended.set()
        with self._telling, contextlib.suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()


def _environment(image: Image, container: Container, scratch: Path) -> dict[str, str]:
    kept = inherited()
    kept.setdefault("PATH", os.defpath)
    if image.command and "/" in image.command[0]:
        # A container's own entry point says `python3`, and means its image's.
        kept["PATH"] = f"{image.directory / Path(image.command[0]).parent}{os.pathsep}{kept['PATH']}"
    given = {
        **kept,
        "HOME": str(scratch / "home"),
        "TMPDIR": str(scratch / "tmp"),
        # On a machine in EC2 the SDK would otherwise find the machine's own role.
        "AWS_EC2_METADATA_DISABLED": "true",
        **({scriptmode.IMAGE: container.image} if image.script_mode else {}),
        **image.environment,
        **container.environment,
    }
    own = str(scratch / "packages") if image.script_mode else None
    if own:
        # What a script installs is its job's; the environment is every job's.
        given["PIP_TARGET"] = own
    modules = filter(None, (own, given.get("PYTHONPATH"), str(image.directory)))
    return {**given, "PYTHONPATH": os.pathsep.join(modules)}


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
    named, *rest = image.command
    program = str(image.directory / named) if "/" in named else named
    return [program, *_files_in(image.directory, rest), *toolkit, *container.arguments]


def _files_in(directory: Path, words: list[str]) -> list[str]:
    """A command's words, with the place of those that name a file of its directory, and not a module."""
    named = zip(["", *words], words, strict=False)
    return [word if before in ("-m", "-c") else _file_in(directory, word) for before, word in named]


def _file_in(directory: Path, word: str) -> str:
    with contextlib.suppress(OSError):
        return str(directory / word) if (directory / word).is_file() else word
    return word


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
