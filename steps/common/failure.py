"""A step that fails says why in one sentence, where SageMaker looks for it."""

import functools
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from steps.common import log, paths
from steps.common.atomic import write_text

LIMIT = 1024
"""Bytes that SageMaker keeps of a failure or exit message."""

Main = Callable[[], int | None]


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
    write_text(file, sentence.encode()[:LIMIT].decode(errors="ignore"))


def entry_point(file: Callable[[], Path] | None) -> Callable[[Main], Callable[[], int]]:
    """Make a step's main function exit with 1 and one sentence instead of a traceback.

    Args:
        file: says where the sentence is left beside standard error; hosting containers have no such place.
    """

    def decorate(main: Main) -> Callable[[], int]:
        @functools.wraps(main)
        def guarded() -> int:
            # As process 1 of a container, a program without a handler doesn't get the signal at all.
            signal.signal(signal.SIGTERM, _end)
            try:
                return main() or 0
            except Exception as error:
                sentence = sentence_for(error)
            log.error(sentence)
            try:
                if file:
                    leave(sentence, file())
            except OSError as error:
                log.error(sentence_for(error))
            return 1

        return guarded

    return decorate


def sentence_for(error: Exception) -> str:
    """Return what people are told of an exception.

    An unexpected exception is told by its type and place only: its text may hold a row's values.
    """
    if isinstance(error, StepFailed):
        return str(error)
    if isinstance(error, MemoryError):
        return "The instance has too little memory for this data."
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror}."
    return f"{type(error).__name__} at {_place(error)}: this is a defect of the step."


def _end(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    if not trace:
        return "an unknown place"
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
