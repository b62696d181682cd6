"""Tables are read in every usual form, and refused by file, row and column in every broken one."""

import math

import pytest

from steps.common import table
from steps.common.failure import StepFailed

NAMES = ("age", "shape", "severity")
ALLOWED = {"severity": (0.0, 1.0)}


def read(tmp_path, content: bytes) -> list[float]:
    file = tmp_path / "part.csv"
    file.write_bytes(content)
    return table.read(file, NAMES, "?", ALLOWED).tolist()


@pytest.mark.parametrize(
    "content",
    [
        b"67,3,1\n43,1,0\n",
        b"67,3,1\n43,1,0",
        b"67,3,1\r\n43,1,0\r\n",
        b"67,3,1\r43,1,0\r",
        b"\xef\xbb\xbf67,3,1\n43,1,0\n",
        b'"67","3","1"\n43,"1",0\n',
        b" 67, 3 ,1\n43,1,0 \n",
        b"\n67,3,1\n\n\n43,1,0\n\n",
        b"67.0,+3,1e0\n4.3e1,1,0.0\n",
    ],
    ids=["plain", "no final newline", "CRLF", "CR", "BOM", "quoted", "spaces", "blank lines", "decimals"],
)
def test_usual_forms_are_the_same_table(tmp_path, content):
    assert read(tmp_path, content) == [67, 3, 1, 43, 1, 0]


def test_missing_is_empty_or_the_sign(tmp_path):
    numbers = read(tmp_path, b"?,,1\n ? , ,0\n")
    assert [math.isnan(number) for number in numbers] == [True, True, False] * 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "part.csv: the file is empty."),
        (b"\n \n", "part.csv, row 2: 1 column where 3 belong."),
        (b"\n\r\n", "part.csv: the file is empty."),
        (b"67,3,1\n43,1\n", "part.csv, row 2: 2 columns where 3 belong."),
        (b"67,3,1\n\n43,1,0,\n", "part.csv, row 3: 4 columns where 3 belong."),
        (b"age,shape,severity\n67,3,1\n", "part.csv, row 1: a header line, where none belongs."),
        (b"67,3,1\nage,shape,severity\n", "part.csv, row 2, column age: not a number."),
        (b"67,three,1\n", "part.csv, row 1, column shape: not a number."),
        (b"67,nan,1\n", "part.csv, row 1, column shape: not a number."),
        (b"inf,3,1\n", "part.csv, row 1, column age: not a number."),
        (b"1e999,3,1\n", "part.csv, row 1, column age: not a number."),
        (b"6_7,3,1\n", "part.csv, row 1, column age: not a number."),
        (b"0x43,3,1\n", "part.csv, row 1, column age: not a number."),
        ("٦٧,3,1\n".encode(), "part.csv, row 1, column age: not a number."),
        (b"67\0,3,1\n", "part.csv, row 1, column age: not a number."),
        (b"67,3,2\n", "part.csv, row 1, column severity: not 0 or 1."),
        (b"67,3,\n", "part.csv, row 1, column severity: not 0 or 1."),
        (b"67,3,1\n4\xe9,1,0\n", "part.csv, row 2: not UTF-8 text."),
        ("67,3,1\n".encode("utf-16"), "part.csv, row 1: not UTF-8 text."),
        (b'67,3,1\n"43,1,0\n', "part.csv, row 2: 1 column where 3 belong."),
        (b'67,3,1\n"43,1,0\n' + b"43,1,0\n" * 50000, "part.csv, row 2: not readable as CSV; a quote isn't closed."),
        (b'67,"3\n",1\n43,1,x\n', "part.csv, row 3, column severity: not a number."),
        (b"67,3,1\n" + b"4" * (table.LONGEST_LINE + 1), "part.csv, row 2: the line is longer than 1048576 characters."),
    ],
)
def test_what_is_broken_is_named_by_its_place(tmp_path, content, said):
    with pytest.raises(StepFailed) as failed:
        read(tmp_path, content)
    assert str(failed.value) == said


def test_a_line_without_end_is_not_read_to_its_end(tmp_path):
    file = tmp_path / "part.csv"
    with file.open("wb") as stream:
        stream.truncate(1 << 33)
    with pytest.raises(StepFailed, match="row 1: the line is longer"):
        table.read(file, NAMES)


@pytest.mark.parametrize(
    ("content", "width"),
    [(b"1,2,3\n4\n", 3), (b"\n\n1,2", 2), (b"", 1), (b"\xff\xfe1,2", 1), (b'"', 1)],
)
def test_the_first_row_says_how_wide_a_file_is(tmp_path, content, width):
    file = tmp_path / "part.csv"
    file.write_bytes(content)
    assert table.width(file) == width
