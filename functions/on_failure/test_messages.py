from dataclasses import replace

import pytest

from functions.common import notify
from functions.common.context import AccountContext
from functions.on_failure import messages
from functions.on_failure.execution import Failure

CONTEXT = AccountContext("mammography", "prod", "us-east-1", "333333333333", "222222222222", "data", "models")
FAILURE = Failure(
    execution="arn:aws:sagemaker:us-east-1:333333333333:pipeline/mammography-inference/execution/abc123",
    step="Drift",
    name="Drift",
    sentence="Batch shifted-0123456789ab drifted.",
    batch="shifted-0123456789ab",
    labels=None,
    package="arn:package/3",
    monitoring="s3://data/runs/abc123/monitor",
)
REASON = "Drift: 2 violations in 48 rows: age (distribution); margin (completeness)."
TRAINING = "arn:aws:sagemaker:us-east-1:333333333333:pipeline/mammography-train/execution/def456"


@pytest.mark.parametrize("text", ["x" * 300, "Schritt äöü\nzweite Zeile", ""])
def test_a_subject_is_one_line_of_ascii_of_fewer_than_100_characters(text):
    subject = notify.subject(CONTEXT, text)
    assert subject.isascii() and subject.isprintable() and len(subject) < 100
    assert subject.startswith("mammography prod:")


def test_people_are_notified_of_a_retraining_and_why():
    subject, text = messages.retraining(CONTEXT, FAILURE, REASON, TRAINING, 1)
    assert subject == "mammography prod: batch shifted-0123456789ab drifted, retraining has begun"
    assert f"Batch shifted-0123456789ab is quarantined: {REASON}" in text
    assert "(1 file)" in text and TRAINING in text
    assert "Report: s3://data/runs/abc123/monitor/report.html" in text
    assert "(2 files)" in messages.retraining(CONTEXT, FAILURE, REASON, TRAINING, 2)[1]


def test_people_are_notified_what_holds_a_retraining_back():
    subject, text = messages.held(CONTEXT, FAILURE, REASON, ("automatic retraining is switched off", "a training runs"))
    assert subject == "mammography prod: batch shifted-0123456789ab drifted, no retraining"
    assert "No retraining was begun: automatic retraining is switched off; a training runs." in text


def test_people_can_let_a_batch_through_by_the_line_they_are_given():
    line = 'make requeue ENV=prod BATCH=shifted-0123456789ab REASON="…"'
    assert line in messages.held(CONTEXT, FAILURE, REASON, ("x",))[1]
    assert line in messages.alert(CONTEXT, replace(FAILURE, step="Monitor", name="Monitor"))[1]


def test_an_alert_is_the_jobs_own_sentence():
    failure = replace(FAILURE, step="Monitor", name="Monitor", sentence="clean.csv, row 3: 5 columns instead of 4.")
    subject, text = messages.alert(CONTEXT, failure)
    assert subject == "mammography prod: inference: step Monitor failed"
    assert text.startswith("clean.csv, row 3: 5 columns instead of 4.\n")
    assert "Nothing was retrained. Batch shifted-0123456789ab is withheld." in text
    assert FAILURE.execution in text


def test_a_named_failure_is_reported_by_its_name():
    failure = replace(FAILURE, step="Resolve", name="NoApprovedModel", sentence="None is approved.", batch=None)
    subject, text = messages.alert(CONTEXT, failure)
    assert subject == "mammography prod: inference: step Resolve (NoApprovedModel) failed"
    assert text.startswith("None is approved.\n")
    assert "withheld" not in text and "retrained" not in text


def test_an_execution_may_fail_without_a_step():
    failure = replace(FAILURE, step=None, name="Failed", sentence="The role can't be assumed.", batch=None)
    subject, text = messages.alert(CONTEXT, failure)
    assert subject == "mammography prod: inference: the execution failed"
    assert text.startswith("The role can't be assumed.\n") and FAILURE.execution in text


def test_people_are_notified_that_no_batch_is_pending():
    failure = replace(FAILURE, step="Resolve", name="NoPendingBatch", sentence="No new batch has arrived.", batch=None)
    subject, text = messages.no_batch(CONTEXT, failure)
    assert subject == "mammography prod: no batch is pending"
    assert text.startswith("mammography-inference looked for a batch to score. No new batch has arrived.\n")
