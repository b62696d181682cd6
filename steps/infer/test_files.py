"""A file of rows becomes a file of answers, or nothing at all."""

import json

import pytest

from steps.common.test_job import Job
from steps.infer.answers import BLOCK
from steps.infer.conftest import csv, patients


@pytest.fixture
def job(archive) -> Job:
    return Job(archive.parent)


def test_a_file_of_many_blocks_keeps_its_order(job):
    text = csv(patients(1000, 4))
    times = 2 * BLOCK // len(text) + 1
    rows = job.write("rows.csv", b"\xef\xbb\xbf" + (text * times + "5,old,3,5,3").encode())
    code, output = job.run("infer", "score", str(rows), str(job.root / "out/scores.jsonl"))
    last = 1000 * times + 1
    assert (code, output.splitlines()) == (
        0,
        [f"row {last} of rows.csv rejected: column age: not a number.", "1 row of rows.csv rejected in all."],
    )
    answers = [json.loads(line) for line in job.read("out/scores.jsonl").splitlines()]
    assert [answer["row"] for answer in answers] == list(range(1, last + 1))
    first = [answer["probability"] for answer in answers[:1000]]
    assert [answer["probability"] for answer in answers[:-1]] == first * times
    assert job.files("out") == ["scores.jsonl"]


@pytest.mark.parametrize(
    ("source", "goal", "said"),
    [
        ("empty.csv", "out/a.csv", "empty.csv: the file is empty."),
        ("rows.txt", "out/a.csv", "rows.txt: the name ends with neither of .csv, .jsonl."),
        ("rows.csv", "out/a.parquet", "a.parquet: the name ends with neither of .csv, .jsonl."),
        ("none.csv", "out/a.csv", "none.csv: No such file or directory."),
    ],
)
def test_what_cannot_be_scored_leaves_no_file(job, source, goal, said):
    for name, content in (("empty.csv", ""), ("rows.csv", "5,67,3,5,3\n"), ("rows.txt", "1")):
        job.write(name, content)
    code, output = job.run("infer", "score", str(job.root / source), str(job.root / goal))
    assert code == 1 and output.endswith(said + "\n") and output.count("\n") == 1
    assert job.files("out") == []


def test_a_file_that_is_left_out(job):
    assert job.run("infer", "score") == (1, "score: takes the file of rows and the file of answers.\n")
