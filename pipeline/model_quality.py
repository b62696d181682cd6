"""What people look at when labels have arrived: what the executions that evaluated the model by them said."""

from __future__ import annotations

from dataclasses import dataclass

from rich.markup import escape
from rich.table import Table

from functions.common import contract
from functions.common.context import AccountContext, client, read_json
from functions.common.registry import version_of
from functions.on_failure import execution as executions
from pipeline import account, tables
from pipeline.execution import CannotStart, outcome
from pipeline.names import Names
from pipeline.settings import Settings
from pipeline.versions import REPORT

MOST = 10
"""Executions that are listed, the newest of all."""


@dataclass(frozen=True)
class ModelQuality:
    """What an execution of the quality pipeline said.

    Args:
        execution: its ARN.
        started: when it began, as ISO 8601 text.
        status: the execution's.
        version: number of the version that it evaluated, or None when it found none to evaluate.
        sentence: the job's own, or why there is none.
        report: S3 URL of the report, or None when there is none.
        drift: whether the model has become worse.
    """

    execution: str
    started: str
    status: str
    version: int | None
    sentence: str
    report: str | None
    drift: bool


def read(context: AccountContext, execution: str) -> ModelQuality:
    """Return what an execution said, as far as it has come."""
    described = client("sagemaker").describe_pipeline_execution(PipelineExecutionArn=execution)
    package = executions.outputs(executions.steps_of(execution).get(contract.RESOLVE, {})).get(contract.MODEL_PACKAGE)
    found = read_json(context.data_bucket, context.run(execution, "quality", contract.VERDICT_FILE))
    if found:
        sentence, drift = found[0]["sentence"], found[0]["drift"]
        report = f"s3://{context.data_bucket}/{context.run(execution, 'quality', REPORT)}"
    else:
        sentence, drift, report = outcome(context, execution)[1], False, None
    return ModelQuality(
        execution,
        described["CreationTime"].isoformat(timespec="seconds"),
        described["PipelineExecutionStatus"],
        version_of(package) if package else None,
        sentence,
        report,
        drift,
    )


def print_model_quality(settings: Settings) -> None:
    """Print what the last executions of the quality pipeline said, the newest first.

    Raises:
        CannotStart: there is no such pipeline.
    """
    context = account.enter(settings)
    sagemaker, name = client("sagemaker"), Names(settings).name("quality")
    try:
        found = sagemaker.list_pipeline_executions(
            PipelineName=name, SortBy="CreationTime", SortOrder="Descending", MaxResults=MOST
        )["PipelineExecutionSummaries"]
    except sagemaker.exceptions.ResourceNotFound:
        raise CannotStart(f"{name} isn't in account {settings.account}.") from None
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("started", "status", "version", "what", "report"):
        table.add_column(heading, overflow="fold")
    for summary in found:
        said = read(context, summary["PipelineExecutionArn"])
        table.add_row(
            said.started, said.status, str(said.version or ""), escape(said.sentence), said.report or "",
        )  # fmt: skip
    tables.show(table)
