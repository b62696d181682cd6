"""No sentence counts one thing as several, and no share is rounded to nothing or to all."""

import pytest

from steps.common.text import count, percent


@pytest.mark.parametrize(("number", "expected"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows")])
def test_a_count_has_its_noun(number, expected):
    assert count(number, "row") == expected


def test_a_plural_of_its_own():
    assert [count(number, "batch", "batches") for number in (1, 3)] == ["1 batch", "3 batches"]


@pytest.mark.parametrize(
    ("share", "digits", "expected"),
    [
        (0, 1, "0.0 %"),
        (1, 1, "100.0 %"),
        (0.0004, 1, "less than 0.1 %"),
        (0.0006, 1, "0.1 %"),
        (0.9994, 1, "99.9 %"),
        (0.9996, 1, "more than 99.9 %"),
        (0.004, 0, "less than 1 %"),
        (0.996, 0, "more than 99 %"),
        (0.5, 0, "50 %"),
    ],
)
def test_a_share_is_only_nothing_or_all_where_it_is(share, digits, expected):
    assert percent(share, digits) == expected
