"""Entry point of `mammography-resolve`: actions `champion` (train), `batch` (inference), `quality`."""

from __future__ import annotations

from functions.common.failures import FunctionError, remembered
from functions.resolve.batch import resolve_batch
from functions.resolve.champion import resolve_champion
from functions.resolve.quality import resolve_quality

ACTIONS = {"champion": resolve_champion, "batch": resolve_batch, "quality": resolve_quality}


@remembered
def handle(event: dict) -> dict:
    """Return the outputs that the definition names for the action.

    Raises:
        Refused: one of its named subclasses; SageMaker fails the step with it.
    """
    try:
        action = ACTIONS[event["action"]]
    except KeyError:
        raise FunctionError(f"Action {event.get('action')}: there are only {', '.join(ACTIONS)}.") from None
    return action(event)
