"""What stops a definition before SageMaker would: the definition language's own rules, and two of this project's.

The language has one parser, `localaws.definition`, which refuses what SageMaker refuses when a pipeline is created.
Beyond it, nobody but a person decides on a model version, and a release says everything that its definitions name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from localaws import definition as language
from pipeline.names import FUNCTIONS
from pipeline.release import steps_of, texts

PENDING = "PendingManualApproval"
VARIABLE = re.compile(r"\$\{\w+\}")
"""What a release, or the account that it is deployed in, fills in."""
OF_ACCOUNTS = frozenset(f"${{{name}_version}}" for name in FUNCTIONS)
"""Left open in a release, because each account numbers its own functions."""
_IMAGE = re.compile(r"\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?/(?P<repository>[^@:]+)(?:@(?P<digest>.+)|:.+)?$")


def problems(definition: Mapping[str, Any]) -> list[str]:
    """Return one sentence per error in a rendered definition, each beginning with its path: none if it may be created.

    What a release will fill in (`${…}`) fits wherever a text does.
    """
    text = VARIABLE.sub("1", json.dumps(definition))
    found = [f"{path}: {sentence}" if path else sentence for path, sentence in language.problems(text)]
    return found or list(_decided(definition))


def unresolved(definition: Mapping[str, Any], digests: Collection[str]) -> list[str]:
    """Return one sentence per variable that a release leaves open, and per own image that it doesn't have.

    Args:
        definition: as the release holds it; versions of functions may be open.
        digests: of the release's images.
    """
    found = []
    for text in sorted(set(texts(definition))):
        found += [f"{name} is left open" for name in VARIABLE.findall(text) if name not in OF_ACCOUNTS]
        image = _IMAGE.search(text)
        if image and not VARIABLE.search(text) and image["digest"] not in digests:
            found.append(f"image {image['repository']} isn't one of the release's")
    return list(dict.fromkeys(found))


def _decided(definition: Mapping[str, Any]) -> Iterator[str]:
    """Give where a step registers a version as anything but one that waits for a person, or may at an execution."""
    for step in steps_of(definition["Steps"]):
        if step["Type"] != "RegisterModel":
            continue
        path, status = f"Steps.{step['Name']}.Arguments", step["Arguments"].get("ModelApprovalStatus", PENDING)
        if status != PENDING:
            given = status if isinstance(status, str) else "what an execution decides"
            yield f"{path}.ModelApprovalStatus: {given} where nobody but a person approves: it has to be {PENDING}"
        if "ModelLifeCycle" in step["Arguments"]:
            yield f"{path}.ModelLifeCycle: a stage of the life cycle is a person's to set"
