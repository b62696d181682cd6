"""Bad input: one sentence that names the place, and nothing written."""

import gzip
import json
import re
from pathlib import Path

import pytest

from steps.monitor.conftest import NAMES, patients
from steps.monitor.data import duckdb_source, read_errors


def failed(container, **settings) -> str:
    """Run the container, see it fail in one sentence and leave nothing, and return the sentence."""
    assert container.run(**settings) == 1
    assert not container.output.exists() or not list(container.output.iterdir())
    assert "defect" not in container.message and container.message.count("\n") == 0
    assert len(container.message) <= 1024
    return container.message


def test_an_empty_batch(checked):
    checked.write([])
    assert re.fullmatch(r"dataset_source: no file with rows in dataset: [\w.-]+ is empty\.", failed(checked))


def test_no_file_at_all(checked):
    assert "no file with rows" in failed(checked)


def test_a_header_alone_is_an_empty_batch(checked):
    checked.write([], header=NAMES)
    assert "no row" in failed(checked, dataset_format={"csv": {"header": True}})


def test_a_header_where_none_belongs(checked):
    checked.write(patients(48, 2), header=NAMES)
    assert failed(checked).startswith("batch.csv, row 1: a header line")


def test_a_row_with_too_few_columns(checked):
    rows = patients(48, 2)
    rows[7] = rows[7][:3]
    checked.write(rows)
    assert failed(checked) == "batch.csv, row 8: 3 columns where 5 belong."


def test_another_encoding_in_the_middle(checked):
    file = checked.write(patients(48, 2))
    lines = file.read_bytes().splitlines()
    lines[3] = "4,5\u00e9,1,1,3".encode("latin-1")
    file.write_bytes(b"\n".join(lines))
    assert failed(checked) == "batch.csv, line 4, column 2: not UTF-8 text."


def test_one_line_without_end_is_read_in_bounded_memory(checked):
    file = checked.write([])
    with file.open("wb") as stream:
        stream.truncate(1 << 30)
    assert "line 1" in failed(checked)
    file.write_bytes(b"4," * read_errors.LONGEST_LINE)
    assert failed(checked) == f"batch.csv, line 1: longer than {read_errors.LONGEST_LINE} bytes."


def test_a_gzip_file_that_was_cut(checked):
    file = checked.write(patients(4000, 2))
    content = gzip.compress(file.read_bytes())
    file.unlink()
    file.with_name("batch.csv.gz").write_bytes(content[: len(content) // 2])
    assert "batch.csv.gz: the gzip stream is damaged" in failed(checked)


def test_a_gzip_file_reads_as_any_other(checked):
    file = checked.write(patients(48, 2))
    file.with_name("batch.csv.gz").write_bytes(gzip.compress(file.read_bytes()))
    file.unlink()
    assert checked.run() == 0
    assert checked.read("verdict.json")["rows"] == 48


def test_a_header_missing_where_one_belongs_is_not_taken_for_names(checked, capsys):
    checked.write([[51234, *row[1:]] for row in patients(48, 2)])
    assert failed(checked, dataset_format={"csv": {"header": True}}).startswith("batch.csv, row 1: no header line")
    assert "51234" not in "".join(capsys.readouterr())


def test_a_header_missing_from_a_new_baseline(container):
    container.write(patients(48, 2))
    assert failed(container, dataset_format={"csv": {"header": True}}).startswith("batch.csv, row 1: no header line")


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (("bi_rads", "age", "age", "margin", "density"), "column age occurs twice"),
        (("bi_rads", "age", "", "margin", "density"), "column 3 has no name"),
    ],
)
def test_a_header_that_names_no_columns(checked, header, message):
    checked.write(patients(48, 2), header=header)
    assert failed(checked, dataset_format={"csv": {"header": True}}) == f"batch.csv, header line: {message}."


