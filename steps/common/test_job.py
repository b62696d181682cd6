"""A job's container as a plain process: a root of its own, and what the step leaves there."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from steps.common import paths

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Job:
    """The folders of one job; `root` stands for /opt/ml."""

    root: Path

    def write(self, name: str, content: str | bytes) -> Path:
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    def read(self, name: str) -> str:
        return (self.root / name).read_text()

    def files(self, folder: str) -> list[str]:
        """Names of all files below a folder, hidden ones included."""
        below = self.root / folder
        return sorted(str(file.relative_to(below)) for file in below.rglob("*") if file.is_file())

    def start(self, step: str, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        """Start a step as its image does, with its output in a pipe."""
        command = [sys.executable, "-m", f"steps.{step}", *arguments]
        given = {**os.environ, paths.ROOT_VARIABLE: str(self.root), "PYTHONPATH": str(ROOT), **environment}
        return subprocess.Popen(
            command, cwd=ROOT, env=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def run(self, step: str, *arguments: str, **environment: str) -> tuple[int, str]:
        """Run a step to its end; return its exit code and output."""
        process = self.start(step, *arguments, **environment)
        output, _ = process.communicate()
        return process.returncode, output


def test_files_are_seen_hidden_or_not(job):
    job.write("out/a/b.csv", "1\n")
    job.write("out/.part", b"2")
    assert job.files("out") == [".part", "a/b.csv"]
    assert job.files("nowhere") == []
    assert job.read("out/a/b.csv") == "1\n"
