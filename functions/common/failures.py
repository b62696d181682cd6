"""Failures with a name, kept where on_failure finds them.

A Lambda step's FailureReason is SageMaker's own text about the invocation; the sentence of the function is
left beside the execution's other files.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from functions.common.place import Place, put_json, read_json

KEY = ("failure.json",)


class Refused(Exception):
    """The function can't do what it was asked: the class names the reason, the message is a sentence."""


class NoBatchWaiting(Refused):
    """No batch waits to be scored."""


class NoSuchBatch(Refused):
    """The batch isn't there."""


class BatchRefused(Refused):
    """The batch may not be scored: it is refused, scored already, or another execution holds it."""


class BatchChanged(Refused):
    """The batch's objects were overwritten while it was scored."""


class NothingScored(Refused):
    """The model could read no row of the batch."""


class WrongInput(Refused):
    """What is to be trained on, or judged by, lies elsewhere than such data does."""


class NoApprovedModel(Refused):
    """No version is approved."""


class ImageNotPromoted(Refused):
    """The approved version's image isn't in this account's registry."""


class NoBaseline(Refused):
    """The approved version carries no baseline to watch batches by, or no figures to judge it by."""


class NoLabelledData(Refused):
    """There is nothing to train on."""


class NoGroundTruth(Refused):
    """No object with labels lies where labels of scored batches are looked for."""


class NothingToJudge(Refused):
    """No batch is scored yet."""


class OnlyOlderScored(Refused):
    """The approved version has scored no batch yet: the labels there are tell of older versions."""


def remembered(handle: Callable[[dict], dict]) -> Callable[[dict, Any], dict]:
    """Make a handler of a pipeline's step leave its named failure beside the execution's files."""

    @functools.wraps(handle)
    def handler(event: dict, context: Any = None) -> dict:
        try:
            return handle(event)
        except Refused as refused:
            place = Place.here()
            note = {"name": type(refused).__name__, "sentence": str(refused)}
            put_json(place.data_bucket, place.run(event["execution_arn"], *KEY), note)
            raise

    return handler


def recall(place: Place, execution_arn: str) -> dict | None:
    """Return what a function of an execution left: {"name", "sentence"}."""
    found = read_json(place.data_bucket, place.run(execution_arn, *KEY))
    return found[0] if found else None