def test_files_of_one_batch_with_different_columns(checked):
    checked.write(patients(20, 2), "a.csv", header=NAMES)
    checked.write(patients(20, 3), "b.csv", header=NAMES[::-1])
    message = failed(checked, dataset_format={"csv": {"header": True}})
    assert message == "b.csv: its columns aren't those of a.csv."


def test_a_file_among_many_is_named(checked):
    rows = patients(48, 2)
    checked.write(rows[:20], "day=1/part.csv")
    checked.write([*rows[20:], [1, 2, 3, 4, 5, 6]], "day=2/part.csv")
    assert failed(checked) == "day=2/part.csv, row 29: 6 columns where 5 belong."


def test_lines_that_end_in_two_ways(checked):
    file = checked.write(patients(48, 2))
    with file.open("ab") as stream:
        stream.write(b"4,50,1,1,3\r\n")
    assert failed(checked).startswith("batch.csv, line 49: ends otherwise")


def test_a_quote_that_is_never_closed(checked):
    rows = patients(48, 2)
    checked.write([*rows[:9], ['"4', *rows[9][1:]], *rows[10:]])
    assert failed(checked).startswith("batch.csv, row 10: not readable as CSV")


@pytest.mark.parametrize("content", [b"PAR1", b"4,50,1,1,3\n"])
def test_what_is_no_parquet_file(checked, content):
    checked.write([], "batch.parquet").write_bytes(content)
    assert "batch.parquet: damaged, cut off, or not a Parquet file." in failed(checked, dataset_format={"parquet": {}})


def parquet(checked, query: str) -> Path:
    file = checked.write([], "batch.parquet")
    with duckdb_source.connect() as engine:
        engine.execute(f"COPY ({query}) TO '{file}' (FORMAT parquet, COMPRESSION uncompressed)")
    return file


ROWS = ", ".join(f"(random() * 5)::INTEGER AS {name}" for name in NAMES)


def test_a_parquet_file_that_was_cut_or_changed(checked):
    file = parquet(checked, f"SELECT {ROWS} FROM range(20000)")
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    assert failed(checked, dataset_format={"parquet": {}}).startswith("batch.parquet: damaged")
    file.write_bytes(b"PAR1" + b"\xff" * 20_000 + whole[20_004:])
    assert failed(checked, dataset_format={"parquet": {}}).startswith("batch.parquet: damaged")


def test_nested_values_in_parquet(checked):
    parquet(checked, f"SELECT {ROWS}, [1, 2] AS visits FROM range(20)")
    assert failed(checked, dataset_format={"parquet": {}}) == "batch.parquet, column visits: holds nested values."


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"age": 50', "not readable as JSON"),
        ("[4, 50, 1, 1, 3]", "not a JSON object"),
        ("4,50,1,1,3", "not readable as JSON"),
    ],
)
def test_a_line_that_is_no_json_object(checked, line, message):
    good = json.dumps(dict(zip(NAMES, (4, 50, 1, 1, 3), strict=True)))
    checked.write([], "batch.jsonl").write_text(f"{good}\n" * 30_000 + f"{line}\n{good}\n")
    assert failed(checked, dataset_format={"json": {}}) == f"batch.jsonl, line 30001: {message}."


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ("{}", "not a record of data capture"),
        ('{"captureData": {}, "eventMetadata": {}}', "no endpointInput"),
        (
            '{"captureData": {"endpointInput": {"data": "%%", "encoding": "BASE64"}}, "eventMetadata": {}}',
            "endpointInput isn't base64 of text",
        ),
        (
            '{"captureData": {"endpointInput": {"data": "{", "encoding": "JSON"}}, "eventMetadata": {}}',
            "endpointInput isn't readable as JSON",
        ),
        (
            '{"captureData": {"endpointInput": {"data": "1", "encoding": "XML"}}, "eventMetadata": {}}',
            "endpointInput has an encoding that is none of CSV, JSON and BASE64",
        ),
    ],
)
def test_a_record_that_data_capture_did_not_write(checked, record, message):
    checked.write([], "records.jsonl").write_text(record + "\n")
    assert failed(checked, dataset_format={"sagemakerCaptureJson": {}}) == f"records.jsonl, line 1: {message}."


