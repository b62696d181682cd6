"""Labels and predictions that stand beside each other: in records that SageMaker merged, or in one table."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from steps.monitor import attribute, broken, capture, files
from steps.monitor.contract import Job
from steps.monitor.failures import BadSetting, UnreadableBatch
from steps.monitor.quality import Problem

TRUTH = "ground_truth_attribute"


def merged(job: Job, problem: Problem) -> Iterator[tuple[Any, Any]]:
    """Give label and prediction, None if there is none, of each record that SageMaker merged with its label.

    The records: docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-model-quality-merge.html.
    """
    wanted = problem.wanted(problem.default)
    found, folder = files.listed(job)
    for file in found:
        name = file.relative_to(folder).as_posix()
        for number, record in broken.records(file, by_line=True, name=name):
            place = f"{name}, line {number}"
            try:
                if not capture.is_of_interest(record, job):
                    continue
                outputs = capture.named(record["captureData"]["endpointOutput"], "endpointOutput")
                truths = capture.payload(record["groundTruthData"], "groundTruthData")
            except capture.NotAPayload as problem_found:
                raise UnreadableBatch(f"{place}: {problem_found}.") from None
            except (KeyError, TypeError, AttributeError):
                raise UnreadableBatch(f"{place}: not a record that was merged with its label.") from None
            if len(outputs) != len(truths):
                raise UnreadableBatch(f"{place}: {len(outputs)} predictions and {len(truths)} labels.")
            for output, truth in zip(outputs, truths, strict=True):
                cells = {variable: attribute.cell(output, at, variable, place) for variable, at in wanted.items()}
                yield problem.truth(truth[0], place), problem.prediction(cells, place)


def table(job: Job, problem: Problem) -> Iterator[tuple[Any, Any]]:
    """Give label and prediction of each row of a table that holds both."""
    truth = job.environment.get(TRUTH) or ""
    for variable, value in ((TRUTH, truth), (problem.needed, problem.attributes)):
        if not value:
            raise BadSetting(f"{variable} is not set, and neither is ground_truth_source.")
    found, folder = files.listed(job)
    for file in found:
        name = file.relative_to(folder).as_posix()
        for place, row in _rows(file, name, job):
            label = attribute.cell(row, truth, TRUTH, name)
            cells = {each: attribute.cell(row, at, each, name) for each, at in problem.attributes.items()}
            yield problem.truth(label, place), problem.prediction(cells, place)


def _rows(file: Path, name: str, job: Job) -> Iterator[tuple[str, dict[str, Any]]]:
    if job.format == "json":
        for row, content in broken.records(file, job.json_lines, name):
            yield f"{name}, row {row}", content
        return
    if job.format != "csv":
        raise BadSetting("dataset_format: a model's quality is read from csv, json or sagemakerMergeJson.")
    reader = csv.reader(text for _, text in broken.lines(file, name))
    header: list[str] | None = None
    row = 0
    for cells in reader:
        if not cells:
            continue
        if job.header and header is None:
            header = [cell.strip() for cell in cells]
            continue
        row += 1
        names = header or [str(place) for place in range(len(cells))]
        if len(cells) != len(names):
            raise UnreadableBatch(f"{name}, row {row}: {len(cells)} columns where {len(names)} belong.")
        yield f"{name}, row {row}", dict(zip(names, cells, strict=True))
