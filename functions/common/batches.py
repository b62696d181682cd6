"""Batches that lie in the data bucket, and where what belongs to them lies."""

from __future__ import annotations

from collections.abc import Iterator

from functions.common.context import AccountContext, split
from functions.common.failures import NoSuchBatch, WrongInput
from functions.common.ledger import Batch
from functions.common.objects import Object, list_objects

NEWEST = "newest"
"""Stands for the newest pending batch."""

ARRIVALS = "data/batches/"
LABELLED = "data/labelled/"
"""Where labelled data lies."""

GROUND_TRUTH = "data/ground-truth/"
"""Where ground truth arrives: which batch, which row, which label."""

SMOKE_TESTS = ("data/smoke-test/", "data/canary/")
"""Where batches lie that only try whether a release scores, those of earlier releases last: nothing is trained
because of one."""


def require_below(context: AccountContext, parameter: str, url: str, prefix: str, what: str) -> None:
    """Raise WrongInput unless a parameter's S3 URL lies below a prefix of this account's data bucket.

    Jobs read what a URL names: their roles may read nothing else for it.

    Args:
        context: the account and environment.
        parameter: the pipeline parameter's name.
        url: its value.
        prefix: a key's beginning that ends in `/`, or "" for the whole bucket.
        what: subject and verb of the sentence: `labels arrive`.
    """
    try:
        bucket, key = split(url)
    except ValueError as error:
        raise WrongInput(f"{parameter} {error}") from None
    if bucket != context.data_bucket or not key.startswith(prefix):
        raise WrongInput(f"{parameter} {url}: {what} below s3://{context.data_bucket}/{prefix}.")


def named(context: AccountContext, url: str) -> Batch:
    """Return the batch at an S3 URL of an object or a prefix.

    Raises:
        NoSuchBatch: nothing lies there.
        WrongInput: it isn't an S3 URL in this account's data bucket.
    """
    require_below(context, "BatchDataUrl", url, "", "batches lie")
    objects = list_objects(url)
    if not objects:
        raise NoSuchBatch(f"BatchDataUrl {url}: nothing lies there.")
    return Batch.of(url, objects)


def arrivals(context: AccountContext) -> Iterator[Batch]:
    """Give the objects directly below data/batches/ as batches, the newest first.

    Several objects are one batch only when BatchDataUrl names their prefix: nobody else knows when it is
    whole.
    """
    base = f"s3://{context.data_bucket}/{ARRIVALS}"
    objects = list_objects(base)
    order = sorted(range(len(objects)), key=lambda at: (objects[at].modified, objects[at].key), reverse=True)
    for at in order:
        if is_arrival(objects[at].key):
            yield _batch_of(context, objects, at)


def is_arrival(key: str) -> bool:
    """Whether an object of this key is a batch of its own: it lies directly below data/batches/."""
    name = key.removeprefix(ARRIVALS)
    return key.startswith(ARRIVALS) and bool(name) and "/" not in name


def _batch_of(context: AccountContext, objects: list[Object], at: int) -> Batch:
    """Return the batch of one object: S3 reads by prefix, so a key that begins with its key belongs to it.

    The objects are sorted by key: those that begin with one follow it.
    """
    key = objects[at].key
    end = at
    while end < len(objects) and objects[end].key.startswith(key):
        end += 1
    return Batch.of(f"s3://{context.data_bucket}/{key}", objects[at:end])
