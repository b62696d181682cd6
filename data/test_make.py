"""The derived files are the same bytes everywhere, and hold what data/README.md promises."""

import hashlib
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from data import make

ROOT = Path(__file__).parent.parent
DERIVED = {
    "batches/clean.csv": "084f4df1cabe07cd223b5307869b86b019ef55f5b5a9419e0ce7a55fd7205f8f",
    "batches/shifted.csv": "dce470cdb79e109e15cce78adaf657609b4f14bec8cca8691e78a8226eb55d19",
    "labels/clean.csv": "1b67e50f6c132b887ba6924024cabaa797cbe8e2f21dbd061cd48b0bbfe79bab",
    "labelled/part-1.csv": "511ea679fea091dfc93a0f9019244623e4951a42198411f61488d27d45f77511",
    "labelled/part-2.csv": "b3b1d88e08c352c43296bd84a464e96db26896f705f1686498348ebb037f5c41",
}


def derived(out: Path) -> dict[str, list[list[str]]]:
    assert make.main(["--out", str(out)]) == 0
    files = sorted(file for file in out.rglob("*") if file.is_file())
    return {str(file.relative_to(out)): [line.split(",") for line in file.read_text().splitlines()] for file in files}


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, list[list[str]]]:
    return derived(tmp_path_factory.mktemp("data"))


def digests(out: Path) -> dict[str, str]:
    files = [file for file in out.rglob("*") if file.is_file()]
    return {str(file.relative_to(out)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.mark.parametrize("seed", ["0", "1"])
def test_the_command_writes_the_same_bytes_everywhere(tmp_path, seed):
    command = [sys.executable, "-m", "data.make", "--out", str(tmp_path / "out")]
    for _ in range(2):
        subprocess.run(command, cwd=ROOT, env={"PYTHONHASHSEED": seed}, check=True, capture_output=True)
        assert digests(tmp_path / "out") == DERIVED


def test_every_published_row_is_in_one_file(files):
    def features(rows: list[list[str]]) -> Counter:
        return Counter(tuple(row[:5]) for row in rows)

    published = features(make.read_table())
    unshifted = features(files["labelled/part-1.csv"] + files["labelled/part-2.csv"] + files["batches/clean.csv"])
    assert unshifted <= published
    assert (published - unshifted).total() == len(files["batches/shifted.csv"]) == 48


def test_labelled_parts_have_a_label_and_batches_have_none(files):
    sizes = {name: (len(rows), {len(row) for row in rows}) for name, rows in files.items()}
    assert sizes == {
        "labelled/part-1.csv": (600, {6}),
        "labelled/part-2.csv": (265, {6}),
        "batches/clean.csv": (48, {5}),
        "batches/shifted.csv": (48, {5}),
        "labels/clean.csv": (48, {1}),
    }
    assert (
        {row[5] for row in files["labelled/part-1.csv"]}
        == {row[5] for row in files["labelled/part-2.csv"]}
        == {"0", "1"}
    )


def test_the_clean_batchs_labels_are_those_of_its_rows(files):
    shuffled = make.read_table()
    make.random.Random(make.SEED).shuffle(shuffled)
    joined = [[*row, *label] for row, label in zip(files["batches/clean.csv"], files["labels/clean.csv"], strict=True)]
    assert joined == shuffled[:48]


def test_labels_of_a_scored_batch_come_in_part_and_one_twice():
    header, *told = make.ground_truth("clean-0123456789ab", ["0", "1"] * 5)
    assert header == ["batch", "row", "label"]
    rows = [int(row) for _, row, _ in told]
    assert rows == [1, 2, 3, 4, 5, 6, 7, 9, 10, 1]
    assert all(batch == "clean-0123456789ab" and label == str((int(row) + 1) % 2) for batch, row, label in told)


def before_the_shift(files) -> list[list[str]]:
    shuffled = make.read_table()
    make.random.Random(make.SEED).shuffle(shuffled)
    assert [row[:5] for row in shuffled[:48]] == files["batches/clean.csv"]
    return [row[:5] for row in shuffled[48:96]]


def test_the_shifted_batch_is_shifted_and_not_merely_missing(files):
    before, after = before_the_shift(files), files["batches/shifted.csv"]
    typed_twice = 0
    for number, (old, new) in enumerate(zip(before, after, strict=True)):
        assert [cell == "?" for cell in old[1:]] == [cell == "?" for cell in new[1:]] or number % 8 == 0
        assert new[1] == "?" or int(new[1]) == int(old[1]) + 15
        assert new[3] == "?" or int(new[3]) + int(old[3]) == 6
        assert new[4] == old[4]
        typed_twice += new[0] != old[0] or new[2] != old[2]
        assert number % 8 == 0 or (new[0], new[2]) == (old[0], old[2])
    assert typed_twice == 6


def test_typing_errors_lie_outside_their_domain_and_the_clean_batch_has_none(files):
    columns = json.loads((ROOT / "steps/common/schema.json").read_text())["columns"]

    def outside(rows: list[list[str]], position: int) -> list[str]:
        allowed = {str(value) for value in columns[position]["values"]} | {"?"}
        return [row[position] for row in rows if row[position] not in allowed]

    assert len(outside(files["batches/shifted.csv"], 0) + outside(files["batches/shifted.csv"], 2)) == 6
    assert set(outside(files["batches/clean.csv"], 0)) <= {"0", "6"}
    assert outside(files["batches/clean.csv"], 2) == []


def test_a_table_that_is_not_the_published_one_gives_nothing(tmp_path, monkeypatch, capsys):
    damaged = tmp_path / "mammographic_masses.data"
    damaged.write_bytes(make.TABLE.read_bytes()[:-1])
    read = make.read_table
    monkeypatch.setattr(make, "read_table", lambda: read(damaged))
    assert make.main(["--out", str(tmp_path / "out")]) == 1
    assert capsys.readouterr().err == f"{damaged}: its SHA-256 isn't that of the published table.\n"
    assert not (tmp_path / "out").exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path, capsys):
    (tmp_path / "out").write_text("a file where a folder belongs")
    assert make.main(["--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and f"{tmp_path / 'out'}" in said


def test_the_table_is_shipped_with_its_attribution_and_flaws():
    text = (ROOT / "data" / "README.md").read_text()
    assert make.SHA256 in text
    for said in ("Elter, M. (2007)", "https://doi.org/10.24432/C53K6Z", "CC BY 4.0"):
        assert said in text
    rows = make.read_table()
    assert Counter(row[5] for row in rows) == {"0": 516, "1": 445}
    assert [sum(row[column] == "?" for row in rows) for column in range(5)] == [2, 5, 31, 48, 76]
    assert {value: sum(row[0] == value for row in rows) for value in ("55", "0", "6")} == {"55": 1, "0": 5, "6": 11}
    kinds = Counter(map(tuple, rows))
    assert (len(rows) - len(kinds), sum(count for count in kinds.values() if count > 1)) == (272, 440)
