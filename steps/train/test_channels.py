"""Channels are read alike from small and large CSV files and from Parquet, and refused by place."""

import random
from pathlib import Path

import duckdb
import numpy as np
import pytest

from steps.common import delimited
from steps.common.failure import StepFailed
from steps.common.layout import PRESENT
from steps.train import channels

ROW = "1,5,67,3,5,3\n"


def folder(tmp_path: Path, **files: str | bytes) -> Path:
    goal = tmp_path / "train"
    goal.mkdir()
    for name, content in files.items():
        (goal / name.replace("_", ".")).write_bytes(content.encode() if isinstance(content, str) else content)
    return goal


def many(count: int) -> str:
    chance = random.Random(4)
    cells = ("", "1", "2.5", "3e1", "-4")
    return "".join(f"{chance.randint(0, 1)},{chance.choice(cells)},{chance.choice(cells)}\n" for _ in range(count))


def same(one: channels.Channel, other: channels.Channel) -> bool:
    return np.array_equal(one.features, other.features, equal_nan=True) and np.array_equal(one.labels, other.labels)


def test_the_schemas_columns_are_known_by_name(tmp_path):
    channel = channels.read(folder(tmp_path, a_csv=ROW + "0,,43,1,1,\n"))
    assert channel.names == ["bi_rads", "age", "shape", "margin", "density"]
    assert channel.features.dtype == channel.labels.dtype == np.float32
    assert channel.labels.tolist() == [1, 0]
    assert np.isnan(channel.features).tolist() == [[False] * 5, [True, False, False, False, True]]
    assert channel.weights is None


def test_other_tables_have_numbered_columns_and_may_have_weights(tmp_path):
    channel = channels.read(folder(tmp_path, a_csv="1,0.5,7\n0,2,8\n"), weighted=True)
    assert (channel.names, channel.weights.tolist(), channel.features.tolist()) == (["3"], [0.5, 2], [[7], [8]])


def test_both_readers_agree(tmp_path, monkeypatch):
    place = folder(tmp_path, a_csv=many(5000).replace("\n", "\r\n"))
    slow = channels.read(place)
    monkeypatch.setattr(delimited, "LARGE", 1)
    monkeypatch.setattr(delimited, "_strict", None)
    assert same(channels.read(place), slow)


@pytest.mark.parametrize(
    "line",
    ["1,1_0,2", "1,2,3,", "1,nan,2", "1,-inf,2", "1,1e999,2", "1,two,2", "2,2,2", ",2,2", "1,2", "1,2,3,4", "1,é,2"],
)
def test_the_fast_reader_lets_nothing_through(tmp_path, monkeypatch, line):
    place = folder(tmp_path, a_csv=f"{many(3)}{line}\n{many(3)}")
    with pytest.raises(StepFailed, match=r"^a\.csv, row 4") as slow:
        channels.read(place)
    monkeypatch.setattr(delimited, "LARGE", 1)
    with pytest.raises(StepFailed) as fast:
        channels.read(place)
    assert str(fast.value) == str(slow.value)


def parquet(file: Path, query: str) -> None:
    duckdb.sql(query).write_parquet(str(file))


def test_parquet_gives_the_same_channel_with_its_own_names(tmp_path):
    text = many(500)
    csv = channels.read(folder(tmp_path, a_csv=text))
    (tmp_path / "table.csv").write_text(text)
    (tmp_path / "other").mkdir()
    parquet(
        tmp_path / "other" / "a.parquet",
        f"SELECT column0::TINYINT AS label, column1 AS left, column2::DECIMAL(9,3) AS right "
        f"FROM read_csv('{tmp_path}/table.csv', header = false)",
    )
    channel = channels.read(tmp_path / "other")
    assert channel.names == ["left", "right"]
    assert same(channel, csv)
    (tmp_path / "other" / "a.parquet").rename(tmp_path / "other" / "part-0")
    assert same(channels.read(tmp_path / "other", "application/x-parquet"), csv)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT 1 AS label, 'old' AS years", "a.parquet, row 1, column years: not a number."),
        ("SELECT 1 AS label, DATE '2026-01-01' AS years", "a.parquet, column years: DATE, not numbers."),
        ("SELECT 1 AS label, [1] AS years", "a.parquet, column years: nested values, not numbers."),
        ("SELECT 2 AS label, 1.0 AS years", "a.parquet, row 1, column label: not 0 or 1."),
        (
            "SELECT 1 AS label, 'inf'::DOUBLE AS years",
            "a.parquet, row 1, column years: infinite, or too large a number.",
        ),
        ("SELECT 1 AS label", "a.parquet: no feature beside the label."),
        ("SELECT 1 AS label, 1 AS years WHERE false", "channel train: no row in its files."),
        (None, "a.parquet: truncated, or not Parquet."),
    ],
)
def test_parquet_is_refused_by_place(tmp_path, query, said):
    place = folder(tmp_path)
    parquet(place / "a.parquet", query or "SELECT 1 AS label, range AS years FROM range(1000)")
    if query is None:
        content = (place / "a.parquet").read_bytes()
        (place / "a.parquet").write_bytes(content[: len(content) // 2])
    with pytest.raises(StepFailed) as failed:
        channels.read(place)
    assert str(failed.value) == said


@pytest.mark.parametrize(
    ("files", "content_type", "said"),
    [
        ({}, None, "channel train: no file with content."),
        ({"a_csv": ""}, None, "channel train: no file with content."),
        ({"a_csv": "\n\n"}, None, "channel train: no file with content."),
        ({"a_csv": "1\n"}, None, "a.csv: no feature beside the label."),
        ({"a_csv": ROW, "b_csv": "1,5\n"}, None, "b.csv, row 1: 2 columns where 6 belong."),
        (
            {"a_csv": "severity,age,b\n"},
            None,
            "a.csv, header line: columns bi_rads, shape, margin and density are missing; "
            "column b is not among the table's.",
        ),
        ({"a_csv": "1,1e39\n"}, None, "a.csv, row 1, column 2: infinite, or too large a number."),
        (
            {"a_csv": ROW},
            "application/x-recordio-protobuf",
            f"channel train: content type application/x-recordio-protobuf; {channels.KNOWN} are known.",
        ),
        (
            {"a_csv": ROW},
            "text/csv;label_size=2",
            "channel train: content type with another label_size than 1; there is one label.",
        ),
        ({"a_csv": ROW}, "application/x-parquet", "a.csv: truncated, or not Parquet."),
    ],
)
def test_what_is_wrong_is_named(tmp_path, files, content_type, said):
    with pytest.raises(StepFailed) as failed:
        channels.read(folder(tmp_path, **files), content_type)
    assert str(failed.value) == said


def test_a_regressions_label_may_be_any_number_but_not_missing(tmp_path):
    place = folder(tmp_path, a_csv="2.5,1\n-7,2\n")
    assert channels.read(place, "text/csv; label_size=1", check=PRESENT).labels.tolist() == [2.5, -7]
    (place / "a.csv").write_text("2.5,1\n,2\n")
    with pytest.raises(StepFailed, match=r"^a\.csv, row 2, column 1: missing\.$"):
        channels.read(place, check=PRESENT)


def test_of_several_hosts_one_may_have_no_rows(tmp_path):
    channel = channels.read(folder(tmp_path), may_be_empty=True)
    assert channel.features.shape == (0, 0)
    wide = channel.widened(5)
    assert wide.features.shape == (0, 5) and wide.names[0] == "bi_rads"
