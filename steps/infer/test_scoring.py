"""Rows are scored in their order, missing or not; what can't be scored is named and keeps its place."""

import numpy as np
import pytest
import xgboost

from steps.common.failure import StepFailed
from steps.common.schema import Schema
from steps.infer import scoring
from steps.infer.answers import CSV, JSON_LINES, Answers
from steps.infer.conftest import csv, patients

SCHEMA = Schema.read()


def test_probabilities_are_the_boosters_in_the_rows_order(archive, trained):
    rows = patients(300, 2)
    expected = xgboost.Booster(model_file=bytearray(trained)).inplace_predict(np.array(rows, np.float32))
    model = scoring.Model(archive)
    scores = model.score(csv(rows).splitlines())
    assert scores.rejected == []
    assert scores.probabilities.tolist() == expected.tolist()
    assert [float(line) for line in Answers(model).of(csv(rows).encode(), 1)[0].splitlines()] == pytest.approx(
        expected.tolist(), rel=1e-6
    )


@pytest.mark.parametrize(
    "text",
    [
        "5,67,3,5,3\n4,43,1,?,2\n",
        "5,67,3,5,3\n4,43,1,,2",
        "5,67,3,5,3\r\n4,43,1,?,2\r\n",
        '"5",67,3,5,3\n4, 43 ,1,"?",2\n',
        "5.0,6.7e1,+3,5,3\n4,43,1,,2\n",
        "5,67,3,5,3\n4,43,1,7,2\n",
        "5,67,3,5,3\n4,43,1,1e300,2\n",
    ],
    ids=["plain", "no final newline", "CRLF", "quoted", "decimals", "outside the domain", "far outside"],
)
def test_usual_forms_are_the_same_rows(text):
    features, rejected = scoring.parse(text.replace("\r\n", "\n").removesuffix("\n").split("\n"), SCHEMA)
    assert rejected == []
    assert np.array_equal(features, np.array([[5, 67, 3, 5, 3], [4, 43, 1, np.nan, 2]], np.float32), equal_nan=True)


def test_leading_trailing_and_neighbouring_cells_may_be_empty():
    features, rejected = scoring.parse([",67,3,5,", ",,,,", "5,,,,3", "?,?,?,?,?"], SCHEMA)
    assert rejected == []
    assert np.isnan(features).astype(int).tolist() == [[1, 0, 0, 0, 1], [1] * 5, [0, 1, 1, 1, 0], [1] * 5]


WRONG = {
    "5,67,3,5": "4 columns where 5 belong",
    "5,67,3,5,3,1": "6 columns where 5 belong",
    "5,67,3,5,3,": "6 columns where 5 belong",
    "": "0 columns where 5 belong",
    "5,old,3,5,3": "column age: not a number",
    "5?5,67,3,5,3": "column bi_rads: not a number",
    "nan,67,3,5,3": "column bi_rads: not a number",
    "5,67,3,5,inf": "column density: not a number",
    "5,67,3,5,1e999": "column density: not a number",
    "5_5,67,3,5,3": "column bi_rads: not a number",
    "#5,67,3,5,3": "column bi_rads: not a number",
    "bi_rads,age,shape,margin,density": "column bi_rads: not a number",
    "5,67,3,5,3\r": None,
    "5,67\u2028,3,5,3": None,
    "5,6\x0b7,3,5,3": "column age: not a number",
    '"5,67,3,5,3': "1 column where 5 belong",
    "9" * 200_000: "not CSV",
}
"""What a row holds, and why it is rejected; None where it isn't."""


@pytest.mark.parametrize("wrong", WRONG, ids=range(len(WRONG)))
def test_a_row_that_cannot_be_read_is_named_and_keeps_its_place(wrong):
    good = "4,43,1,1,2"
    features, rejected = scoring.parse([good, good, wrong, good], SCHEMA)
    assert len(features) == 4
    assert [(reject.row, reject.reason) for reject in rejected] == [(3, WRONG[wrong])] * (WRONG[wrong] is not None)
    assert features[[0, 1, 3]].tolist() == [[4, 43, 1, 1, 2]] * 3


def test_rejected_rows_have_no_probability(archive):
    answers, payload = Answers(scoring.Model(archive)), b"4,43,1,1,2\nx\n5,67,3,5,3\n"
    first, second, third = answers.of(payload, 1)[0].decode().splitlines()
    assert second == "nan" and 0 < float(first) < 1 and 0 < float(third) < 1
    assert answers.of(payload, 1, CSV, JSON_LINES)[0].decode() == (
        f'{{"row": 1, "probability": {first}}}\n'
        '{"row": 2, "error": "1 column where 5 belong"}\n'
        f'{{"row": 3, "probability": {third}}}\n'
    )


def test_nothing_but_rejected_rows_is_an_answer_too(archive):
    assert Answers(scoring.Model(archive)).of(b"x\ny\n", 1)[0] == b"nan\nnan\n"


def refused(archive) -> str:
    with pytest.raises(StepFailed) as failed:
        scoring.Model(archive)
    return str(failed.value)


@pytest.mark.parametrize("name", ["xgboost-model", "schema.json"])
def test_a_file_that_is_missing_is_named(archive, name):
    (archive / name).unlink()
    assert refused(archive) == f"model archive: {name} is missing."


@pytest.mark.parametrize("size", [0, 1, 100, -1])
@pytest.mark.parametrize("noted", [True, False])
def test_a_model_that_was_cut_is_refused(archive, size, noted):
    file = archive / "xgboost-model"
    file.write_bytes(file.read_bytes()[:size])
    if not noted:
        (archive / "metadata.json").unlink()
    assert refused(archive) == "model archive: xgboost-model is truncated, damaged or no model."


def test_a_single_flipped_bit_is_noticed(archive):
    file = archive / "xgboost-model"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert refused(archive) == "model archive: xgboost-model is truncated, damaged or no model."


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("schema.json", "{", "model archive: schema.json: not a schema."),
        ("metadata.json", '{"model_sha', "model archive: metadata.json is truncated or no JSON object."),
        ("metadata.json", "[]", "model archive: metadata.json is truncated or no JSON object."),
        (
            "schema.json",
            '{"columns": [{"name": "age", "kind": "numeric"}], "label": {"name": "x", "values": []}, "missing": ""}',
            "model archive: the model takes 5 features, schema.json has 1.",
        ),
    ],
)
def test_a_file_that_is_something_else_is_named(archive, name, content, said):
    (archive / name).write_text(content)
    assert refused(archive) == said
