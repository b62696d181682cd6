"""Splits stay what they were, and the files are what training and the monitor read."""

import random

import numpy as np
import pytest

from steps.common.failure import StepFailed
from steps.common.schema import Schema
from steps.preprocess import table

SCHEMA = Schema.read()
NAN = float("nan")


def many(count: int, seed: int) -> np.ndarray:
    """Rows of five features, one in ten missing."""
    chance = random.Random(seed)
    return np.array([[NAN if chance.random() < 0.1 else chance.randint(1, 90) for _ in range(5)] for _ in range(count)])


def test_splits_are_those_of_the_first_day():
    rows = np.array([[4, age, 1, 1, NAN] for age in range(40, 60)] + [[1.5, NAN, NAN, NAN, NAN]])
    letters = "".join(name[1] for name in table.assign_splits(rows))
    assert letters == "errarearraeaeerrerera"  # tRain, vAlidation, tEst


def test_splits_take_their_shares():
    splits = table.assign_splits(many(20000, 1))
    for name, percent in table.SHARES.items():
        assert abs((splits == name).mean() - percent / 100) < 0.01


def test_a_split_depends_on_neither_order_nor_neighbours():
    rows = many(2000, 2)
    order = np.random.default_rng(0).permutation(len(rows))
    whole = table.assign_splits(rows)
    assert (table.assign_splits(rows[order]) == whole[order]).all()
    assert (table.assign_splits(rows[:700]) == whole[:700]).all()
    assert (table.assign_splits(np.concatenate([many(3000, 3), rows]))[3000:] == whole).all()


def test_equal_rows_stay_together_however_they_are_written(tmp_path):
    file = tmp_path / "part.csv"
    file.write_text('5,67,3,5,?,0\n5.0, 67,3e0,"5",,1\n')
    rows = table.read_labelled(file, SCHEMA)
    assert rows[:, -1].tolist() == [0, 1]
    assert len(set(table.assign_splits(np.repeat(rows[:, :-1], 200, axis=0)))) == 1


def test_values_outside_their_domain_become_missing_and_are_counted():
    rows = np.array([[55.0, 67, 3, 5, 3, 1], [0, 17, 1, 1, NAN, 0], [5, 67, 3, 5, 3, 1]])
    blanked, counts = table.blank_outside_domain(rows, SCHEMA)
    assert np.isnan(blanked).tolist() == [
        [True, False, False, False, False, False],
        [True, True, False, False, True, False],
        [False] * 6,
    ]
    assert counts == {"bi_rads": 2, "age": 1, "shape": 0, "margin": 0, "density": 0}
    assert rows[0, 0] == 55


def test_files_hold_the_label_first_and_the_shortest_decimals():
    rows = np.array([[5.0, 67.25, NAN, 5, 3, 1], [-0.0, 1e-7, 1e22, 0.1, NAN, 0]])
    assert table.label_first_csv(rows) == "1,5,67.25,,5,3\n0,0,1e-07,10000000000000000000000,0.1,\n"
    assert table.features_csv(rows[:, :-1], SCHEMA.names).splitlines()[:2] == [
        "bi_rads,age,shape,margin,density",
        "5,67.25,,5,3",
    ]
    assert table.label_first_csv(rows[:0]) == ""
    assert table.features_csv(rows[:0, :-1], SCHEMA.names) == "bi_rads,age,shape,margin,density\n"


def test_both_classes_and_every_split_are_needed():
    rows = np.array([[5.0, 67, 3, 5, 3, 1], [4, 43, 1, 1, 2, 1]])
    with pytest.raises(StepFailed, match="column severity: no row has the label 0; both classes are needed"):
        table.require_enough(rows, np.array(["train", "test"]), SCHEMA)
    rows[0, -1] = 0
    with pytest.raises(StepFailed, match="2 rows are too few, none falls to the split validation"):
        table.require_enough(rows, np.array(["train", "test"]), SCHEMA)
    table.require_enough(rows[[0, 1, 1]], np.array(["train", "test", "validation"]), SCHEMA)
