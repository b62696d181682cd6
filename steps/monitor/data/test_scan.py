"""One pass gives the same sketch whichever encoding it takes, in memory that doesn't grow."""

import gzip
import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from steps.monitor.conftest import NAMES, WIDE, measurements, patients
from steps.monitor.data import duckdb_source, histograms, sample, scan
from steps.monitor.data.duckdb_source import Source
from steps.monitor.data.histograms import Numbers, Table, Texts


def source(*files: Path, names=NAMES, text=(), **more) -> Source:
    kinds = {name: "text" if name in text else "number" for name in names}
    return Source(files, tuple(names), kinds, ("", "?"), **more)


def write(file: Path, rows) -> Path:
    file.write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
    return file


def same(one: Table, two: Table) -> bool:
    assert one.rows == two.rows and one.columns.keys() == two.columns.keys()
    for name, column in one.columns.items():
        other = two.columns[name]
        if isinstance(column, Texts):
            assert column == other
            continue
        assert isinstance(other, Numbers) and column.bits == other.bits
        assert (column.keys == other.keys).all() and (column.counts == other.counts).all()
        assert (column.missing, column.mistyped, column.fractional) == (
            other.missing,
            other.mistyped,
            other.fractional,
        )
        for field in ("count", "mean", "squares", "minimum", "maximum"):
            assert getattr(column.moments, field) == pytest.approx(getattr(other.moments, field), rel=1e-9)
    return True


@pytest.fixture(scope="module")
def mixed(tmp_path_factory) -> Source:
    folder = tmp_path_factory.mktemp("mixed")
    file = write(folder / "mixed.csv", measurements(60_000))
    return source(file, names=WIDE, text=("who", "group"))


def test_lines_and_cells_give_the_same(tmp_path, monkeypatch):
    file = write(tmp_path / "rows.csv", patients(30_000, 3))
    by_line = scan.scan(source(file))
    monkeypatch.setattr(scan, "_lines", lambda *_: None)
    assert same(by_line, scan.scan(source(file)))


