"""What the executions of every account are doing, shown while they do it."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pipeline import tables

STYLES = {"Succeeded": "green", "Failed": "red", "Executing": "yellow", "Stopped": "magenta"}
ENDED = ("Succeeded", "Failed", "Stopped")


@dataclass
class Execution:
    """One pipeline execution as DescribePipelineExecution and its steps tell it."""

    environment: str
    arn: str
    status: str
    steps: list[dict] = field(default_factory=list)

    @property
    def pipeline(self) -> str:
        """Name of the pipeline, from the execution's ARN."""
        return self.arn.split("/")[1]


def seconds(step: dict) -> float:
    """Seconds between a step's start and its end, or now; 0.0 before it starts."""
    start = step.get("StartTime")
    if start is None:
        return 0.0
    return ((step.get("EndTime") or datetime.now(UTC)) - start).total_seconds()


class Watcher:
    """Polls the executions of several accounts, and calls back on every step that changes.

    Args:
        clients: SageMaker client per environment.
        changed: called with (execution, step) when a step starts or ends; step is None when the
            execution itself does.
        interval: seconds between two looks.
    """

    def __init__(
        self, clients: dict, changed: Callable[[Execution, dict | None], None], interval: float = 0.25
    ) -> None:
        self._clients, self._changed, self._interval = clients, changed, interval
        self._seen: dict[tuple[str, str], str] = {}
        self._ended: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.executions: dict[str, Execution] = {}

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=5)

    def _watch(self) -> None:
        while not self._stop.is_set():
            for environment, client in self._clients.items():
                self._look(environment, client)
            self._stop.wait(self._interval)

    def _look(self, environment: str, client) -> None:
        try:
            for pipeline in client.list_pipelines()["PipelineSummaries"]:
                self._look_at(environment, client, pipeline["PipelineName"])
        except Exception as error:  # the view may never stop what it shows
            if not self._stop.is_set():
                print(f"view: {type(error).__name__}: {error}", file=sys.stderr)
                self._stop.wait(1)

    def _look_at(self, environment: str, client, pipeline: str) -> None:
        summaries = client.list_pipeline_executions(PipelineName=pipeline, SortOrder="Ascending")
        for summary in summaries["PipelineExecutionSummaries"]:
            arn, status = summary["PipelineExecutionArn"], summary["PipelineExecutionStatus"]
            if arn in self._ended:
                continue
            execution = self.executions.setdefault(arn, Execution(environment, arn, status))
            execution.steps = self._steps(client, arn)
            execution.status = status
            for step in execution.steps:
                self._notice(execution, step, step["StepName"], step["StepStatus"])
            self._notice(execution, None, "", status)
            if status in ENDED:
                self._ended.add(arn)

    @staticmethod
    def _steps(client, arn: str) -> list[dict]:
        listed = client.list_pipeline_execution_steps(PipelineExecutionArn=arn, SortOrder="Ascending")
        return listed["PipelineExecutionSteps"]

    def _notice(self, execution: Execution, step: dict | None, name: str, status: str) -> None:
        if self._seen.get((execution.arn, name)) != status:
            self._seen[execution.arn, name] = status
            self._changed(execution, step)


class View:
    """The live picture on a terminal, and plain lines where there is none."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or tables.console(highlight=False)
        self._start = time.monotonic()
        self._act = ""
        self._watcher: Watcher | None = None
        self._live: Live | None = None

    def watch(self, clients: dict) -> Watcher:
        """Return a watcher over SageMaker clients per environment that this view shows."""
        self._watcher = Watcher(clients, self._changed)
        return self._watcher

    def __enter__(self) -> View:
        if self.console.is_terminal:
            self._live = Live(get_renderable=self._picture, console=self.console, refresh_per_second=8)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def act(self, title: str) -> None:
        """Say which act of the life of the model begins."""
        self._act = title
        self.say(f"[bold]{title}[/]")

    def say(self, line: str) -> None:
        """Print a line with the seconds since the start in front."""
        self.console.print(f"[dim]{time.monotonic() - self._start:6.1f} s[/]  {line}")

    def _changed(self, execution: Execution, step: dict | None) -> None:
        if step is None:
            if execution.status in ENDED:
                self.say(
                    f"  {execution.environment:9}{execution.pipeline} {_coloured(execution.status)}"
                    f"{_reason(execution.steps)}"
                )
        elif step["StepStatus"] in ENDED:
            self.say(
                f"  {execution.environment:9}{execution.pipeline:23} {step['StepName']:16} "
                f"{_coloured(step['StepStatus'])} {seconds(step):5.1f} s"
            )

    def _picture(self) -> Group:
        table = Table(box=None, padding=(0, 2), show_header=False)
        for execution in self._running():
            for step in execution.steps:
                table.add_row(
                    execution.environment,
                    execution.pipeline,
                    step["StepName"],
                    Text(step["StepStatus"], STYLES.get(step["StepStatus"], "")),
                    f"{seconds(step):.1f} s",
                )
        return Group(Text(f"▶ {self._act}", "bold cyan"), table)

    def _running(self) -> Iterable[Execution]:
        executions = list(self._watcher.executions.values()) if self._watcher else []
        return [execution for execution in executions if execution.status not in ENDED]


def _coloured(status: str) -> str:
    return f"[{STYLES.get(status, 'white')}]{status:9}[/]"


def _reason(steps: list[dict]) -> str:
    failed = next((step for step in steps if step["StepStatus"] == "Failed"), None)
    return f"at {failed['StepName']}" if failed else ""
