"""A build of the Jenkinsfile: the scenario that its interpreter gets, and what came of it."""

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REAL = (r"make (release|deploy|rehearse|plan-release|promote|rollback)",)
"""Commands that are run; the tests, builds of images and pushes are covered elsewhere."""
RESULTS = {0: "SUCCESS", 1: "FAILURE", 2: "ABORTED"}


@dataclass
class Build:
    """One build, before and after it ran."""

    interpreter: list[str]
    checkout: Path
    folder: Path
    branch: str = "main"
    number: int = 1
    params: dict[str, str] = field(default_factory=dict)
    answers: dict[str, Any] = field(default_factory=dict)
    groups: dict[str, list[str]] = field(default_factory=lambda: {"ann": ["baton-approvers"], "bob": ["developers"]})
    credentials: dict[str, str] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=lambda: {"BATON_MAIL": "team@example.org"})
    run: tuple[str, ...] = REAL
    output: str = ""

    def start(self, environment: dict[str, str], file: Path | None = None) -> subprocess.Popen:
        """Start it in a process group of its own."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "trace").write_text("")
        scenario = {
            name: getattr(self, name)
            for name in ("branch", "number", "params", "answers", "groups", "credentials", "env", "run")
        }
        scenario |= {"job": f"baton/{self.branch}", "workspace": str(self.checkout), "folder": str(self.folder)}
        scenario["trace"] = str(self.folder / "trace")
        (self.folder / "scenario.json").write_text(json.dumps(scenario))
        return subprocess.Popen(
            [*self.interpreter, str(file or self.checkout / "Jenkinsfile"), str(self.folder / "scenario.json")],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def play(self, environment: dict[str, str], file: Path | None = None) -> str:
        """Run it to its end; return its result, or what is wrong with the file."""
        process = self.start(environment, file)
        self.output, _ = process.communicate()
        return RESULTS.get(process.returncode, self.output)

    def events(self, *kinds: str) -> list[dict]:
        """What happened, in order; only these kinds if any are given."""
        lines = [json.loads(line) for line in (self.folder / "trace").read_text().splitlines()]
        return [line for line in lines if not kinds or line["event"] in kinds]

    def commands(self) -> list[str]:
        """The commands that stages called, in order."""
        return [event["script"] for event in self.events("sh")]

    def command(self, script: str) -> dict:
        """How a command was called."""
        return next(event for event in self.events("sh") if event["script"] == script)
