import json
from array import array

import pytest

from steps.common.ubjson import DEEPEST, Broken, decode

TREE = b"{i\x07learnerSi\x01xi\x01a[$d#l\x00\x00\x00\x02" + b"\x3f\x80\x00\x00" * 2 + b"i\x01b[ZTFi\x05]i\x01c{}}"


def test_whole_objects():
    assert decode(TREE) == {"learner": "x", "a": array("f", [1, 1]), "b": [None, True, False, 5], "c": {}}
    assert decode(json.dumps({"learner": {"a": [1, 2]}}).encode()) == {"learner": {"a": [1, 2]}}
    assert decode(b"{}") == {}


@pytest.mark.parametrize("size", range(len(TREE)))
def test_no_beginning_of_an_object_is_whole(size):
    with pytest.raises(Broken):
        decode(TREE[:size])


def test_no_beginning_of_a_text_is_whole():
    text = json.dumps({"learner": {"a": [1, 2]}}).encode()
    for size in range(len(text)):
        with pytest.raises(Broken):
            decode(text[:size])


WRONG = {
    "more behind it": TREE + b"}",
    "an array": b"[]",
    "another format": b"\x89HDF",
    "deep": b"{" * 100_000,
    "deep arrays": b"{i\x01a" + b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1) + b"}",
    "deep text": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "a name cut": b"{i\xff",
    "a negative count": b"{i\x01a[$d#i\xff",
    "signs without end": b"{i\x01a[$Z#L\x7f" + b"\xff" * 7 + b"}",
    "numbers without end": b"{i\x01a[$d#L\x7f" + b"\xff" * 7 + b"}",
    "a member twice": b"{i\x01ai\x01i\x01ai\x02}",
    "a member twice in text": b'{"a": 1, "a": 2}',
    "a name that is no text": b"{i\x01\xffi\x01}",
}


@pytest.mark.parametrize("content", WRONG.values(), ids=WRONG)
def test_what_is_no_object_is_broken(content):
    with pytest.raises(Broken):
        decode(content)
