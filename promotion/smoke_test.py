"""The smoke-test batch: rows whose answers are known, scored by the inference pipeline of a release just deployed.

It lies outside the folder of batches, so that no event starts a second execution for it. Its rows are rows of the
published table, and their answers are its labels: batch.csv and answers.csv in smoke_test/.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from functions.common import context, failures, ledger
from functions.common.batches import SMOKE_TESTS
from functions.common.failures import NoApprovedModel
from functions.common.objects import Object, batch_id
from pipeline import execution, settings
from pipeline.account import context_of
from promotion.accounts import Account
from promotion.errors import SmokeFailed
from promotion.manifest import Manifest

FOLDER = Path(__file__).parent / "smoke_test"
ENDED = ("Succeeded", "Failed", "Stopped")
LOWEST_AUC = 0.75
"""Over 48 rows the AUC of a good model (0.90) has a standard error of 0.045: it is below this once in 2,000 batches
(normal approximation, Hanley and McNeil 1982), and these rows are always the same. Shuffled rows give 0.5 ± 0.08."""


class SmokeTest:
    """Scores the smoke-test batch in one environment."""

    def __init__(self, account: Account, say: Callable[[str], None] = print) -> None:
        self._account, self._say = account, say
        self._context = context_of(account.settings)

    def __call__(self, manifest: Manifest) -> str:
        """Score the batch and hold every row against its known answer; return what came of it in a sentence.

        Raises:
            SmokeFailed: the execution failed, or the answers are wrong; the message says how.
        """
        context.use(self._account.session)
        url, batch = self._put(manifest)
        reason = f"Smoke-test batch of release {manifest.version}"
        arn = execution.start(self._account.settings, "inference", {"BatchDataUrl": url}, reason)
        status = follow(self._account, arn, self._say)
        if status != "Succeeded":
            note = failures.recall(self._context, arn)
            if note and note["name"] == NoApprovedModel.__name__:
                return "No version is approved yet, so there was nothing to score with."
            raise SmokeFailed(f"The smoke-test batch wasn't scored: {execution.outcome(self._context, arn)[1]}")
        entry, _ = ledger.read(self._context, batch)
        if entry is None or entry.state != ledger.SCORED or not entry.predictions:
            raise SmokeFailed(f"The smoke-test batch {batch} isn't in the ledger as scored.")
        auc = check(self._text(f"{entry.predictions}/{Path(url).name}.out"), (FOLDER / "answers.csv").read_text())
        return f"{len(_lines(batch_file()))} rows scored by version {entry.version}, AUC {auc:.3f}."

    def _put(self, manifest: Manifest) -> tuple[str, str]:
        """Put the batch into the data bucket under a name of its own; return its URL and identity."""
        key = f"{SMOKE_TESTS[0]}{manifest.version}-{secrets.token_hex(4)}.csv"
        content = batch_file().encode()
        bucket = self._account.names.data_bucket
        answer = self._account.client("s3").put_object(Bucket=bucket, Key=key, Body=content)
        version = answer.get("VersionId") or answer["ETag"].strip('"')
        return f"s3://{bucket}/{key}", batch_id([Object(key, version, len(content), datetime.now(UTC))])

    def _text(self, url: str) -> str:
        bucket, key = context.split(url)
        return self._account.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode()


def rehearse(account: Account, version: str, say: Callable[[str], None] = print) -> str:
    """Run an environment's train pipeline to its end; return the execution's ARN.

    Raises:
        SmokeFailed: it didn't succeed; the message is the failed job's own sentence.
    """
    context.use(account.session)
    arn = execution.start(account.settings, "train", {}, f"Rehearsal of release {version}")
    if follow(account, arn, say) != "Succeeded":
        raise SmokeFailed(f"The rehearsal failed: {execution.outcome(context_of(account.settings), arn)[1]}")
    return arn


def follow(account: Account, arn: str, say: Callable[[str], None]) -> str:
    """Tell each step of an execution that ends; return the execution's status at its end."""
    for step in execution.follow(arn, execution.LOCAL_INTERVAL if settings.is_local() else execution.INTERVAL):
        if step["StepStatus"] in ENDED:
            seconds = (step["EndTime"] - step["StartTime"]).total_seconds() if "StartTime" in step else 0
            say(f"  {step['StepName']:16} {step['StepStatus']:10}{seconds:8.1f} s")
    described = account.client("sagemaker").describe_pipeline_execution(PipelineExecutionArn=arn)
    return described["PipelineExecutionStatus"]


def batch_file() -> str:
    """Return the batch's text: CSV without header, no labels."""
    return (FOLDER / "batch.csv").read_text()


def check(predictions: str, answers: str) -> float:
    """Hold predictions (one probability a line) against answers (0 or 1 a line, same rows); return the AUC.

    Raises:
        SmokeFailed: a row is missing or too many, isn't a probability, or the AUC is below LOWEST_AUC.
    """
    labels = [int(line) for line in _lines(answers)]
    lines = _lines(predictions)
    if len(lines) != len(labels):
        raise SmokeFailed(f"The smoke-test batch has {len(labels)} rows, {len(lines)} came back.")
    scores = []
    for row, line in enumerate(lines, 1):
        try:
            scores.append(float(line))
        except ValueError:
            raise SmokeFailed(
                f"Row {row} of the smoke-test batch came back as something that isn't a number."
            ) from None
        if not 0 <= scores[-1] <= 1:
            raise SmokeFailed(f"Row {row} of the smoke-test batch came back as something that isn't a probability.")
    found = area(scores, labels)
    if found < LOWEST_AUC:
        raise SmokeFailed(f"The smoke-test batch came back with an AUC of {found:.3f}; {LOWEST_AUC} is the least.")
    return found


def area(scores: Sequence[float], labels: Sequence[int]) -> float:
    """Return the area under the ROC curve: how often a positive row outranks a negative one, ties half."""
    positive = [score for score, label in zip(scores, labels, strict=True) if label]
    negative = [score for score, label in zip(scores, labels, strict=True) if not label]
    wins = sum((one > other) + (one == other) / 2 for one in positive for other in negative)
    return wins / (len(positive) * len(negative))


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line]
