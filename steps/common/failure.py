"""A step that fails says why in one sentence, where SageMaker looks for it."""

import functools
import sys
from collections.abc import Callable
from pathlib import Path

from steps.common import paths
from steps.common.atomic import write_text

LIMIT = 1024
"""Bytes that SageMaker keeps of a failure or exit message."""


class StepFailed(Exception):
    """The step can't go on; the message names the file, row, column or setting at fault, never a value."""


def failure_file() -> Path:
    """Where a training job's container says why it failed."""
    return paths.root() / "output" / "failure"


def message_file() -> Path:
    """Where a processing job's container leaves its exit message."""
    return paths.root() / "output" / "message"


def leave(sentence: str, file: Path) -> None:
    """Write a sentence of at most 1 KB to a failure or message file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    write_text(file, sentence.encode()[:LIMIT].decode(errors="ignore"))


def entry_point(file: Callable[[], Path]) -> Callable[[Callable[[], int | None]], Callable[[], int]]:
    """Make a step's main function exit with 1 and one sentence instead of a traceback.

    An unexpected exception is told by its type and place only: its text may hold a row's values.
    """

    def decorate(main: Callable[[], int | None]) -> Callable[[], int]:
        @functools.wraps(main)
        def guarded() -> int:
            try:
                return main() or 0
            except StepFailed as failed:
                sentence = str(failed)
            except Exception as error:
                sentence = f"{type(error).__name__} at {_place(error)}: this is a defect of the step."
            print(sentence, file=sys.stderr, flush=True)
            leave(sentence, file())
            return 1

        return guarded

    return decorate


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "an unknown place"
