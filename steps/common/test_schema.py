"""A schema is refused by column and reason, before anything is made of it; text and numbers are categories alike."""

import json
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest

from steps.common.schema import FILE, NotASchema, Schema
from steps.common.test_job import ROOT


def content(**column: object) -> dict:
    columns = [
        {"name": "age", "kind": "numeric"} | column,
        {"name": "sex", "kind": "categorical", "values": ["f", "m"]},
    ]
    return {"columns": columns, "label": {"name": "ill", "values": [0, 1], "names": ["no", "yes"]}, "missing": "?"}


def test_a_schema_is_what_its_file_says(tmp_path):
    file = tmp_path / "schema.json"
    file.write_text(json.dumps(content(minimum=18, maximum=110, monotone=-1)))
    schema = Schema.read(file)
    age, sex = schema.columns
    assert (age.minimum, age.maximum, age.monotone, age.texts) == (18, 110, -1, ())
    assert (sex.kind, sex.values, sex.texts) == ("categorical", ("f", "m"), ("f", "m"))
    assert (schema.names, schema.feature_types, schema.texts) == (["age", "sex"], ["q", "c"], {"sex": ("f", "m")})
    assert (schema.label, schema.label_values, schema.label_names) == ("ill", (0, 1), ("no", "yes"))
    layout = schema.layout(["ill", "age", "sex"])
    assert (layout.missing, layout.texts) == ("?", {"sex": ("f", "m")})
    assert layout.checks["ill"].otherwise == "not 0 or 1"


def test_the_projects_own_schema_is_one():
    assert Schema.read().columns


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '"x"', "\ufeff7"])
def test_what_is_no_schema_is_refused_by_its_name(tmp_path, text):
    file = tmp_path / "schema.json"
    file.write_text(text)
    with pytest.raises(NotASchema, match=r"^schema\.json: not a schema\.$"):
        Schema.read(file)


CATEGORICAL = {"kind": "categorical"}
WRONG = [
    (content(name=""), ", column 1: has no name"),
    (content(name=7), ", column 1: has no name"),
    (content(name="a,b"), ", column a,b: a name with a comma, a quote or blanks around it "),
    (content(name="sex"), ", column sex: occurs twice"),
    (content(name="ill"), ", column ill: has the label's name"),
    (content(kind="number"), ", column age: kind is none of numeric, ordinal, categorical"),
    (content(kind=None), ", column age: kind is none of numeric, ordinal, categorical"),
    (content(unit="years"), ", column age: unit is unknown; known are description, kind, maximum, minimum, monotone, "),
    (content(values="abc"), ", column age: values are no list"),
    (content(values=[1, "a"]), ", column age: values are neither all numbers nor all text"),
    (content(values=[1, True]), ", column age: values are neither all numbers nor all text"),
    (content(values=[1, None]), ", column age: values are neither all numbers nor all text"),
    (content(values=[1, 1.0]), ", column age: a value occurs twice"),
    (content(values=["a", "b"]), ", column age: is numeric, and its values are text; ordinal or categorical columns "),
    (content(values=["a", " b"], **CATEGORICAL), ", column age: a value is empty or has blanks around it"),
    (content(values=["a", ""], **CATEGORICAL), ", column age: a value is empty or has blanks around it"),
    (content(values=["a", "?"], **CATEGORICAL), ", column age: the sign for a missing value is one of the values"),
    (content(values=[1], minimum=0), ", column age: values and a range exclude each other"),
    (content(minimum="low"), ", column age: minimum is not a number"),
    (content(minimum=2, maximum=1), ", column age: minimum is above maximum"),
    (content(**CATEGORICAL), ", column age: is categorical, and has no values"),
    (content(monotone=2), ", column age: monotone is none of -1, 0 and 1"),
    (content(monotone=True), ", column age: monotone is none of -1, 0 and 1"),
    (content(values=[1, 2], monotone=1, **CATEGORICAL), ", column age: is categorical, and categories "),
    (content() | {"columns": []}, ": columns: not a list of columns"),
    (content() | {"columns": 3}, ": columns: not a list of columns"),
    (content() | {"missing": None}, ": missing: not a text without commas and blanks around it"),
    (content() | {"label": "ill"}, ": label: has no name"),
    (content() | {"label": {"name": "ill", "values": [1]}}, ", label ill: one value is nothing to predict"),
    (content() | {"label": {"name": "ill", "values": ["no", "yes"]}}, ", label ill: values are text; "),
    (content() | {"label": {"name": "ill", "values": [0, 1], "names": ["no"]}}, ", label ill: names aren't one "),
    (content() | {"extra": 1}, ": extra is unknown; known are $schema, columns, description, label, missing"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "said"), WRONG, ids=range(len(WRONG)))
