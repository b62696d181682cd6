"""Every step reads the same odd files alike: rows, values, missing cells, and the sentence of what is refused.

The files come from the grammar of `steps.oddities`, by seeds; ODDITIES says how many of them.
"""

import gzip
import json
import math
import os
from pathlib import Path

import pytest

np = pytest.importorskip("numpy")
duckdb = pytest.importorskip("duckdb")
pytest.importorskip("xgboost")

from steps import oddities  # noqa: E402
from steps.common import delimited, failure, reader  # noqa: E402
from steps.common import schema as schemas  # noqa: E402
from steps.common.failure import StepFailed  # noqa: E402
from steps.common.schema import Schema  # noqa: E402
from steps.evaluate import models  # noqa: E402
from steps.infer import scoring  # noqa: E402
from steps.preprocess import __main__ as preprocess  # noqa: E402
from steps.train import channels  # noqa: E402

SEEDS = range(int(os.environ.get("ODDITIES", "200")))
SCHEMA = Schema.of(oddities.SCHEMA)
LAST = (*oddities.FEATURES, oddities.LABEL)


@pytest.fixture(autouse=True)
def own_schema(tmp_path, monkeypatch):
    file = tmp_path / "own.json"
    file.write_text(json.dumps(oddities.SCHEMA))
    monkeypatch.setattr(schemas, "FILE", file)


def put(folder: Path, odd: oddities.Odd) -> Path:
    for name, content in odd.files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            file.write_bytes(content)
            continue
        values = ", ".join(f"({', '.join(row)})" for row in content.rows)
        names = ", ".join(f'"{name}"' for name in content.names)
        duckdb.sql(f"SELECT * FROM (VALUES {values}) AS odd({names})").write_parquet(str(file))
        if content.cut:
            file.write_bytes(file.read_bytes()[:-20])
    return folder


def places(odd: oddities.Odd) -> "np.ndarray":
    """Label and features as a model gets them."""
    places = {"sex": oddities.SEX, "site": oddities.SITE, "size": oddities.SIZE}
    table = [
        [
            math.nan if row[name] is None else places[name].index(row[name]) if name in places else row[name]
            for name in (oddities.LABEL, *oddities.FEATURES)
        ]
        for row in odd.rows
    ]
    return np.array(table, float)


def by_train(folder: Path) -> "np.ndarray":
    channel = channels.read(folder)
    assert channel.names == list(oddities.FEATURES) and channel.types == ["q", "c", "c", "q"]
    return np.column_stack([channel.labels, channel.features]).astype(float)


def by_evaluate(folder: Path) -> "np.ndarray":
    rows = models.read_test(folder)
    return np.column_stack([rows.labels, SCHEMA.codes(rows.features, rows.schema)])


def by_preprocess(folder: Path, job) -> "np.ndarray":
    """What preprocess writes, read again; in the order of the splits."""
    (job.root / "processing/input").mkdir(parents=True)
    (job.root / "processing/input/data").symlink_to(folder)
    if preprocess.main() == 1:
        assert job.files("processing/output") == []
        raise StepFailed(failure.message_file().read_text())
    written = [
        reader.File(job.root / f"processing/output/{name}/part-algo-1.csv", name)
        for name in ("train", "validation", "test")
    ]
    rows = reader.read(written, SCHEMA.layout([SCHEMA.label, *SCHEMA.names]))
    report = json.loads(job.read("processing/output/report/report-algo-1.json"))
    assert report["missing"] == dict(zip(SCHEMA.names, np.isnan(rows[:, 1:]).sum(axis=0).tolist(), strict=True))
    assert set(report["outside_domain"].values()) == {0}
    return np.column_stack([rows[:, :1], SCHEMA.codes(rows[:, 1:])])


def sentence(read, *arguments) -> str:
    with pytest.raises(StepFailed) as failed:
        read(*arguments)
    return str(failed.value)


def sorted_rows(rows: "np.ndarray") -> list:
    return sorted(np.nan_to_num(rows, nan=-1).tolist())


@pytest.mark.parametrize("seed", SEEDS)
def test_all_steps_agree(seed, tmp_path, job, monkeypatch):
    if seed % 2:
        monkeypatch.setattr(delimited, "LARGE", 1)  # Every second one through DuckDB.
    odd, other = oddities.draw(seed), oddities.draw(seed, LAST)
    assert (odd.rows, sorted(odd.files)) == (other.rows, sorted(other.files))
    first, last = put(tmp_path / "first", odd), put(tmp_path / "last", other)
    if not (odd.place or odd.what):
        expected = places(odd)
        assert np.array_equal(by_train(first), expected, equal_nan=True)
        assert np.array_equal(by_evaluate(first), expected, equal_nan=True)
        assert sorted_rows(by_preprocess(last, job)) == sorted_rows(expected)
        return
    said = sentence(by_train, first)
    assert said.startswith(odd.place) and odd.what in said, (said, odd.place, odd.what)
    assert sentence(by_evaluate, first) == said
    again = sentence(by_preprocess, last, job)
    assert again.startswith(other.place) and other.what in again, (again, other.place, other.what)
    # Each step gives an example of its own order, and finds another cell in what isn't closed.
    assert odd.form == "csv" or again.partition(", such as")[0] == said.partition(", such as")[0]


@pytest.mark.parametrize("seed", SEEDS)
def test_rows_sent_to_the_endpoint_are_read_alike(seed):
    """Lines as they are in the files, without label: those that can be read are the same, the others are rejected."""
    odd = oddities.draw(seed, oddities.FEATURES)
    if odd.form not in ("csv", "jsonl") or odd.what not in ("", "not a number"):
        return
    lines, parse = [], scoring.parse if odd.form == "csv" else scoring.parse_objects
    for name, content in sorted(odd.files.items()):
        if not name.rpartition("/")[2].startswith("part-"):
            continue
        text = (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content).decode("utf-8-sig")
        lines += [line for line in text.replace("\r\n", "\n").split("\n") if line]
    features, rejected = parse(lines, SCHEMA)
    expected = places(odd)[:, 1:]
    kept = np.ones(len(lines), bool)
    kept[[each.row - 1 for each in rejected]] = False
    assert len(rejected) == (odd.what == "not a number")
    assert np.array_equal(SCHEMA.codes(features)[kept], expected[kept].astype(np.float32), equal_nan=True)


def test_the_grammar_says_much():
    drawn = [oddities.draw(seed) for seed in range(200)]
    assert {odd.form for odd in drawn} == {"csv", *oddities.NAMED}
    assert 60 < sum(bool(odd.what) for odd in drawn) < 140
    assert len({odd.what.split(" column")[0] for odd in drawn}) > 15
