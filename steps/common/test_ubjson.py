import json

import pytest

from steps.common.ubjson import is_whole

TREE = b"{i\x07learnerSi\x01xi\x01a[$d#l\x00\x00\x00\x02" + b"\x00" * 8 + b"i\x01b[ZTFi\x05]i\x01c{}}"


def test_whole_objects():
    assert is_whole(TREE)
    assert is_whole(json.dumps({"learner": {"a": [1, 2]}}).encode())
    assert is_whole(b"{}")


@pytest.mark.parametrize("size", range(len(TREE)))
def test_no_beginning_of_an_object_is_whole(size):
    assert not is_whole(TREE[:size])


def test_no_beginning_of_a_text_is_whole():
    text = json.dumps({"learner": {"a": [1, 2]}}).encode()
    assert not any(is_whole(text[:size]) for size in range(len(text)))


@pytest.mark.parametrize("content", [TREE + b"}", b"[]", b"\x89HDF", b"{" * 100_000, b"{i\xff", b"{i\x01a[$d#i\xff"])
def test_what_is_no_object_is_not_whole(content):
    assert not is_whole(content)
