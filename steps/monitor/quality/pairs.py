"""Labels and predictions that stand beside each other: in records that SageMaker merged, or in one table."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from steps.monitor.contract import Job
from steps.monitor.data import capture, files, read_errors
from steps.monitor.failures import BadSetting, UnreadableBatch
from steps.monitor.quality import attribute
from steps.monitor.quality.problems import Problem

TRUTH = "ground_truth_attribute"


def merged(job: Job, problem: Problem) -> Iterator[tuple[Any, Any]]:
    """Give label and prediction, None if there is none, of each record that SageMaker merged with its label.

    The records: docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-model-quality-merge.html.
    """
    wanted = problem.wanted(problem.default_column)
    found, folder = files.listed(job)
    for file in found:
        name = file.relative_to(folder).as_posix()
        for number, record in read_errors.records(file, by_line=True, name=name):
            location = f"{name}, line {number}"
            try:
                if not capture.is_of_interest(record, job):
                    continue
                outputs = capture.named(record["captureData"]["endpointOutput"], "endpointOutput")
                truths = capture.payload(record["groundTruthData"], "groundTruthData")
            except capture.NotAPayload as problem_found:
                raise UnreadableBatch(f"{location}: {problem_found}.") from None
            except (KeyError, TypeError, AttributeError):
                raise UnreadableBatch(f"{location}: not a record that was merged with its label.") from None
            if len(outputs) != len(truths):
                raise UnreadableBatch(f"{location}: {len(outputs)} predictions and {len(truths)} labels.")
            for output, truth in zip(outputs, truths, strict=True):
                cells = {variable: attribute.cell(output, at, variable, location) for variable, at in wanted.items()}
                yield problem.truth(truth[0], f"{location}, groundTruthData"), problem.prediction(cells, location)


def table(job: Job, problem: Problem) -> Iterator[tuple[Any, Any]]:
    """Give label and prediction of each row of a table that holds both."""
    truth = job.environment.get(TRUTH) or ""
    if not truth:
        raise BadSetting(f"{TRUTH} is not set: without ground_truth_source it has to name the label's column.")
    if not problem.attributes:
        raise BadSetting(f"{problem.main_variable} is not set: without ground_truth_source it has to name a column.")
    found, folder = files.listed(job)
    for file in found:
        name = file.relative_to(folder).as_posix()
        for location, row in _rows(file, name, job):
            label = attribute.cell(row, truth, TRUTH, name)
            cells = {each: attribute.cell(row, at, each, name) for each, at in problem.attributes.items()}
            yield problem.truth(label, f"{location}, column {truth}"), problem.prediction(cells, location)


def _rows(file: Path, name: str, job: Job) -> Iterator[tuple[str, dict[str, Any]]]:
    if job.format not in ("csv", "json"):
        raise BadSetting("dataset_format: a model's quality is read from csv, json or sagemakerMergeJson.")
    rows: Iterator[tuple[int, dict[str, Any]]] = (
        read_errors.records(file, job.json_lines, name)
        if job.format == "json"
        else read_errors.cells(file, name, job.header)
    )
    for row, content in rows:
        yield f"{name}, row {row}", content
