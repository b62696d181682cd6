"""A model archive's folder, as the train step leaves it."""

import hashlib
import json
import os
import random
from pathlib import Path

import pytest

from steps.common.schema import FILE as SCHEMA

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def patients(count: int, seed: int) -> list[list[float]]:
    """Rows of the schema's five features, one cell in ten missing (NaN)."""
    chance = random.Random(seed)
    tops = (5, 96, 4, 5, 4)
    return [
        [float("nan") if chance.random() < 0.1 else chance.randint(18 if top == 96 else 1, top) for top in tops]
        for _ in range(count)
    ]


def csv(rows: list[list[float]]) -> str:
    """Rows as a batch holds them: no header, `?` where missing."""
    return "".join(",".join("?" if cell != cell else str(cell) for cell in row) + "\n" for row in rows)


@pytest.fixture(scope="session")
def trained() -> bytes:
    """A model's bytes: the chance grows with the first two features."""
    import numpy as np
    import xgboost

    rows = np.array(patients(500, 1))
    labels = np.nansum(rows[:, :2] * [10, 1], axis=1) > 80
    data = xgboost.DMatrix(rows, label=labels)
    return bytes(
        xgboost.train({"objective": "binary:logistic", "max_depth": 3, "nthread": 1}, data, 20).save_raw("ubj")
    )


def lay_out(root: Path, trained: bytes) -> Path:
    """Write a job's /opt/ml/model below its root; return that folder."""
    folder = root / "model"
    folder.mkdir(parents=True)
    (folder / "xgboost-model").write_bytes(trained)
    (folder / "schema.json").write_bytes(SCHEMA.read_bytes())
    (folder / "metadata.json").write_text(json.dumps({"model_sha256": hashlib.sha256(trained).hexdigest()}))
    return folder


@pytest.fixture
def archive(tmp_path: Path, trained: bytes) -> Path:
    """The folder /opt/ml/model of a job."""
    return lay_out(tmp_path, trained)
