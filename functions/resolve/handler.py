"""Entry point of `mammography-resolve`: action `champion` for the train pipeline, `batch` for inference."""

from __future__ import annotations

from functions.common.failures import Refused, remembered
from functions.resolve.batch import resolve_batch
from functions.resolve.champion import resolve_champion

ACTIONS = {"champion": resolve_champion, "batch": resolve_batch}


@remembered
def handle(event: dict) -> dict:
    """Return the outputs that the definition names for the action.

    Raises:
        Refused: one of its named subclasses; SageMaker fails the step with it.
    """
    try:
        action = ACTIONS[event["action"]]
    except KeyError:
        raise Refused(f"Action {event.get('action')}: there are only {', '.join(ACTIONS)}.") from None
    return action(event)
