"""Bad input: one sentence that names the place, and nothing written."""

import gzip

import pytest

from steps.monitor import broken
from steps.monitor.conftest import NAMES, patients


def failed(container, **settings) -> str:
    """Run the container, see it fail in one sentence and leave nothing, and return the sentence."""
    assert container.run(**settings) == 1
    assert not container.output.exists() or not list(container.output.iterdir())
    assert "defect" not in container.message and container.message.count("\n") == 0
    return container.message


def test_an_empty_batch(checked):
    checked.put([])
    assert failed(checked) == "dataset_source: no file with rows in dataset."


def test_no_file_at_all(checked):
    assert "no file with rows" in failed(checked)


def test_a_header_alone_is_an_empty_batch(checked):
    checked.put([], header=NAMES)
    assert "no row" in failed(checked, dataset_format={"csv": {"header": True}})


def test_a_header_where_none_belongs(checked):
    checked.put(patients(48, 2), header=NAMES)
    assert failed(checked).startswith("batch.csv, row 1: a header line")


def test_a_row_with_too_few_columns(checked):
    rows = patients(48, 2)
    rows[7] = rows[7][:3]
    checked.put(rows)
    assert failed(checked) == "batch.csv, row 8: 3 columns where 5 belong."


def test_another_encoding_in_the_middle(checked):
    file = checked.put(patients(48, 2))
    lines = file.read_bytes().splitlines()
    lines[3] = "4,5\u00e9,1,1,3".encode("latin-1")
    file.write_bytes(b"\n".join(lines))
    assert failed(checked) == "batch.csv, line 4, column 2: not UTF-8 text."


def test_one_line_without_end_is_read_in_bounded_memory(checked):
    file = checked.put([])
    with file.open("wb") as stream:
        stream.truncate(64 * broken.LONGEST_LINE)
    assert "line 1" in failed(checked)
    file.write_bytes(b"4," * broken.LONGEST_LINE)
    assert failed(checked) == f"batch.csv, line 1: longer than {broken.LONGEST_LINE} bytes."


def test_a_gzip_file_that_was_cut(checked):
    file = checked.put(patients(4000, 2))
    content = gzip.compress(file.read_bytes())
    file.unlink()
    file.with_name("batch.csv.gz").write_bytes(content[: len(content) // 2])
    assert "batch.csv.gz: the gzip stream is damaged" in failed(checked)


def test_a_gzip_file_reads_as_any_other(checked):
    file = checked.put(patients(48, 2))
    file.with_name("batch.csv.gz").write_bytes(gzip.compress(file.read_bytes()))
    file.unlink()
    assert checked.run() == 0
    assert checked.read("verdict.json")["rows"] == 48


def test_a_baseline_of_another_table(checked, tmp_path):
    checked.put(patients(48, 2))
    statistics = tmp_path / "statistics.json"
    statistics.write_text('{"dataset": {"item_count": 1}, "features": [{"name": "other"}]}')
    assert "don't describe the same columns" in failed(checked, baseline_statistics=str(statistics))


@pytest.mark.parametrize("content", ["", "{", "[]", '{"features": 3}', '{"features": [{}]}'])
def test_a_baseline_that_is_none(checked, tmp_path, content):
    checked.put(patients(48, 2))
    other = tmp_path / "other.json"
    other.write_text(content)
    assert failed(checked, baseline_constraints=str(other)).startswith("other.json: ")
    assert failed(checked, baseline_statistics=str(other)).startswith("other.json: ")


def test_one_baseline_setting_without_the_other(checked):
    checked.put(patients(48, 2))
    assert failed(checked, baseline_statistics="").startswith("baseline_statistics is not set")


@pytest.mark.parametrize("given", ["", "csv", "{}", '{"xml": {}}', '{"csv": {"header": "maybe"}}'])
def test_a_format_that_is_none(checked, monkeypatch, given):
    checked.put(patients(48, 2))
    monkeypatch.setattr(checked, "setenv", lambda *_: None)
    monkeypatch.setenv("dataset_format", given or '{"csv": 1, "json": 2}')
    assert failed(checked).startswith("dataset_format")
