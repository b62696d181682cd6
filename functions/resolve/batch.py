"""Which batch is scored, by which version, in which image."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

from botocore.exceptions import ClientError

from functions.common import contract, ledger, pending, recent, registry, seals
from functions.common.batches import ARRIVALS, NEWEST, is_arrival, named
from functions.common.context import ABANDONED, RUNNING, AccountContext, LostRace, client
from functions.common.failures import (
    BatchUnavailable,
    ImageNotPromoted,
    NoBaseline,
    NoPendingBatch,
    NoSuchBatch,
)
from functions.common.ledger import Batch, Entry
from functions.resolve.champion import volume_key


def resolve_batch(event: dict) -> dict[str, str]:
    """Claim a batch for this execution and return where everything lies that scores it.

    The model is looked up first: a batch is claimed only when it can be scored. One whose arrival started this
    execution is marked as pending before that, so that it isn't lost where nothing can score it yet.

    Args:
        event: {"batch_data_url", "execution_arn"}; the former is the key of what has arrived (the rule's event hands
            it over), an S3 URL of an object or a prefix, or `newest`.

    Raises:
        NoApprovedModel, ModelNotSealed, ModelTampered, NoBaseline, ImageNotPromoted, NoPendingBatch, NoSuchBatch,
        BatchUnavailable: as named.
    """
    context = AccountContext.here()
    arrived = _arrival(context, event["batch_data_url"])
    package = registry.approved(context)
    record = seals.opened(context, package)
    statistics, constraints = record.url(seals.STATISTICS), record.url(seals.CONSTRAINTS)
    if not (statistics and constraints):
        raise NoBaseline(f"{package['ModelPackageArn']} carries no statistics and constraints to watch batches by.")
    image = own_image(context, package["InferenceSpecification"]["Containers"][0])
    version = registry.version_of(package["ModelPackageArn"])
    recent.never_empty(context)
    entry = take(context, event["batch_data_url"], arrived, event["execution_arn"], version)
    return {
        contract.BATCH_ID: entry.batch.id,
        "BatchDataUrl": entry.batch.url,
        "Enforce": str(entry.enforced).lower(),
        contract.MODEL_PACKAGE: package["ModelPackageArn"],
        "Image": image,
        "ModelDataUrl": record.url(seals.ARCHIVE) or "",
        "Statistics": statistics,
        "Constraints": constraints,
        "VolumeKey": volume_key(context),
    }


def own_image(context: AccountContext, container: dict) -> str:
    """Return the URI of a version's image in this account's registry: same repository, same digest.

    Raises:
        ImageNotPromoted: the version names no digest, or this account's registry doesn't hold it.
    """
    uri = container["Image"]
    path, _, digest = uri.partition("/")[2].partition("@")
    digest = digest or container.get("ImageDigest", "")
    repository = path.partition(":")[0]
    if not digest:
        raise ImageNotPromoted(f"{uri}: the version names a tag, not a digest.")
    if not _holds(repository, digest):
        raise ImageNotPromoted(
            f"{repository}@{digest} isn't in the registry of account {context.account}: its release was not "
            f"promoted there."
        )
    return f"{context.account}.dkr.ecr.{context.region}.amazonaws.com/{repository}@{digest}"


def _holds(repository: str, digest: str) -> bool:
    try:
        answer = client("ecr").describe_images(repositoryName=repository, imageIds=[{"imageDigest": digest}])
    except ClientError as error:
        if error.response["Error"]["Code"] in ("ImageNotFoundException", "RepositoryNotFoundException"):
            return False
        raise
    # ECR refuses an unknown digest; an emulator may just list nothing.
    return bool(answer["imageDetails"])


def take(context: AccountContext, url: str, arrived: Batch | None, execution: str, version: int) -> Entry:
    """Claim the batch of a URL, the one that has arrived, or the first pending one, by a conditional write.

    An event may come twice, or after its batch was taken as the next one: then whatever else is pending is taken.

    Raises:
        NoPendingBatch, NoSuchBatch, BatchUnavailable: there is none to claim.
    """
    if url != NEWEST and not url.startswith(ARRIVALS):
        return _claim(context, named(context, url), execution, version, asked=True)
    if arrived:
        with contextlib.suppress(BatchUnavailable):
            return _claim(context, arrived, execution, version, asked=False)
    found = _first_pending(context, execution, version)
    if found is None and url == NEWEST:
        pending.reconcile(context)
        found = _first_pending(context, execution, version)
    if found is None:
        raise NoPendingBatch("No new batch has arrived, and no withheld one may be scored yet.")
    return found


def _arrival(context: AccountContext, key: str) -> Batch | None:
    """Return the batch of a key that has arrived, marked as pending unless the ledger has it; None when it is none."""
    if not is_arrival(key):
        return None
    try:
        batch = named(context, f"s3://{context.data_bucket}/{key}")
    except NoSuchBatch:
        return None
    if ledger.read(context, batch.id)[0] is None:
        pending.mark(context, batch)
    return batch


def _first_pending(context: AccountContext, execution: str, version: int) -> Entry | None:
    """Claim the first batch of the index that may be claimed."""
    for mark in pending.marks(context, version):
        url = pending.url_of(context, mark)
        if url is None:
            continue
        batch = None
        with contextlib.suppress(NoSuchBatch):
            batch = named(context, url)
        if batch is None or batch.id != mark.batch:
            # Overwritten or deleted before it was scored: what lies there now is another batch.
            pending.correct(context, mark, None)
        if batch is None:
            continue
        try:
            return _claim(context, batch, execution, version, asked=False)
        except BatchUnavailable:
            entry, _ = ledger.read(context, mark.batch)
            if entry is not None:
                pending.correct(context, mark, entry)
    return None


def _claim(context: AccountContext, batch: Batch, execution: str, version: int, asked: bool) -> Entry:
    entry, etag = ledger.read(context, batch.id)
    held = entry is not None and entry.state == ledger.CLAIMED and _holds_batch(entry.execution)
    claimed = ledger.claim(entry, batch, execution, version, held, asked)
    if claimed is not entry:
        pending.mark(context, batch)
        try:
            ledger.write(context, claimed, etag)
        except LostRace:
            raise BatchUnavailable(f"Batch {batch.id} was claimed by another execution just now.") from None
        if entry is not None and entry.state != ledger.CLAIMED and entry.version:
            pending.unmark(context, batch, entry.version)
    return claimed


def _holds_batch(execution: str) -> bool:
    """Whether an execution still has its batch: it runs, or on_failure is about to write down why it failed.

    Were a failed one's batch free at once, it would be monitored, and reported, twice. Where nothing is written down
    within a function's longest life, the event was lost.
    """
    try:
        answer = client("sagemaker").describe_pipeline_execution(PipelineExecutionArn=execution)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("ResourceNotFound", "ResourceNotFoundException"):
            return False
        raise
    if answer["PipelineExecutionStatus"] == "Failed":
        return datetime.now(UTC) - answer["LastModifiedTime"] < ABANDONED
    return answer["PipelineExecutionStatus"] in RUNNING
