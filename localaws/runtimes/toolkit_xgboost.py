"""What SageMaker's XGBoost images do otherwise than the toolkit alone: how they read rows, and what they leave.

Copied into a container beside the toolkit; known by the tag of the image that the container stands for.
Sources: encoder.py, algorithm_mode/serve.py and serve_utils.py of aws/sagemaker-xgboost-container; for the format,
the guide's "Use the XGBoost Algorithm with SageMaker AI", upgrade from version 1.2 to 1.3.
"""

import contextlib
import csv
import os
import pickle
import re
import shutil
from importlib import metadata

MODEL = "xgboost-model"
LAST_PICKLED = (1, 2)
"""The last version whose model is a pickled Booster; from the next on it is what `save_model` writes."""

DISTRIBUTIONS = {"xgboost": ("xgboost", "xgboost-cpu"), "scikit-learn": ("scikit-learn",)}
"""Packages that hold an image's framework, by its name in the image's."""

_FRAMEWORK = re.compile(r"/sagemaker-(xgboost|scikit-learn):(\d+\.\d+)")
_TAG = re.compile(r"/sagemaker-xgboost:(\d+)\.(\d+)")


class NotRows(ValueError):
    """A payload isn't CSV of numbers; the text names the line and quotes nothing of it."""


def version(image=None):
    """The version of the image that this container stands for; None where it is no XGBoost image, or has no tag."""
    found = _TAG.search(image or os.environ.get("LOCALAWS_IMAGE", ""))
    return found and (int(found[1]), int(found[2]))


def difference(image=None):
    """What to say of a version of the image's framework here that isn't the one that the tag promises, if so."""
    found = _FRAMEWORK.search(image or os.environ.get("LOCALAWS_IMAGE", ""))
    if not found:
        return None
    for name in DISTRIBUTIONS[found[1]]:
        with contextlib.suppress(metadata.PackageNotFoundError):
            here = metadata.version(name)
            same = f"{here}.".startswith(f"{found[2]}.")
            return None if same else f"localaws: the image has {found[1]} {found[2]}, and its stand-in {here}."
    return None


def leave(folder):
    """Leave of what the algorithm has put into the model's folder what the image would, in its format."""
    for entry in list(folder.iterdir()):
        if entry.name != MODEL:
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    file = folder / MODEL
    if file.is_file() and version() <= LAST_PICKLED:
        content = pickle.dumps(booster(file), protocol=4)
        file.write_bytes(content)


def booster(file):
    """A model of either format."""
    import xgboost

    content = file.read_bytes()
    if content.startswith(pickle.PROTO):
        return pickle.loads(content)
    found = xgboost.Booster()
    found.load_model(bytearray(content))
    return found


def rows(body):
    """A payload's rows as an array: every line as many numbers, an empty field is missing. Raises NotRows."""
    import numpy

    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise NotRows("it isn't text in UTF-8") from None
    lines = text.strip().split("\n")
    before = text[: len(text) - len(text.lstrip())].count("\n") + 1
    delimiter = _delimiter(lines[0])
    table = [[field or "nan" for field in line.split(delimiter)] for line in lines]
    for number, row in enumerate(table, before):
        if len(row) != len(table[0]):
            raise NotRows(f"line {number} has {len(row)} columns, and the first has {len(table[0])}")
    try:
        return numpy.asarray(table).astype(float)
    except ValueError:
        number = next(number for number, row in enumerate(table, before) if not all(map(_is_number, row)))
        raise NotRows(f"line {number} isn't numbers") from None


def _delimiter(line):
    try:
        found = csv.Sniffer().sniff(line[:512]).delimiter
    except csv.Error:
        return ","
    return "," if found.isalnum() or found in "-+." else found


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text
