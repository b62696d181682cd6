"""Payloads as XGBoost's own matrix: the functions that scripts for SageMaker's XGBoost images import.

Copied into a container beside the toolkit. Source: encoder.py of aws/sagemaker-xgboost-container.
"""

import tempfile
from pathlib import Path

import xgboost
from toolkit_xgboost import rows


def csv_to_dmatrix(input, dtype=None):
    """Read CSV of numbers without a header. Raises ValueError."""
    table = rows(input if isinstance(input, bytes) else input.encode())
    return xgboost.DMatrix(table.astype(dtype) if dtype else table)


def libsvm_to_dmatrix(string_like):
    """Read rows of `label index:value …`."""
    content = string_like if isinstance(string_like, bytes) else string_like.encode()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows"
        file.write_bytes(content)
        return xgboost.DMatrix(f"{file}?format=libsvm")


def recordio_protobuf_to_dmatrix(string_like):
    """Say that these aren't read here."""
    raise NotImplementedError("The stand-in for this image doesn't read RecordIO-protobuf.")


_READERS = {"text/csv": csv_to_dmatrix, "text/libsvm": libsvm_to_dmatrix, "text/x-libsvm": libsvm_to_dmatrix,
            "application/x-recordio-protobuf": recordio_protobuf_to_dmatrix}  # fmt: skip


def decode(obj, content_type):
    """Read a payload by its content type. Raises ValueError for one that the image doesn't read either."""
    kind = content_type.split(";")[0].strip()
    if kind not in _READERS:
        raise ValueError(f"Content type {kind} is not supported by this framework.")
    return _READERS[kind](obj)
