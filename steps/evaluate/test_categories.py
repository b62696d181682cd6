"""Champion and candidate get the test rows' columns by name, and each its own places of the categories."""

import io
import json
import tarfile

import numpy as np
import pytest
import xgboost

from steps.common import schema as schemas
from steps.common.schema import Schema
from steps.evaluate import models
from steps.evaluate.__main__ import main

SEX, SITE = ["male", "female", "diverse"], [7, 1, 4]
CHANCE = {
    "male": {1: 0.1, 4: 0.9, 7: 0.5},
    "female": {1: 0.9, 4: 0.2, 7: 0.7},
}


def content(sex: list[str], site: list[int], order: int = 1) -> dict:
    columns = [
        {"name": "sex", "kind": "categorical", "values": sex},
        {"name": "site", "kind": "categorical", "values": site},
        {"name": "age", "kind": "numeric"},
    ]
    return {"columns": columns[::order], "label": {"name": "ill", "values": [0, 1]}, "missing": "?"}


def people(count: int, seed: int) -> list[tuple[int, str, int, int]]:
    chance = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        sex, site, age = SEX[chance.integers(2)], int(chance.choice([1, 4, 7])), int(chance.integers(18, 90))
        found.append((int(chance.random() < CHANCE[sex][site]), sex, site, age))
    return found


def archive(content: dict, beside: dict | None = None) -> bytes:
    """A model of a schema, learned from the same people whatever the order of columns and categories.

    Another schema may lie beside it.
    """
    schema = Schema.of(content)
    table = people(600, 1)
    columns = {
        "sex": [float(schema.texts["sex"].index(sex)) for _, sex, _, _ in table],
        "site": [site for _, _, site, _ in table],
        "age": [age for *_, age in table],
    }
    features = schema.codes(np.array([columns[name] for name in schema.names], float).T)
    data = xgboost.DMatrix(
        features, [row[0] for row in table], feature_types=schema.feature_types, enable_categorical=True
    )
    booster = xgboost.train({"objective": "binary:logistic", "max_depth": 3}, data, 10)
    files = {"xgboost-model": bytes(booster.save_raw("ubj")), "schema.json": json.dumps(beside or content).encode()}
    return packed(files)


def packed(files: dict[str, bytes]) -> bytes:
    found = io.BytesIO()
    with tarfile.open(fileobj=found, mode="w:gz") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text))
    return found.getvalue()


@pytest.fixture
def tested(job, tmp_path, monkeypatch):
    """A job whose test rows and candidate are of the schema that stands here."""
    file = tmp_path / "schema.json"
    file.write_text(json.dumps(content(SEX, SITE)))
    monkeypatch.setattr(schemas, "FILE", file)
    rows = "".join(f"{ill},{sex},{site},{age}\n" for ill, sex, site, age in people(300, 2))
    job.write("processing/input/test/part.csv", rows)
    job.write("processing/input/model/model.tar.gz", archive(content(SEX, SITE)))
    return job


@pytest.mark.parametrize(
    "champion",
    [
        content(SEX, SITE),
        content(SEX[::-1], SITE),
        content(SEX, sorted(SITE)),
        content(["female", "male"], [1, 4, 7], order=-1),
    ],
    ids=["the same", "other texts first", "other numbers first", "fewer texts, other columns first"],
)
def test_each_model_gets_its_own_places(tested, champion):
    tested.write("processing/input/champion/model.tar.gz", archive(champion))
    assert main() == 0, tested.read("output/message")
    found = json.loads(tested.read("processing/output/evaluation/evaluation.json"))
    assert found["binary_classification_metrics"]["auc"]["value"] > 0.75
    assert abs(found["champion_comparison"]["auc_difference"]["value"]) < 0.005


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda schema: schema["columns"][2].update(name="weight"), "the model takes the column weight, which the "
         "test rows lack."),
        (lambda schema: schema["columns"][2].update(kind="other"), "its schema.json, column "
         "age: kind is none of numeric, ordinal, categorical."),
    ],
)  # fmt: skip
def test_a_champion_of_another_table_is_refused(tested, change, said):
    schema = content(SEX, SITE)
    change(schema)
    tested.write("processing/input/champion/model.tar.gz", archive(content(SEX, SITE), schema))
    assert main() == 1
    assert tested.read("output/message") == f"input champion, model.tar.gz: {said}"
    assert tested.files("processing/output") == []


def test_what_is_no_category_is_missing(tested):
    rows = models.read_test(tested.root / "processing/input/test")
    strange = rows.features.copy()
    strange[:, 0] = 3
    strange[:, 1] = 8
    lost = rows.features.copy()
    lost[:, :2] = np.nan
    model = tested.root / "processing/input/model/model.tar.gz"
    scores = [models.predictions(model, models.Rows(rows.labels, each, rows.schema)) for each in (strange, lost)]
    assert scores[0].tolist() == scores[1].tolist()


def test_a_champion_that_learned_numbers_gets_numbers(tested):
    """An archive of a release that knew no categories: its schema calls a column categorical, its model doesn't."""
    schema = {
        "columns": [
            {"name": "site", "kind": "categorical", "values": [7, 1, 4], "monotone": 1},
            {"name": "age", "kind": "categorical", "values": list(range(18, 90))},
        ],
        "label": {"name": "ill", "values": [0, 1]},
        "missing": "?",
    }
    table = [(ill, site, age) for ill, _, site, age in people(600, 1)]
    data = xgboost.DMatrix(np.array([row[1:] for row in table], float), [row[0] for row in table])
    booster = xgboost.train({"objective": "binary:logistic", "max_depth": 3}, data, 10)
    files = {"xgboost-model": bytes(booster.save_raw("ubj")), "schema.json": json.dumps(schema).encode()}
    archive = tested.write("processing/input/champion/model.tar.gz", packed(files))
    rows = models.read_test(tested.root / "processing/input/test")
    expected = booster.inplace_predict(rows.features[:, 1:])
    assert models.predictions(archive, rows).tolist() == expected.astype(float).tolist()