def test_lines_are_taken_only_where_they_repeat(tmp_path, mixed):
    file = write(tmp_path / "rows.csv", patients(30_000, 3))
    packed = tmp_path / "rows.csv.gz"
    packed.write_bytes(gzip.compress(file.read_bytes()))
    assert scan.lines_repeat(source(file)) and scan.lines_repeat(source(packed))
    assert not scan.lines_repeat(mixed) and not scan.lines_repeat(source(file, mixed.files[0]))
    packed.write_bytes(packed.read_bytes()[: scan.LOOKED_AT // 4])
    assert not scan.lines_repeat(source(packed))


def test_lines_that_repeat_only_at_the_ends_change_nothing(tmp_path, monkeypatch):
    """Where the looks deceive, every different line is counted all the same, and the sketch is cut as ever."""
    same_line, others = "4,50,1,1,3\n", [f"4,50,1,1,{n}.5\n" for n in range(80_000)]
    file = tmp_path / "rows.csv"
    file.write_text(same_line * 20_000 + "".join(others[:40_000]) + same_line * 50_000 + "".join(others[40_000:]))
    assert scan.lines_repeat(source(file))
    by_line = scan.scan(source(file))
    assert by_line.rows == 150_000
    monkeypatch.setattr(scan, "lines_repeat", lambda _: False)
    assert same(by_line, scan.scan(source(file)))


def test_rows_of_a_parquet_file_and_its_cells_give_the_same(tmp_path, monkeypatch):
    lines = write(tmp_path / "rows.csv", patients(30_000, 3))
    file = tmp_path / "rows.parquet"
    columns = "{" + ", ".join(f"'{name}': 'BIGINT'" for name in NAMES) + "}"
    with duckdb_source.connect() as engine:
        csv = f"read_csv('{lines}', columns = {columns}, header = false, nullstr = '?')"
        engine.execute(f"COPY (FROM {csv}) TO '{file}'")
    monkeypatch.setattr(scan, "SMALL", 0)
    one = replace(source(lines), files=(file,), format="parquet", types=dict.fromkeys(NAMES, "BIGINT"))
    several = replace(one, files=(file, file))
    with duckdb_source.connect() as engine:
        assert scan._rows(engine, one)
    with duckdb_source.connect() as engine:
        assert scan._rows(engine, several) is None
    by_row = scan.scan(one)
    assert by_row.rows == 30_000 and scan.scan(several).rows == 60_000
    monkeypatch.setattr(scan, "_rows", lambda *_: None)
    assert same(by_row, scan.scan(one)) and same(by_row, scan.scan(source(lines)))


@pytest.mark.parametrize("odd", ['"4",50,1,1,3', '"4","5\n0",1,1,3', "4 , 50,1 ,1,\t3"])
def test_an_odd_line_late_in_the_file_changes_nothing(tmp_path, monkeypatch, odd):
    file = write(tmp_path / "rows.csv", patients(30_000, 3))
    with file.open("a", newline="") as stream:
        stream.write(odd + "\n")
    by_line = scan.scan(source(file))
    monkeypatch.setattr(scan, "SMALL", 1 << 40)
    assert same(by_line, scan.scan(source(file)))
    assert by_line.rows == 30_001


def test_many_values_give_the_same_whether_they_were_foreseen_or_not(mixed, monkeypatch):
    foreseen = scan.scan(mixed)
    who = foreseen.columns["who"]
    assert isinstance(who, Texts) and who.hashed and len(who.counts) == histograms.HASH_BUCKETS
    monkeypatch.setattr(scan, "SMALL", 1 << 40)
    assert same(foreseen, scan.scan(mixed))
    monkeypatch.setattr(scan, "MAX_GROUPS", 5_000)
    assert same(foreseen, scan.scan(mixed))


def test_different_texts_are_counted_within_a_tenth(mixed):
    who = scan.scan(mixed).columns["who"]
    exact = len({row[2] for row in measurements(60_000)})
    assert isinstance(who, Texts) and who.distinct == pytest.approx(exact, rel=0.1)


def test_metrics_are_those_of_numpy(mixed):
    table = scan.scan(mixed)
    rows = measurements(60_000)
    dose = np.array([row[0] for row in rows if row[0] != "?"], dtype=float)
    column = table.columns["dose"]
    assert isinstance(column, Numbers)
    assert column.missing == 60_000 - len(dose)
    assert column.moments.mean == pytest.approx(dose.mean(), rel=1e-12)
    assert column.moments.deviation == pytest.approx(dose.std(), rel=1e-12)
    assert (column.moments.minimum, column.moments.maximum) == (dose.min(), dose.max())
    assert column.fractional == int((dose != np.floor(dose)).sum())
    keys, counts = np.unique(histograms.truncate(dose, column.bits), return_counts=True)
    assert (keys == column.keys).all() and (counts == column.counts).all()
    assert len(keys) <= histograms.MAX_KEYS < len(np.unique(histograms.truncate(dose, column.bits + 1)))
    age = table.columns["age"]
    assert isinstance(age, Numbers) and age.mistyped == sum(row[4] == "n/a" for row in rows)


def test_all_formats_give_the_same(mixed, tmp_path):
    expected = scan.scan(mixed)
    path = duckdb_source.text(str(mixed.files[0]))
    with duckdb_source.connect(ordered=True) as engine:
        columns = "{" + ", ".join(f"'{name}': 'VARCHAR'" for name in WIDE) + "}"
        csv = f"read_csv({path}, columns = {columns}, header = false, nullstr = '?')"
        engine.execute(f"COPY (FROM {csv}) TO '{tmp_path}/rows.jsonl' (FORMAT json)")
        typed = 'dose::DOUBLE AS dose, id::BIGINT AS id, who, "group", age'
        engine.execute(f"COPY (SELECT {typed} FROM {csv}) TO '{tmp_path}/rows.parquet'")
    (tmp_path / "rows.csv.gz").write_bytes(gzip.compress(mixed.files[0].read_bytes(), 1))
    types = {"dose": "DOUBLE", "id": "BIGINT", "who": "VARCHAR", "group": "VARCHAR", "age": "VARCHAR"}
    for file, more in (
        ("rows.jsonl", {"format": "json"}),
        ("rows.parquet", {"format": "parquet", "types": types}),
        ("rows.csv.gz", {}),
    ):
        found = scan.scan(replace(mixed, files=(tmp_path / file,), **more))
        assert same(expected, found), file


def test_a_number_is_what_everybody_reads_as_one(tmp_path):
    cells = [
        "5",
        " 5 ",
        "5.0",
        "+5",
        "5e0",
        "1_0",
        "0x10",
        "five",
        "nan",
        "inf",
        "-Infinity",
        "",
        "?",
        " ? ",
        "٣",
        "1e999",
    ]
    file = write(tmp_path / "cells.csv", [[cell, 1] for cell in cells])
    column = scan.scan(source(file, names=("a", "b"))).columns["a"]
    assert isinstance(column, Numbers)
    assert (column.keys.tolist(), column.counts.tolist()) == ([5.0], [5])
    assert (column.missing, column.mistyped) == (3, 8)


def test_minus_zero_is_zero(tmp_path):
    file = write(tmp_path / "cells.csv", [["0", 1], ["-0", 1], ["-0.0", 1]])
    column = scan.scan(source(file, names=("a", "b"))).columns["a"]
    assert isinstance(column, Numbers) and column.counts.tolist() == [3]


def test_a_long_text_is_stored_as_its_hash(tmp_path):
    file = write(tmp_path / "cells.csv", [["x" * 5000, 1], ["y", 1]])
    column = scan.scan(source(file, names=("a", "b"), text=("a",))).columns["a"]
    assert isinstance(column, Texts) and all(len(value) < 50 for value in column.counts)


def test_hashes_are_the_same_in_sql_and_in_python():
    values = ["", "a", "é", "x" * 300, *(f"patient {number}" for number in range(5_000))]
    with duckdb_source.connect(ordered=True) as engine:
        engine.execute("CREATE TABLE texts AS SELECT unnest(?) AS value", [values])
        found = engine.execute(f"SELECT {scan._cell_of('value')} FROM texts").fetchall()
    assert [cell for (cell,) in found] == [histograms.cell_of(value) for value in values]


def test_hundreds_of_columns(tmp_path):
    names = tuple(f"c{i}" for i in range(300))
    for modulus in (7, 9973):
        file = write(tmp_path / "wide.csv", [[i * j % modulus for i in range(300)] for j in range(500)])
        table = scan.scan(source(file, names=names))
        assert table.rows == 500 and len(table.columns) == 300


@pytest.mark.parametrize("name", ["a[1].csv", "b*.csv", "it's.csv", "year=2026.csv", "sp ace.csv"])
def test_any_name_of_a_file(tmp_path, name):
    assert scan.scan(source(write(tmp_path / name, patients(5, 1)))).rows == 5


def test_rows_are_named_by_their_number(tmp_path):
    one = write(tmp_path / "one.csv", [[1, 2], [3, "x"], ["", 4]])
    two = write(tmp_path / "two.csv", [["?", 4], [9, 9]])
    given = source(one, two, names=("a", "b"), folder=tmp_path)
    assert scan.rows_where(given, 0, "cell IS NULL", 9) == [("one.csv", 3, None), ("two.csv", 1, None)]
    assert scan.rows_where(given, 1, "cell IS NOT NULL AND number IS NULL", 9) == [("one.csv", 2, "x")]
    assert scan.rows_where(given, 0, "number > 0", 2) == [("one.csv", 1, "1"), ("one.csv", 2, "3")]


def test_the_draw_is_uniform_and_the_same_every_time(tmp_path):
    rows = [[i, 1] for i in range(100_000)]
    given = source(write(tmp_path / "rows.csv", rows), names=("a", "b"))
    drawn = sample.draw(given)
    assert drawn == sample.draw(given) and len({each.cells for each in drawn}) == sample.ROWS
    positions = np.sort([int(each.cells[0] or 0) for each in drawn]) / 100_000
    # Kolmogorov and Smirnov's statistic: 1.95 / sqrt(n) is passed by chance once in a thousand.
    gap = np.abs(positions - (np.arange(sample.ROWS) + 0.5) / sample.ROWS).max()
    assert gap < 1.95 / math.sqrt(sample.ROWS)


def test_of_parquet_files_only_the_rows_that_count_are_read(tmp_path):
    """All files' draw is what each file's own draw would give, and takes its rows from few row groups."""
    files = []
    for number in range(6):
        files.append(tmp_path / f"{number}.parquet")
        with duckdb_source.connect() as engine:
            rows = f"SELECT {number} AS a, range AS b FROM range({20_000 + 5_000 * number})"
            engine.execute(f"COPY ({rows}) TO '{files[-1]}' (FORMAT parquet, ROW_GROUP_SIZE 2048)")
    given = source(*files, names=("a", "b"), format="parquet", types={"a": "BIGINT", "b": "BIGINT"})
    drawn = sample.draw(given)
    assert drawn == sample.merged(sample.draw(replace(given, files=(file,))) for file in files)
    assert len({each.cells for each in drawn}) == sample.ROWS
    groups = {(each.cells[0], int(each.cells[1] or 0) // 2048) for each in drawn}
    assert len(groups) <= 2 * len(files) + sample.GROUPS


def test_a_small_row_group_is_no_likelier_to_come_early():
    sizes = np.array([5_000, 500, 5_000])
    early = [sample._positions(np.random.default_rng(seed), sizes)[1][:20] for seed in range(600)]
    share = np.mean([((positions >= 5_000) & (positions < 5_500)).mean() for positions in early])
    # Twenty rows are of one group, so that there are 600 throws: the bounds are three deviations wide.
    assert abs(share - 500 / 10_500) < 3 * math.sqrt(500 / 10_500 / 600)


def test_draws_of_files_of_different_sizes_merge_in_proportion(tmp_path):
    big = write(tmp_path / "big.csv", [["big", 1]] * 90_000)
    small = write(tmp_path / "small.csv", [["small", 1]] * 10_000)
    drawn = sample.draw(source(big, small, names=("a", "b"), text=("a",)))
    share = sum(each.cells[0] == "small" for each in drawn) / len(drawn)
    assert share == pytest.approx(0.1, abs=0.05)


def test_a_compressed_file_and_a_parquet_file_are_drawn_from_as_well(tmp_path):
    file = write(tmp_path / "rows.csv", [[i, i % 7] for i in range(100_000)])
    (tmp_path / "rows.gz").write_bytes(gzip.compress(file.read_bytes(), 1))
    with duckdb_source.connect(ordered=True) as engine:
        engine.execute(
            f"COPY (SELECT column0 AS a, column1 AS b FROM read_csv('{file}')) TO '{tmp_path}/rows.parquet' "
            "(ROW_GROUP_SIZE 2048)"
        )
    types = {"a": "BIGINT", "b": "BIGINT"}
    for name, more in (("rows.gz", {}), ("rows.parquet", {"format": "parquet", "types": types})):
        drawn = sample.draw(source(tmp_path / name, names=("a", "b"), **more))
        assert len(drawn) == sample.ROWS
        positions = np.sort([int(each.cells[0] or 0) for each in drawn]) / 100_000
        assert np.abs(positions - (np.arange(sample.ROWS) + 0.5) / sample.ROWS).max() < 0.08


def test_what_was_spilled_is_removed_at_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / f"monitor-{os.getpid()}").mkdir()
    (tmp_path / f"monitor-{os.getpid()}" / "spilled").write_text("rows")
    duckdb_source.remove_spilled()
    duckdb_source.remove_spilled()
    assert list(tmp_path.iterdir()) == []
