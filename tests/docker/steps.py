"""Runs a step's image by hand, as its user would, under everything that hardens a container."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tarfile
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from data import make
from images.engine import Engine
from steps.common.schema import Schema

NOBODY, ROOT_USER = "10001", "0"
HARDENED = (
    "--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--memory=1g",
    "--pids-limit=256",
)  # fmt: skip
HYPERPARAMETERS = {"objective": "binary:logistic", "eval_metric": "auc", "num_round": "20", "max_depth": "3"}


@dataclass(frozen=True)
class Ended:
    """How a container ended, and what it said."""

    code: int
    printed: str


@dataclass
class Step:
    """One step's image, and the folder that is /opt/ml for its containers."""

    docker: Engine
    image: str
    root: Path

    def write(self, path: str, content: str | bytes) -> None:
        """Put a file below /opt/ml."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())

    def read(self, path: str) -> str:
        """Return a text file below /opt/ml."""
        return (self.root / path).read_text()

    def files(self, folder: str) -> list[str]:
        """The files below a folder of /opt/ml, hidden ones too."""
        location = self.root / folder
        return sorted(str(file.relative_to(location)) for file in location.rglob("*") if file.is_file())

    def run(self, *arguments: str, user: str = NOBODY, environment: Mapping[str, str] | None = None) -> Ended:
        """Run a container without a network to its end."""
        command = [self.docker.command, *self.command(*arguments, user=user, environment=environment)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return Ended(done.returncode, done.stdout.decode())

    def command(self, *arguments: str, user: str = NOBODY, environment: Mapping[str, str] | None = None) -> list[str]:
        """What follows `docker` to run a container without a network to its end."""
        return ["run", "--rm", "--network=none", *self._options(user, environment), self.image, *arguments]

    @contextlib.contextmanager
    def running(self, *arguments: str, options: tuple[str, ...] = ("--network=none",), user: str = NOBODY):
        """Run a container; give its name. It is gone when the block ends."""
        name = f"baton-test-{uuid.uuid4().hex[:12]}"
        try:
            self.docker.run(
                "run", "--detach", f"--name={name}", *options, *self._options(user, None), self.image, *arguments
            )
            yield name
        finally:
            self.docker.run("rm", "--force", "--volumes", name)

    def said(self, name: str) -> str:
        """What a running or ended container has printed."""
        done = subprocess.run([self.docker.command, "logs", name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.stdout.decode()

    def _options(self, user: str, environment: Mapping[str, str] | None) -> Iterator[str]:
        # The image's user writes here, whoever that is.
        for folder in ("", "model", "output", "processing/input", "processing/output"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        for folder in (path for path in (self.root, *self.root.rglob("*")) if path.is_dir()):
            with contextlib.suppress(PermissionError):
                folder.chmod(0o777)
        yield from HARDENED
        # Without its rights root is nobody special, but it owns what root has laid there.
        yield f"--user={user}"
        yield f"--volume={self.root}:/opt/ml"
        yield from (f"--env={name}={value}" for name, value in (environment or {}).items())


def labelled_csv(features_only: bool = False) -> str:
    """The first labelled part as it arrives, or its features alone."""
    rows = make.derive(make.read_table())["labelled/part-1.csv"]
    return "".join(",".join(row[:-1] if features_only else row) + "\n" for row in rows)


def label_first() -> dict[str, list[str]]:
    """The labelled rows as training takes them: the label first, missing values empty."""
    schema = Schema.read()
    rows = [row for rows in (make.derive(make.read_table())[f"labelled/part-{n}.csv"] for n in (1, 2)) for row in rows]
    lines = [",".join("" if text == schema.missing else text for text in (row[-1], *row[:-1])) for row in rows]
    return {"train": lines[:600], "validation": lines[600:730], "test": lines[730:]}


def fill_training(step: Step, **hyperparameters: str) -> None:
    """Lay out /opt/ml as SageMaker does for a training job."""
    rows = label_first()
    for channel in ("train", "validation"):
        step.write(f"input/data/{channel}/part.csv", "\n".join(rows[channel]) + "\n")
    step.write("input/config/hyperparameters.json", json.dumps(HYPERPARAMETERS | hyperparameters))
    step.write("input/config/inputdataconfig.json", json.dumps({"train": {"ContentType": "text/csv"}}))
    step.write("input/config/resourceconfig.json", json.dumps({"current_host": "algo-1", "hosts": ["algo-1"]}))


def archive(folder: Path, target: Path) -> Path:
    """Pack a model folder as SageMaker does."""
    with tarfile.open(target, "w:gz") as tar:
        for file in sorted(folder.iterdir()):
            tar.add(file, file.name)
    return target
