"""What goes wrong is said in one sentence where AWS would say it, and to people; nothing half-written stays."""

import os
import signal
import time
from pathlib import Path

import pytest

from functions.common import ledger
from pipeline import account as accounts
from pipeline.execution import outcome

pytestmark = pytest.mark.random_order(disabled=True)

TRUNCATE = 2000


@pytest.fixture(scope="module")
def approved(life):
    """A first version, trained in dev and approved."""
    life.approve(life.train(), "For the tests of what goes wrong")
    return life


def why(life, environment, execution):
    """The sentence of an execution that failed, as the command line tells it."""
    assert life.ended(environment, execution) == "Failed"
    accounts.enter(life.accounts[environment].settings)
    return outcome(life.contexts[environment], execution)[1]


def train(life, name, content=None):
    """Start a training in dev on one labelled file of this content; its ARN."""
    account = life.accounts["dev"]
    prefix = f"data/labelled/{name}/"
    if content is not None:
        account.client("s3").put_object(Bucket=account.names.data_bucket, Key=f"{prefix}rows.csv", Body=content)
    value = f"s3://{account.names.data_bucket}/{prefix}"
    return account.client("sagemaker").start_pipeline_execution(
        PipelineName="mammography-train", PipelineParameters=[{"Name": "InputDataUrl", "Value": value}]
    )["PipelineExecutionArn"]


def objects(life, environment, execution):
    """The keys that an execution's jobs left in the account's data bucket."""
    account, identity = life.accounts[environment], execution.rsplit("/", 1)[-1]
    pages = account.client("s3").get_paginator("list_objects_v2").paginate(Bucket=account.names.data_bucket)
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    return [key for key in keys if identity in key and not key.endswith("failure.json")]


def notification(life, environment, execution):
    """The mail about an execution."""
    return next(
        mail
        for mail in life.collect(lambda mails: any(execution in m.text and m.environment == environment for m in mails))
        if execution in mail.text and mail.environment == environment
    )


def start(life, **parameters):
    values = [{"Name": name, "Value": value} for name, value in parameters.items()]
    return (
        life.accounts["prod"]
        .client("sagemaker")
        .start_pipeline_execution(PipelineName="mammography-inference", PipelineParameters=values)[
            "PipelineExecutionArn"
        ]
    )


def test_without_an_approved_model_nothing_is_scored(life):
    """Before anything is trained: this test has to come before those that approve a version."""
    execution = start(life)
    assert "No version of mammography is approved" in why(life, "prod", execution)
    assert "No version of mammography is approved" in notification(life, "prod", execution).text
    assert life.entries() == []


GOOD = "5,60,3,5,3,1\n4,43,1,1,3,0\n"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("columns", GOOD + "5,60,3,5\n", ["rows.csv", "row 3"]),
        ("text", GOOD + "5,sixty,3,5,3,1\n", ["rows.csv", "row 3", "age"]),
        ("label", GOOD + "5,60,3,5,3,2\n", ["rows.csv", "row 3", "severity"]),
        ("empty", "", ["rows.csv"]),
        ("one-class", "5,60,3,5,3,1\n" * 50, ["class"]),
    ],
)
def test_bad_labelled_rows_fail_the_training_with_file_row_and_column(life, name, content, words):
    execution = train(life, name, content)
    sentence = why(life, "dev", execution)
    if content:
        assert all(word in sentence for word in words), sentence
        assert sentence.count("\n") == 0 and "Traceback" not in sentence and "sixty" not in sentence
        assert objects(life, "dev", execution) == []
    mail = notification(life, "dev", execution)
    assert sentence.split(": ", 1)[-1] in mail.text
    # Later trainings read the whole prefix.
    account = life.accounts["dev"]
    account.client("s3").delete_object(Bucket=account.names.data_bucket, Key=f"data/labelled/{name}/rows.csv")


def test_no_labelled_file_is_said(life):
    execution = train(life, "nothing")
    assert "no object to train on" in why(life, "dev", execution)
    assert "no object to train on" in notification(life, "dev", execution).text


def put_batch(life, name, rows):
    account = life.accounts["prod"]
    body = "".join(",".join(row) + "\n" for row in rows).encode()
    account.client("s3").put_object(Bucket=account.names.data_bucket, Key=f"data/batches/{name}", Body=body)
    return f"s3://{account.names.data_bucket}/data/batches/{name}"


def settled(life, url):
    while True:
        for entry in life.entries():
            if entry.batch.url == url and entry.state != ledger.CLAIMED:
                return entry
        time.sleep(0.1)


def test_a_killed_monitor_alerts_and_retrains_nothing(approved, state):
    url = put_batch(approved, "killed.csv", approved.files["batches/clean.csv"][:40])
    kill("steps.monitor", state)
    entry = settled(approved, url)
    assert entry.state == ledger.FAILED
    mail = notification(approved, "prod", entry.execution)
    assert "Monitor" in mail.subject and "Nothing was retrained" in mail.text
    assert objects(approved, "prod", entry.execution) == []
    assert trainings(approved) == []


def kill(module, state):
    """Kill the process of a step of the localaws with this state folder, as soon as it is there."""
    while True:
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words, inside = (process / "cmdline").read_bytes().split(b"\0"), (process / "environ").read_bytes()
            except OSError:
                continue
            if module.encode() in words and f"SAGEMAKER_BASE_DIR={state}/".encode() in inside:
                os.kill(int(process.name), signal.SIGKILL)
                return
        time.sleep(0.005)


def trainings(life):
    client = life.accounts["prod"].client("sagemaker")
    return client.list_pipeline_executions(PipelineName="mammography-train")["PipelineExecutionSummaries"]


def test_drift_without_new_labels_alerts_and_says_so(approved):
    url = put_batch(approved, "drifted.csv", approved.files["batches/shifted.csv"])
    entry = settled(approved, url)
    assert entry.state == ledger.QUARANTINED
    mail = about(approved, entry.batch.id)
    assert "no retraining" in mail.subject
    assert "there is no new file below data/labelled/" in mail.text
    assert trainings(approved) == []


def about(life, words):
    mails = life.collect(lambda mails: any(words in mail.text for mail in mails))
    return next(mail for mail in mails if words in mail.text)


def test_a_batch_without_rows_is_named(approved):
    account = approved.accounts["prod"]
    account.client("s3").put_object(Bucket=account.names.data_bucket, Key="data/batches/by-hand/empty.csv", Body=b"\n")
    execution = start(approved, BatchDataUrl=f"s3://{account.names.data_bucket}/data/batches/by-hand/empty.csv")
    sentence = why(approved, "prod", execution)
    assert "empty.csv" in sentence and "row" in sentence


def test_a_truncated_archive_is_refused_by_its_name_before_anything_is_made(approved):
    package = approved.story.versions[max(approved.story.versions)]
    url = package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
    bucket, key = url.removeprefix("s3://").split("/", 1)
    s3, whole = approved.accounts["registry"].client("s3"), approved.read("registry", url)
    s3.put_object(Bucket=bucket, Key=key, Body=whole[:TRUNCATE])
    batch = put_batch(approved, "by-hand/whole.csv", approved.files["batches/clean.csv"][:44])
    execution = start(approved, BatchDataUrl=batch)
    sentence = why(approved, "prod", execution)
    assert "model.tar.gz" in sentence
    assert objects(approved, "prod", execution) == []
    assert "ModelTampered" in notification(approved, "prod", execution).subject
