"""Labels that contradict each other and files that are there twice are counted, and refused where a setting says so."""

import json

import pytest

from steps.preprocess.__main__ import main

INPUT = "processing/input/data"


def told(job) -> dict:
    assert main() == 0
    return json.loads(job.read("processing/output/report/report-algo-1.json"))


def lines(*ages: int, label: int) -> str:
    return "".join(f"5,{age},3,5,3,{label}\n" for age in ages)


@pytest.fixture
def table(job, published):
    """A table in which nothing contradicts anything: one row of each kind."""
    job.write(f"{INPUT}/2025/a.csv", lines(*range(18, 60), label=1) + lines(*range(60, 110), label=0))
    return job


def test_a_table_without_contradictions_says_so(table):
    report = told(table)
    assert report["contradicting_labels"] == {"kinds_of_equal_rows": 0, "rows_against_earlier_files": 0}
    assert report["same_files"] == []


def test_both_labels_of_equal_rows_are_counted_once_a_kind(table):
    table.write(f"{INPUT}/2025/b.csv", lines(200, 201, 201, label=1) + lines(200, 200, 201, label=0))
    assert told(table)["contradicting_labels"] == {"kinds_of_equal_rows": 2, "rows_against_earlier_files": 0}


def test_rows_against_what_was_learned_from_earlier_files_are_counted_each(table):
    table.write(f"{INPUT}/2026/a.csv", lines(20, 20, 21, label=0) + lines(30, label=1))
    assert told(table)["contradicting_labels"] == {"kinds_of_equal_rows": 2, "rows_against_earlier_files": 3}


def test_a_label_that_an_equal_row_already_had_contradicts_nothing_more(table):
    table.write(f"{INPUT}/2026/a.csv", lines(20, label=0))
    table.write(f"{INPUT}/2026/b.csv", lines(20, 20, label=0) + lines(20, label=1))
    assert told(table)["contradicting_labels"] == {"kinds_of_equal_rows": 1, "rows_against_earlier_files": 1}


def test_the_same_file_under_two_folders_is_named(table):
    content = table.read(f"{INPUT}/2025/a.csv")
    table.write(f"{INPUT}/2026/01/a.csv", content)
    table.write(f"{INPUT}/2026/02/other.csv", content)
    table.write(f"{INPUT}/2026/02/longer.csv", content + "\n")
    assert told(table)["same_files"] == [["2025/a.csv", "2026/01/a.csv", "2026/02/other.csv"]]


@pytest.mark.parametrize(("allowed", "code"), [("2", 1), ("3", 0), ("", 0)])
def test_a_setting_says_from_how_many_contradictions_on_it_fails(table, monkeypatch, allowed, code):
    monkeypatch.setenv("FAIL_FROM_CONTRADICTIONS", allowed)
    table.write(f"{INPUT}/2026/a.csv", lines(20, 21, label=0))
    assert main() == code
    if code:
        assert table.read("output/message") == (
            "input data: 2 kinds of equal rows carry contradicting labels, and 2 rows contradict an earlier file; "
            "FAIL_FROM_CONTRADICTIONS is 2."
        )
        assert table.files("processing/output") == []


def test_a_setting_says_from_how_many_same_files_on_it_fails(table, monkeypatch):
    monkeypatch.setenv("FAIL_FROM_SAME_FILES", "1")
    table.write(f"{INPUT}/2026/a.csv", table.read(f"{INPUT}/2025/a.csv"))
    assert main() == 1
    assert table.read("output/message") == (
        "input data: 2026/a.csv holds the same as 2025/a.csv; FAIL_FROM_SAME_FILES is 1."
    )
    assert table.files("processing/output") == []


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5", "٣"])
def test_a_setting_that_is_no_number_is_named(table, monkeypatch, value):
    monkeypatch.setenv("FAIL_FROM_CONTRADICTIONS", value)
    assert main() == 1
    assert table.read("output/message") == "setting FAIL_FROM_CONTRADICTIONS: not a whole number from 1 on."
