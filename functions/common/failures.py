"""Failures with a name, kept where on_failure finds them.

A Lambda step's FailureReason is SageMaker's own text about the invocation; the sentence of the function is
left beside the execution's other files.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from functions.common.context import AccountContext, put_json, read_json

KEY = ("failure.json",)


class FunctionError(Exception):
    """The function can't do what it was asked: the class names the reason, the message is a sentence."""


class NoPendingBatch(FunctionError):
    """No batch is pending."""


class NoSuchBatch(FunctionError):
    """The batch isn't there."""


class BatchUnavailable(FunctionError):
    """The batch may not be scored: it is quarantined, scored already, or another execution holds it."""


class BatchChanged(FunctionError):
    """The batch's objects were overwritten while it was scored."""


class NothingScored(FunctionError):
    """The model could read no row of the batch."""


class WrongInput(FunctionError):
    """What is to be trained on, or evaluated on, lies elsewhere than such data does."""


class NoApprovedModel(FunctionError):
    """No version is approved."""


class ModelNotSealed(FunctionError):
    """No person signed what the approved version consists of."""


class ModelTampered(FunctionError):
    """The approved version isn't what a person signed."""


class NothingToSeal(FunctionError):
    """What a version is to consist of isn't there, lies elsewhere, or is too large."""


class ImageNotPromoted(FunctionError):
    """The approved version's image isn't in this account's registry."""


class NoBaseline(FunctionError):
    """The approved version carries no baseline to watch batches by, or no figures to evaluate it by."""


class NoLabelledData(FunctionError):
    """There is nothing to train on."""


class NoGroundTruth(FunctionError):
    """No object with labels lies where ground truth is looked for."""


class NoScoredBatch(FunctionError):
    """No batch is scored yet."""


class NoPredictionsByChampion(FunctionError):
    """The approved version has scored no batch yet: the labels there are tell of older versions."""


def remembered(handle: Callable[[dict], dict]) -> Callable[[dict, Any], dict]:
    """Make a handler of a pipeline's step leave its named failure beside the execution's files."""

    @functools.wraps(handle)
    def handler(event: dict, invocation: Any = None) -> dict:
        try:
            return handle(event)
        except FunctionError as refused:
            context = AccountContext.here()
            note = {"name": type(refused).__name__, "sentence": str(refused)}
            put_json(context.data_bucket, context.run(event["execution_arn"], *KEY), note)
            raise

    return handler


def recall(context: AccountContext, execution_arn: str) -> dict | None:
    """Return what a function of an execution left: {"name", "sentence"}."""
    found = read_json(context.data_bucket, context.run(execution_arn, *KEY))
    return found[0] if found else None