def test_a_million_categories_are_a_violation(container):
    rows = patients(600, 1)
    container.write([[*row, "abcde"[i % 5]] for i, row in enumerate(rows)], header=(*NAMES, "clinic"))
    assert container.run({"csv": {"header": True}}) == 0
    container.use_as_baseline()
    lines = (f"4,50,1,1,3,clinic {number}\n" for number in range(1_000_000))
    container.write([]).write_text("".join(lines))
    assert container.run() == 0
    violations = container.read("constraint_violations.json")["violations"]
    found = {v["constraint_check_type"]: v for v in violations if v["feature_name"] == "clinic"}
    assert {"categorical_values_check", "baseline_drift_check"} <= found.keys()
    assert found["categorical_values_check"]["rows"][0] == {"file": "batch.csv", "row": 1}
    (feature,) = [f for f in container.read("statistics.json")["features"] if f["name"] == "clinic"]
    assert feature["string_statistics"]["distinct_count"] > 200_000


def test_a_baseline_of_another_table(checked, tmp_path):
    checked.write(patients(48, 2))
    statistics = tmp_path / "statistics.json"
    statistics.write_text('{"dataset": {"item_count": 1}, "features": [{"name": "other"}]}')
    assert "don't describe the same columns" in failed(checked, baseline_statistics=str(statistics))


@pytest.mark.parametrize("content", ["", "{", "[]", '{"features": 3}', '{"features": [{}]}'])
def test_a_baseline_that_is_none(checked, tmp_path, content):
    checked.write(patients(48, 2))
    other = tmp_path / "other.json"
    other.write_text(content)
    assert failed(checked, baseline_constraints=str(other)).startswith("other.json: ")
    assert failed(checked, baseline_statistics=str(other)).startswith("other.json: ")


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("datatype_check_threshold", "high", "isn't a number"),
        ("distribution_constraints", 3, "isn't an object"),
        ("datatype_check_treshold", 0.9, "is unknown; is datatype_check_threshold meant?"),
        ("missing_values", "?", "isn't a list of texts"),
        ("report_values", "yes", "is neither Enabled nor Disabled"),
        ("row_count_constraints", {"minimum": "one"}, "isn't a whole number"),
    ],
)
def test_a_constraint_that_is_none(checked, setting, value, message):
    checked.write(patients(48, 2))
    file = checked.root / "processing/input/baseline/constraints.json"
    content = json.loads(file.read_text())
    content["monitoring_config"][setting] = value
    file.write_text(json.dumps(content))
    message = failed(checked)
    assert message.startswith("constraints.json: monitoring_config.") and message in message


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("start_time", "yesterday"),
        ("end_time", "15:20"),
        ("publish_cloudwatch_metrics", "true"),
        ("analysis_type", "BIAS"),
        ("categorical_drift_method", "Cosine"),
        ("record_preprocessor_script", "/opt/ml/processing/code/preprocess.py"),
    ],
)
def test_a_setting_that_is_none(checked, variable, value):
    checked.write(patients(48, 2))
    assert failed(checked, **{variable: value}).startswith(f"{variable} is")


def test_one_baseline_setting_without_the_other(checked):
    checked.write(patients(48, 2))
    assert failed(checked, baseline_statistics="").startswith("baseline_statistics is not set")


@pytest.mark.parametrize("given", ["", "csv", "{}", '{"xml": {}}', '{"csv": {"header": "maybe"}}'])
def test_a_format_that_is_none(checked, monkeypatch, given):
    checked.write(patients(48, 2))
    monkeypatch.setattr(checked, "setenv", lambda *_: None)
    monkeypatch.setenv("dataset_format", given or '{"csv": 1, "json": 2}')
    assert failed(checked).startswith("dataset_format")
