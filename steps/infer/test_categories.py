"""Categories are their places in the archive's schema; what is none of them is missing and named by its column."""

import json

import numpy as np
import pytest
import xgboost

from steps.infer import scoring
from steps.infer.answers import Answers

SEX, SITE = ["male", "female"], [7, 1, 4]
SCHEMA = {
    "columns": [
        {"name": "sex", "kind": "categorical", "values": SEX},
        {"name": "site", "kind": "categorical", "values": SITE},
        {"name": "size", "kind": "ordinal", "values": ["small", "large"]},
        {"name": "age", "kind": "numeric"},
    ],
    "label": {"name": "ill", "values": [0, 1]},
    "missing": "?",
}


@pytest.fixture
def booster():
    chance = np.random.default_rng(1)
    rows = np.column_stack([chance.integers(0, top, 600) for top in (2, 3, 2, 90)]).astype(np.float32)
    rows[::9, :3] = np.nan
    ill = (rows[:, 0] == 1) ^ (rows[:, 1] == 2) ^ (rows[:, 2] == 1) ^ (rows[:, 3] > 60)
    data = xgboost.DMatrix(rows, ill, feature_types=["c", "c", "q", "q"], enable_categorical=True)
    return xgboost.train({"objective": "binary:logistic", "max_depth": 4}, data, 10)


@pytest.fixture
def model(tmp_path, booster):
    (tmp_path / "xgboost-model").write_bytes(bytes(booster.save_raw("ubj")))
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    return scoring.Model(tmp_path)


CODES = [[0, 0, 0, 40], [1, 2, 1, 70], [np.nan, 1, np.nan, 20], [1, np.nan, 1, np.nan]]


@pytest.mark.parametrize(
    "lines",
    [
        ["male,7,small,40", "female,4,large,70", "?,1,,20", "female,,large,"],
        ['"male", 7.0 , small ,4e1', "female,4,large,70", "diverse,1,huge,20", "female,9,large,?"],
    ],
)
def test_csv_is_scored_by_its_places(model, booster, lines):
    expected = booster.inplace_predict(np.array(CODES, np.float32))
    found = model.score(lines)
    assert (found.probabilities.tolist(), found.rejected) == (expected.tolist(), [])
    assert len(set(expected.tolist())) == 4


def test_objects_are_scored_by_their_names_and_places(model, booster):
    lines = [
        '{"age": 40, "size": "small", "sex": "male", "site": 7}',
        '{"site": "4", "sex": "female", "size": "large", "age": "70"}',
        '{"age": 20, "site": 1, "sex": null, "size": "?"}',
        '{"sex": "female", "size": "large"}',
    ]
    expected = booster.inplace_predict(np.array(CODES, np.float32))
    assert model.score_objects(lines).probabilities.tolist() == expected.tolist()


def test_what_is_no_category_is_named_by_its_column_only(model, capsys):
    model.score(["Male,7,small,40", "x,9,small,41", "male,1,huge,42"])
    assert capsys.readouterr().out.splitlines() == [
        "column sex: none of its values in 2 different rows; taken as missing.",
        "column site: none of its values in 1 different row; taken as missing.",
    ]


def test_text_in_a_number_is_rejected_as_ever(model):
    rejected = model.score(["male,7,small,old", "male,seven,small,4", "male,7,small"]).rejected
    assert [(each.row, each.reason) for each in rejected] == [
        (1, "column age: not a number"), (2, "column site: not a number"), (3, "3 columns where 4 belong"),
    ]  # fmt: skip


def test_a_payload_of_text_has_an_answer_a_line(model):
    answer, rejected, _ = Answers(model).of(b"male,7,small,40\nmale,7,small,40\nx\n", 1)
    first, second, third = answer.decode().splitlines()
    assert first == second != "nan" and third == "nan" and rejected == 1


def test_an_archive_of_numbers_is_scored_by_numbers(tmp_path):
    """Of a release that knew no categories: its schema calls a column categorical and monotone."""
    chance = np.random.default_rng(2)
    rows = chance.integers(1, 5, (400, 2)).astype(np.float32)
    booster = xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(rows, rows[:, 0] + rows[:, 1] > 5), 5)
    columns = [
        {"name": "shape", "kind": "categorical", "values": [1, 2, 3, 4], "monotone": 1},
        {"name": "margin", "kind": "categorical", "values": [1, 2, 3, 4]},
    ]
    (tmp_path / "xgboost-model").write_bytes(bytes(booster.save_raw("ubj")))
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA | {"columns": columns}))
    found = scoring.Model(tmp_path).score(["1,4", "3,2", "4,4"]).probabilities
    assert found.tolist() == booster.inplace_predict(np.array([[1, 4], [3, 2], [4, 4]], np.float32)).tolist()
