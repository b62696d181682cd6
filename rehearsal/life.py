"""The life of a model, act by act, in three accounts: everything a team does and everything that happens by itself.

The stages only use what people and CI use: boto3, the templates' resources, `pipeline` and `promotion`. What follows
by itself (events, the gate, the retraining) isn't helped along; each act only waits for it.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from data import make as data
from functions.common import context, ledger
from pipeline import account as accounts
from pipeline import approvals, model_quality, settings, versions
from pipeline.execution import outcome
from pipeline.model_quality import ModelQuality
from pipeline.names import PIPELINES
from pipeline.release import Release
from promotion import images, source
from promotion import registry as registries
from promotion.accounts import Account
from promotion.accounts import account as promotion_account
from promotion.build import checkout
from rehearsal import provision

ROOT = Path(__file__).parent.parent
ENVIRONMENTS = ("dev", "registry", "prod")
PUSHED = ROOT / ".baton" / "digests" / "dev.json"
MAILBOX = "rehearsal-mailbox"
PATIENCE_SECONDS = 900
LOOK_SECONDS = 0.1


class WentWrong(Exception):
    """A stage did not end as it should; the message says which and how."""


@dataclass(frozen=True)
class Mail:
    """A notification that came through a topic."""

    environment: str
    subject: str
    text: str


@dataclass
class Story:
    """What has happened: filled act by act.

    `auc` is that of each version on its own test rows, which are more from one to the next; `beside` compares it with
    the champion's on the same rows, where there was one. `archives` has the SHA-256 of each version's archive.
    """

    release: Release | None = None
    training: str = ""
    retraining: str = ""
    versions: dict[int, dict[str, Any]] = field(default_factory=dict)
    batches: dict[str, ledger.Entry] = field(default_factory=dict)
    model_quality: list[ModelQuality] = field(default_factory=list)
    mails: list[Mail] = field(default_factory=list)
    auc: dict[int, float] = field(default_factory=dict)
    beside: dict[int, str] = field(default_factory=dict)
    archives: dict[int, str] = field(default_factory=dict)
    executions: dict[tuple[str, str], list[str]] = field(default_factory=dict)


class Life:
    """Three accounts and the stages that are played in them."""

    def __init__(self, endpoint: str, say: Callable[[str], None] = lambda _: None, runtime: str = "process") -> None:
        # Clients that were made before remember where they were pointed to.
        promotion_account.cache_clear()
        context.client.cache_clear()
        self.accounts = {
            name: provision.local_account(settings.load(name, local=True), endpoint) for name in ENVIRONMENTS
        }
        self.contexts = {name: accounts.context_of(account.settings) for name, account in self.accounts.items()}
        self.story = Story()
        self.files = data.derive(data.read_table())
        self._say, self._runtime = say, runtime

    def resources(self) -> None:
        """Make what the three accounts consist of, and a mailbox for notifications."""
        provision.foundation(self.accounts.values())
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(_mailbox, self.accounts.values()))

    def begin(self) -> None:
        """Make what `make up` leaves: a release in dev and prod, the first labelled part in both, no version yet."""
        self.resources()
        self.build()
        self.promote()
        self.put_labelled()

    def put_labelled(self) -> None:
        """Put the first labelled part into dev and prod."""
        for name in ("dev", "prod"):
            self.put(name, "labelled/part-1.csv")

    def build(self) -> Release:
        """Put every step's image into dev's registry, and deploy them in dev."""
        digests = json.loads(PUSHED.read_text())["images"] if self._runtime == "docker" else source.register("dev")
        commit, _ = checkout(ROOT)
        self.story.release = Release(f"rehearsal-{commit[:12]}", commit, digests)
        provision.deploy(self.accounts["registry"], self.story.release)
        return provision.deploy(self.accounts["dev"], self.story.release)

    def train(self) -> int:
        """Train in dev on the first labelled part; return the number of the version that was registered."""
        self.put_labelled()
        self.story.training = self._start("dev", "train", "First training")
        self.succeed("dev", self.story.training)
        return self._newest_version()

    def approve(self, version: int, reason: str) -> None:
        """Approve a version in the registry account, as a person does."""
        arn = approvals.approve(self.accounts["registry"].settings, version, reason)
        self._say(f"  {arn.rsplit(':', 1)[-1]} approved: {reason}")

    def promote(self) -> images.Transfer:
        """Copy the same digests to prod's registry, and deploy them in prod."""
        release = self.story.release
        assert release is not None
        dev, prod = (registries.of(promotion_account(name)) for name in ("dev", "prod"))
        named = {self.accounts["prod"].names.repository(step): digest for step, digest in release.images.items()}
        done = images.copy(dev, prod, named, release.version)
        provision.deploy(self.accounts["prod"], release)
        return done

    def score(self, batch: str) -> ledger.Entry:
        """Let a batch arrive in prod, and wait until it is scored."""
        return self._settled(self.put("prod", f"batches/{batch}"), ledger.SCORED)

    def quarantine(self, batch: str) -> ledger.Entry:
        """Let a batch arrive in prod that drifts, and wait until it is withheld."""
        return self._settled(self.put("prod", f"batches/{batch}"), ledger.QUARANTINED)

    def retrain(self) -> int:
        """Wait for the retraining that drift has begun in prod; return the new version's number."""
        prod = self.accounts["prod"]
        self.story.retraining = _wait(
            "a retraining in prod",
            lambda: next((e["PipelineExecutionArn"] for e in _executions(prod, "train")), None),
        )
        self.succeed("prod", self.story.retraining)
        return self._newest_version()

    def rescued(self, entry: ledger.Entry) -> ledger.Entry:
        """Wait until a batch that was withheld is scored after all."""
        return self._settled(entry.batch.url, ledger.SCORED)

    def truth(self, batch: str) -> list[str]:
        """Return the true label of each row of a batch."""
        return [label for (label,) in self.files[f"labels/{batch}"]]

    def put_ground_truth(self, batch: str, labels: Iterable[str]) -> str:
        """Let labels of a scored batch arrive in prod, and wait until they were looked at; return the execution's ARN.

        Args:
            batch: the batch's file.
            labels: of each of its rows; one in eight never arrives, and the first arrives twice.
        """
        key = f"ground-truth/{batch}"
        self.files[key] = data.ground_truth(self.story.batches[batch].batch.id, list(labels))
        prod = self.accounts["prod"]
        before = {e["PipelineExecutionArn"] for e in _executions(prod, "quality")}
        self.put("prod", key)
        execution = _wait(
            "the labels to be looked at",
            lambda: next(
                (arn for e in _executions(prod, "quality") if (arn := e["PipelineExecutionArn"]) not in before), None
            ),
        )
        self.ended("prod", execution)
        return execution

    def evaluate(self, batch: str, labels: Iterable[str]) -> ModelQuality:
        """Let labels of a scored batch arrive in prod; return what they say of the model."""
        execution = self.put_ground_truth(batch, labels)
        accounts.enter(self.accounts["prod"].settings)
        evaluated = model_quality.read(self.contexts["prod"], execution)
        if evaluated.report is None:
            raise WentWrong(f"{execution}: {evaluated.status}: {evaluated.sentence}")
        self.story.model_quality.append(evaluated)
        return evaluated

    def put(self, environment: str, key: str) -> str:
        """Put one of the files into an account's data bucket; return its URL."""
        account = self.accounts[environment]
        body = "".join(",".join(row) + "\n" for row in self.files[key]).encode()
        account.client("s3").put_object(Bucket=account.names.data_bucket, Key=f"data/{key}", Body=body)
        self._say(f"  {environment:9}data/{key} arrives: {len(self.files[key])} lines")
        return f"s3://{account.names.data_bucket}/data/{key}"

    def succeed(self, environment: str, execution: str) -> None:
        """Wait for an execution's end. Raises WentWrong unless it succeeds."""
        if self.ended(environment, execution) != "Succeeded":
            accounts.enter(self.accounts[environment].settings)
            raise WentWrong(": ".join((execution, *outcome(self.contexts[environment], execution))))

    def ended(self, environment: str, execution: str) -> str:
        """Wait for an execution's end; return its status."""
        client = self.accounts[environment].client("sagemaker")

        def status() -> str | None:
            found = client.describe_pipeline_execution(PipelineExecutionArn=execution)["PipelineExecutionStatus"]
            return None if found in ("Executing", "Stopping") else found

        return _wait(f"the end of {execution}", status)

    def steps(self, environment: str, execution: str) -> list[dict[str, Any]]:
        """Return the steps of an execution in the order in which they began."""
        pages = (
            self.accounts[environment]
            .client("sagemaker")
            .get_paginator("list_pipeline_execution_steps")
            .paginate(PipelineExecutionArn=execution, SortOrder="Ascending")
        )
        return [step for page in pages for step in page["PipelineExecutionSteps"]]

    def collect(self, until: Callable[[list[Mail]], bool] | None = None) -> list[Mail]:
        """Read the mailboxes, waiting until enough has come; return everything so far."""

        def enough() -> list[Mail] | None:
            for account in self.accounts.values():
                self.story.mails += _mails(account)
            return self.story.mails if until is None or until(self.story.mails) else None

        if until is None:
            return enough() or []
        return _wait("the notifications", enough)

    def read(self, environment: str, url: str) -> bytes:
        """Return an object's content as an account sees it."""
        parts = urlsplit(url)
        answer = self.accounts[environment].client("s3").get_object(Bucket=parts.netloc, Key=parts.path.lstrip("/"))
        return answer["Body"].read()

    def history(self) -> None:
        """Note every execution of every pipeline, the oldest first."""
        for environment in ("dev", "prod"):
            for pipeline in PIPELINES:
                found = [e["PipelineExecutionArn"] for e in _executions(self.accounts[environment], pipeline)]
                self.story.executions[environment, pipeline] = found[::-1]

    def entries(self) -> list[ledger.Entry]:
        """Return prod's ledger."""
        accounts.enter(self.accounts["prod"].settings)
        return list(ledger.entries(self.contexts["prod"]))

    def _start(self, environment: str, pipeline: str, reason: str) -> str:
        account = self.accounts[environment]
        return account.client("sagemaker").start_pipeline_execution(
            PipelineName=account.names.name(pipeline), PipelineExecutionDescription=reason
        )["PipelineExecutionArn"]

    def _newest_version(self) -> int:
        client, group = self.accounts["registry"].client("sagemaker"), self.accounts["registry"].settings.project
        newest = client.list_model_packages(ModelPackageGroupName=group, MaxResults=1)["ModelPackageSummaryList"][0]
        package = client.describe_model_package(ModelPackageName=newest["ModelPackageArn"])
        version = package["ModelPackageVersion"]
        self.story.versions[version] = package
        quality = json.loads(self.read("registry", package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]))
        self.story.auc[version] = quality["binary_classification_metrics"]["auc"]["value"]
        self.story.beside[version] = versions.against_champion(quality)
        archive = self.read("registry", package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"])
        self.story.archives[version] = hashlib.sha256(archive).hexdigest()
        return version

    def _settled(self, url: str, state: str) -> ledger.Entry:
        """Wait until the ledger says of the batch at a URL what became of it; anything but `state` is wrong."""

        def look() -> ledger.Entry | None:
            for entry in self.entries():
                if entry.batch.url != url or entry.state == ledger.CLAIMED:
                    continue
                if entry.state == state:
                    return entry
                if entry.state != ledger.QUARANTINED or state != ledger.SCORED:
                    raise WentWrong(f"Batch {entry.batch.id} is {entry.state}: {entry.sentence}")
            return None

        entry = _wait(f"{url} to be {state}", look)
        self.story.batches[url.rsplit("/", 1)[-1]] = entry
        return entry


def _wait(what: str, look: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (found := look()) is None:
        if time.monotonic() > deadline:
            raise WentWrong(f"Waited {PATIENCE_SECONDS} s in vain for {what}.")
        time.sleep(LOOK_SECONDS)
    return found


def _executions(account: Account, pipeline: str) -> Iterator[dict[str, Any]]:
    name = account.names.name(pipeline)
    yield from account.client("sagemaker").list_pipeline_executions(PipelineName=name)["PipelineExecutionSummaries"]


def _mailbox(account: Account) -> None:
    """Subscribe a queue to the account's topic: what people would get by e-mail can be read there."""
    sqs = account.client("sqs")
    url = sqs.create_queue(QueueName=MAILBOX)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    account.client("sns").subscribe(TopicArn=account.names.topic(), Protocol="sqs", Endpoint=arn)


def _mails(account: Account) -> Iterator[Mail]:
    sqs = account.client("sqs")
    with suppress(ClientError):
        url = sqs.get_queue_url(QueueName=MAILBOX)["QueueUrl"]
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            for message in messages:
                body = json.loads(message["Body"])
                yield Mail(account.settings.environment, body.get("Subject", ""), body["Message"])
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
