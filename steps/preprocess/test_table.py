"""Splits stay what they were, and the lines are what training and the monitor read."""

import random

import numpy as np
import pytest

from steps.common import reader
from steps.common.schema import Schema
from steps.preprocess import table

SCHEMA = Schema.of(
    {
        "columns": [
            {"name": "bi_rads", "kind": "ordinal", "values": [1, 2, 3, 4, 5]},
            {"name": "age", "kind": "numeric", "minimum": 18, "maximum": 110},
            {"name": "shape", "kind": "categorical", "values": [1, 2, 3, 4]},
            {"name": "margin", "kind": "ordinal", "values": [1, 2, 3, 4, 5]},
            {"name": "density", "kind": "numeric"},
        ],
        "label": {"name": "severity", "values": [0, 1]},
        "missing": "?",
    }
)
NAN = float("nan")
NAMES = list(table.SHARES)


def many(count: int, seed: int, most: float = 90) -> np.ndarray:
    """Rows of five features and a label, one cell in ten missing."""
    chance = random.Random(seed)

    def cell() -> float:
        return NAN if chance.random() < 0.1 else chance.randint(1, 90) if most == 90 else chance.uniform(0, most)

    return np.array([[*(cell() for _ in range(5)), chance.randint(0, 1)] for _ in range(count)])


def splits(rows: np.ndarray) -> list[str]:
    found = table.split(rows, SCHEMA)
    return [NAMES[place] for place in found.names[found.of]]


def test_splits_are_those_of_the_first_day():
    rows = np.array([[4, age, 1, 1, NAN, 0] for age in range(40, 60)] + [[1.5, NAN, NAN, NAN, NAN, 1]])
    assert "".join(name[1] for name in splits(rows)) == "errarearraeaeerrerera"  # tRain, vAlidation, tEst


def test_splits_take_their_shares():
    found = splits(many(20000, 1))
    for name, percent in table.SHARES.items():
        assert abs(found.count(name) / len(found) - percent / 100) < 0.01


@pytest.mark.parametrize("most", [90, 1e-3])
def test_a_split_depends_on_neither_order_nor_neighbours(most):
    rows = many(2000, 2, most)
    order = np.random.default_rng(0).permutation(len(rows))
    whole = splits(rows)
    assert splits(rows[order]) == [whole[place] for place in order]
    assert splits(rows[:700]) == whole[:700]
    assert splits(np.concatenate([many(3000, 3, 1e9), rows]))[3000:] == whole


@pytest.mark.parametrize("most", [90, 1e9])
def test_distinct_rows_are_found_whatever_the_values(most):
    rows = many(500, 4, most)[np.random.default_rng(1).integers(0, 500, 3000)]
    first, of = table.distinct(rows)
    assert np.array_equal(rows[first][of], rows, equal_nan=True)
    assert len(first) == len({tuple(str(cell) for cell in row) for row in rows.tolist()})
    assert (np.diff(np.unique(first)) > 0).all()


def test_equal_rows_stay_together_however_they_are_written(tmp_path):
    (tmp_path / "part.csv").write_text('5,67,3,5,?,0\n5.0, 67,3e0,"5",,1\n')
    rows = reader.read(reader.listed(tmp_path), SCHEMA.layout([*SCHEMA.names, SCHEMA.label]))
    assert rows[:, -1].tolist() == [0, 1]
    assert len(set(splits(rows))) == 1
    assert len(set(table.split(rows, SCHEMA).hashes.tolist())) == 1


def test_values_outside_their_domain_become_missing_and_are_counted():
    rows = np.array([[55.0, 67, 3, 5, 3, 1], [0, 17, 1, 1, NAN, 0], [5, 67, 3, 5, 3, 1], [55, 67, 3, 5, 3, 1]])
    found = table.split(rows, SCHEMA)
    assert [found.labels[place] + "," + found.lines[place] for place in found.of] == [
        "1,,67,3,5,3", "0,,,1,1,", "1,5,67,3,5,3", "1,,67,3,5,3",
    ]  # fmt: skip
    assert found.outside.tolist() == [3, 1, 0, 0, 0]
    assert found.missing.tolist() == [3, 1, 0, 0, 1]


def test_lines_hold_the_label_first_and_the_shortest_decimals():
    rows = np.array([[5.0, 67.25, NAN, 5, 1e22, 1], [-0.0, NAN, NAN, NAN, 1e-7, 0], [5, 67.25, NAN, 5, 1e22, 1]] * 20)
    found = table.split(rows, SCHEMA)
    whole = "".join(found.label_first(name) for name in NAMES).splitlines()
    assert sorted(set(whole)) == ["0,,,,,1e-07", "1,5,67.25,,5,10000000000000000000000"]
    assert len(whole) == 60 == sum(found.counts().values())
    for name in NAMES:
        assert found.features(name) == "".join(f"{line[2:]}\n" for line in found.label_first(name).splitlines())
    assert table.split(rows[:0], SCHEMA).label_first("train") == ""


def test_text_is_written_as_text_and_what_nobody_knows_is_missing():
    schema = Schema.of(
        {
            "columns": [
                {"name": "sex", "kind": "categorical", "values": ["male", 'fe"male']},
                {"name": "size", "kind": "ordinal", "values": ["a, b", "c"]},
            ],
            "label": {"name": "ill", "values": [0, 1]},
        }
    )
    rows = np.array([[0, 0, 1], [1, 1, 0], [2, NAN, 0], [3, 1, 0]])
    texts = {"sex": ["male", 'fe"male', "Male", "x"], "size": ["a, b", "c"]}
    found = table.split(rows, schema, texts)
    assert found.lines[found.of].tolist() == ['male,"a, b"', '"fe""male",c', ",", ",c"]
    assert (found.outside.tolist(), found.missing.tolist()) == ([2, 0], [2, 1])
    # What is hashed is the text, known or not: it doesn't depend on what else was met.
    alone = table.split(np.array([[2.0, 1, 0]]), schema, texts | {"sex": ["male", 'fe"male', "x"]})
    assert alone.hashes[0] == found.hashes[found.of[3]]
