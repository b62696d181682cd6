"""Source code that the SDK leaves for its framework images, in S3, which containers here can't reach."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path

from localaws.contract import JobContext
from localaws.jobs import archive, cluster, s3

HYPERPARAMETER = "sagemaker_submit_directory"
VARIABLE = "SAGEMAKER_SUBMIT_DIRECTORY"


def of_training(hyperparameters: Mapping[str, str]) -> str:
    """Return where a training job's source code lies; the SDK writes hyperparameters as JSON."""
    text = hyperparameters.get(HYPERPARAMETER, "")
    with contextlib.suppress(ValueError):
        text = json.loads(text)
    return text if isinstance(text, str) else ""


def of_model(environment: Mapping[str, str]) -> str:
    """Return where the source code of a model's container lies."""
    return environment.get(VARIABLE, "")


def bring(context: JobContext, image: str, place: str, roots: list[Path]) -> None:
    """Unpack source code where the stand-in of a framework image looks for it.

    It lies in S3, or, for containers without network, in a channel. Raises JobFailed.
    """
    entry = context.images.find(image)
    if entry is None or not entry.script_mode:
        return
    if place.startswith("s3://"):
        bucket, key = s3.split(place)
        s3.download(context.client("s3"), [s3.S3Object(bucket, key, "sourcedir.tar.gz")], context.folder)
        for root in roots:
            archive.extract(context.folder / "sourcedir.tar.gz", root / "code", place)
    elif place.endswith(".tar.gz"):
        for root in roots:
            archive.extract(cluster.place(root, place, HYPERPARAMETER), root / "code", place)
