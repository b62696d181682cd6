"""The ways in which the step can't go on, each named after what went wrong."""

import json
from pathlib import Path
from typing import Any

from steps.common.failure import StepFailed


class BadSetting(StepFailed):
    """An environment variable is missing or holds what it can't."""


class BadBaseline(StepFailed):
    """The baseline's statistics or constraints can't be read, or don't describe the same table."""


class EmptyBatch(StepFailed):
    """There is no row to look at."""


class UnreadableBatch(StepFailed):
    """A file of the batch isn't in the format that the settings name."""


def read_json(file: Path, setting: str = "") -> Any:
    """Return the content of a JSON file of the baseline; the setting that names it stands in the sentence.

    Raises:
        BadBaseline: there is no such file, or it isn't a JSON object.
    """
    try:
        content = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise BadBaseline(f"{setting and f'{setting}: '}{file}: there is no such file.") from None
    except (OSError, ValueError):
        raise BadBaseline(f"{file.name}: not readable as JSON.") from None
    if not isinstance(content, dict):
        raise BadBaseline(f"{file.name}: not a JSON object.")
    return content