def test_what_contradicts_itself_is_refused_by_column_and_reason(tmp_path, wrong, said):
    file = tmp_path / "schema.json"
    file.write_text(json.dumps(wrong))
    with pytest.raises(NotASchema) as refused:
        Schema.read(file)
    assert str(refused.value).startswith(f"schema.json{said}") and str(refused.value).endswith(".")


def test_a_key_that_occurs_twice_is_refused(tmp_path):
    file = tmp_path / "schema.json"
    file.write_text(json.dumps(content()).replace('"missing"', '"missing": "", "missing"'))
    with pytest.raises(NotASchema, match=r"^schema\.json: key missing occurs twice\.$"):
        Schema.read(file)


def test_the_form_refuses_what_the_check_refuses_by_form():
    jsonschema = pytest.importorskip("jsonschema")
    form = json.loads(FILE.with_name("schema.form.json").read_text())
    validator = jsonschema.Draft202012Validator(form)
    assert validator.is_valid(content()) and validator.is_valid(json.loads(FILE.read_text()))
    # Names that occur twice, ranges, counts and signs that clash are beyond what JSON Schema says.
    beyond = ("occurs twice", "has the label's", "above", "is one of the values", "aren't one text", "a value occurs")
    for wrong, said in WRONG:
        assert validator.is_valid(wrong) == any(part in said for part in beyond), said


def test_codes_are_places_in_the_schemas_list_whatever_occurs():
    numpy = pytest.importorskip("numpy")
    schema = Schema.of(content(kind="categorical", values=[10, 2, 7]))
    nan = math.nan
    rows = numpy.array([[7, 1], [2, 0], [10, 2], [nan, nan], [3, 1]])
    expected = [[2, 1], [1, 0], [0, nan], [nan, nan], [nan, 1]]
    assert numpy.array_equal(schema.codes(rows), expected, equal_nan=True)
    for row, codes in zip(rows, expected, strict=True):
        assert numpy.array_equal(schema.codes(row[None])[0], codes, equal_nan=True)


def test_ordinal_text_has_the_order_of_its_list():
    numpy = pytest.importorskip("numpy")
    schema = Schema.of(content(kind="ordinal", values=["low", "high"], monotone=1))
    assert schema.feature_types == ["q", "c"]
    assert numpy.array_equal(schema.codes(numpy.array([[1.0, 0], [2, 0]]))[:, 0], [1, math.nan], equal_nan=True)


def test_the_command_names_each_wrong_file(tmp_path):
    (tmp_path / "good.json").write_text(json.dumps(content()))
    (tmp_path / "bad.json").write_text(json.dumps(content(kind="x")))
    command = [
        sys.executable,
        "-m",
        "steps.common.schema",
        *(str(tmp_path / name) for name in ("good.json", "bad.json")),
    ]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stdout == f"{tmp_path}/good.json: 2 columns, label ill.\n"
    assert ended.stderr == "bad.json, column age: kind is none of numeric, ordinal, categorical.\n"


def test_the_readmes_command_runs_as_shown():
    text = Path(__file__).with_name("README.md").read_text()
    commands = re.findall(r"^```sh\n\.venv/bin/python (.*)\n```$", text, re.M)
    assert commands
    for command in commands:
        subprocess.run([sys.executable, *command.split()], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
