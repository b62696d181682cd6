"""Tables are read in every usual form, and refused by file, row and column in every broken one."""

import gzip
import json
import math

import pytest

np = pytest.importorskip("numpy")

from steps.common import delimited, reader  # noqa: E402
from steps.common.failure import StepFailed  # noqa: E402
from steps.common.layout import Layout, one_of  # noqa: E402

NAMES = ("age", "shape", "severity")
LAYOUT = Layout(NAMES, "?", {"severity": one_of((0.0, 1.0))})
NAN = math.nan


def read(tmp_path, content: bytes, layout: Layout = LAYOUT, name: str = "part.csv") -> list[list[float]]:
    file = tmp_path / "data" / name
    file.parent.mkdir(exist_ok=True, parents=True)
    file.write_bytes(content)
    return reader.read(reader.listed(tmp_path / "data"), layout).tolist()


def refusal(tmp_path, content: bytes, layout: Layout = LAYOUT, name: str = "part.csv") -> str:
    with pytest.raises(StepFailed) as failed:
        read(tmp_path, content, layout, name)
    return str(failed.value)


@pytest.mark.parametrize(
    "content",
    [
        b"67,3,1\n43,1,0\n",
        b"67,3,1\n43,1,0",
        b"67,3,1\r\n43,1,0\r\n",
        b"67,3,1\r43,1,0\r",
        b"67,3,1\r\n43,1,0\n",
        b"\xef\xbb\xbf67,3,1\n43,1,0\n",
        b'"67","3","1"\n43,"1",0\n',
        b" 67, 3 ,1\n43,1,0 \n",
        b"\n67,3,1\n\n\n43,1,0\n\n",
        b"67.0,+3,1e0\n4.3e1,1,0.0\n",
        b"age,shape,severity\n67,3,1\n43,1,0\n",
        b"\xef\xbb\xbf\nseverity,shape,age\r\n1,3,67\r\n0,1,43\r\n",
        b'"shape","severity" ,age\n3,1,67\n1,0,43\n',
        b",age,shape,severity\n0,67,3,1\n1,43,1,0\n",
        b"Unnamed: 0,age,shape,severity\n0,67,3,1\n1,43,1,0\n",
        gzip.compress(b"67,3,1\n43,1,0\n"),
        gzip.compress(b"67,3,1\n") + gzip.compress(b"43,1,0\n"),
        b'{"age": 67, "shape": 3, "severity": 1}\n{"severity": 0, "shape": "1", "age": 43}\n',
        b'\xef\xbb\xbf{"age": 67, "shape": 3, "severity": true}\r\n\r\n{"severity": 0, "shape": 1.0, "age": 43}',
        b'[{"age": 67, "shape": 3, "severity": 1},\n {"severity": 0, "shape": 1, "age": 43}]',
        gzip.compress(b'{"age": 67, "shape": 3, "severity": 1}\n{"severity": 0, "shape": 1, "age": 43}\n'),
    ],
)
def test_usual_forms_are_the_same_table(tmp_path, content):
    assert read(tmp_path, content) == [[67, 3, 1], [43, 1, 0]]


@pytest.mark.parametrize(
    "content",
    [
        b"?,,1\n ? , ,0\n",
        b'{"age": null, "shape": "?", "severity": 1}\n{"severity": 0}\n{"age": 1, "shape": 1, "severity": 0}\n',
        b'{"severity": 1}\n{"age": "", "severity": 0, "shape": null}\n{"age": 1, "severity": 0, "shape": 1}\n',
    ],
)
def test_missing_is_empty_the_sign_null_or_no_key(tmp_path, content):
    assert np.isnan(read(tmp_path, content)[:2]).tolist() == [[True, True, False]] * 2


ROW = '{"age": 1, "shape": 1, "severity": 0}\n'
EXPECTED = 'one object a line is expected, such as {"age": …, "shape": …}'


WHOLE = "holds whole columns or a nested table"
CUT = "not readable as JSON; the object goes on in the next line, or is cut off"
NAMED = ", header line: column"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\n , \n67,3,1\n", ", row 2: 2 columns where 3 belong."),
        (b"67,3,1\n43,1\n", ", row 2: 2 columns where 3 belong."),
        (b"67,3,1\n\n43,1,0,\n", ", row 3: 4 columns where 3 belong."),
        (b"67,3,1\nage,shape,severity\n", ", row 2, column age: not a number."),
        (b"67,three,1\n", ", row 1, column shape: not a number."),
        (b"67,nan,1\n", ", row 1, column shape: not a number."),
        (b"nan,nan,nan\n", ", row 1, column age: not a number."),
        (b"NA,NULL,None\n", ", row 1, column age: not a number."),
        (b"inf,3,1\n", ", row 1, column age: not a number."),
        (b"1e999,3,1\n", ", row 1, column age: not a number."),
        (b"6_7,3,1\n", ", row 1, column age: not a number."),
        (b"0x43,3,1\n", ", row 1, column age: not a number."),
        ("٦٧,3,1\n".encode(), ", row 1, column age: not a number."),
        (b"67\0,3,1\n", ", row 1, column age: not a number."),
        (b"67,3,2\n", ", row 1, column severity: not 0 or 1."),
        (b"67,3,\n", ", row 1, column severity: not 0 or 1."),
        (b"67,3,1\n4\xe9,1,0\n", ", row 2: not UTF-8 text."),
        ("67,3,1\n".encode("utf-16"), ": UTF-16 text, where CSV, JSON lines or Parquet belongs."),
        (b'67,3,1\n"43,1,0\n', ", row 2: 1 column where 3 belong."),
        (b'67,3,1\n"43,1,0\n' + b"43,1,0\n" * 50000, ", row 2: not readable as CSV; a quote isn't closed."),
        (b'67,"3\n",1\n43,1,x\n', ", row 3, column severity: not a number."),
        (b'age,shape,severity\n\n67,"3\n",1\n43,1,x\n', ", row 5, column severity: not a number."),
        (b"67,3,1\n" + b"4" * ((1 << 20) + 1), ", row 2: the line is longer than 1048576 characters."),
        (gzip.compress(b"67,3,1\n" * 9)[:-9], ": the gzip stream is damaged or cut off."),
        (b"67\t3\t1\n", ", row 1: cells parted by tabs, where commas belong."),
        (b"67;3;1\n", ", row 1: cells parted by semicolons, where commas belong."),
        (b"age;shape;severity\n67;3;1\n", ", row 1: cells parted by semicolons, where commas belong."),
        (b"67|3|1\n", ", row 1: cells parted by bars, where commas belong."),
        (b"67 3 1\n", ", row 1: cells parted by blanks, where commas belong."),
        (b"1 1:67 2:3\n", ", row 1: libsvm, where CSV belongs; its content type is text/libsvm."),
        (b"<table><tr>\n", ", row 1: XML or HTML, where CSV belongs."),
        (b"NjcsMywxCjQzLDEsMAo=\n", ", row 1: base64, where plain CSV belongs."),
        (b"PK\x03\x04rest", ": a ZIP archive or an Excel workbook, where CSV, JSON lines or Parquet belongs."),
        (b"a,b,c\n1,2,3\n", ", header line with none of the columns age, shape and severity."),
        (b"age,shape\n1,2\n", f"{NAMED} severity is missing."),
        (b"age,shape,severity,id\n1,2,0,7\n", f"{NAMED} id is not among the table's."),
        (b"age,age,shape,severity\n1,2,0,7\n", f"{NAMED} age occurs twice."),
        (b"age,,shape,severity\n1,2,0,7\n", f"{NAMED} 2 (which has no name) is not among the table's."),
        (b"Age,shape,severity\n1,2,0\n", f"{NAMED} age is missing; column Age is not among the table's."),
        (b"{", f", row 1: {CUT}."),
        (f'{ROW}{{"age": 1,\n'.encode(), f", row 2: {CUT}."),
        (f"{ROW}\n[1, 2, 0]\n".encode(), f", row 3: an array, where {EXPECTED}."),
        (b"[1, 2, 0]\n[1, 2, 0]\n", f", row 1: an array, where {EXPECTED}."),
        (b"[[1, 2, 0], [1, 2, 0]]\n", f", row 1: an array, where {EXPECTED}."),
        (b'{"age": [1, 2], "shape": [1, 2], "severity": [0, 1]}', f", row 1: {WHOLE}; {EXPECTED}."),
        (b'{"age": {"0": 1}, "shape": {"0": 1}, "severity": {"0": 1}}', f", row 1: {WHOLE}; {EXPECTED}."),
        (b'{"columns": ["age"], "index": [0], "data": [[1]]}', f", row 1: {WHOLE}; {EXPECTED}."),
        (f"{ROW}7\n".encode(), f", row 2: not an object; {EXPECTED}."),
        (b'{"age": NaN, "shape": 1, "severity": 0}', ", row 1: NaN isn't JSON; write null where a value is missing."),
        (b'{"age": 1, "age": 2, "shape": 1, "severity": 0}', ", row 1: key age occurs twice."),
        (b'{"age": 1, "shape": [1], "severity": 0}', ", row 1, column shape: holds nested values."),
        (b'{"age": "old", "shape": 1, "severity": 0}', ", row 1, column age: not a number."),
        (b'{"age": 1, "shape": 1, "severity": 0, "id": 7}', ", row 1: column id is not among the table's."),
        (b'{"age": 1, "severity": 0}\n{"severity": 1}\n', ": no row has the key shape."),
        (b'{"age": 1e999, "shape": 1, "severity": 0}', ", row 1, column age: not a number."),
    ],
)  # fmt: skip
def test_what_is_broken_is_named_by_its_place(tmp_path, content, said):
    assert refusal(tmp_path, content) == f"part.csv{said}"


def test_a_line_without_end_is_not_read_to_its_end(tmp_path):
    file = tmp_path / "part.csv"
    with file.open("wb") as stream:
        stream.write(b"1")
        stream.truncate(1 << 33)
    with pytest.raises(StepFailed, match="row 1: the line is longer"):
        reader.read(reader.listed(tmp_path), LAYOUT)


def test_markers_hidden_and_empty_files_are_passed_over(tmp_path):
    for name, content in {
        "_SUCCESS": b"", "_committed_123": b"{}", ".part-0.csv.crc": b"x", "_delta_log/0.json": b"{}",
        "b/.c/d.csv": b"x",
        "empty.csv": b"", "blank.csv": b"\n \r\n", "bom.csv": b"\xef\xbb\xbf", "empty.csv.gz": gzip.compress(b""),
        "b/2.csv": b"43,1,0\n", "a[1].csv": b"67,3,1\n",
    }.items():  # fmt: skip
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    assert [file.name for file in reader.listed(tmp_path)] == ["a[1].csv", "b/2.csv"]
    assert reader.read(reader.listed(tmp_path), LAYOUT).tolist() == [[67, 3, 1], [43, 1, 0]]
    assert reader.listed(tmp_path / "b" / "2.csv")[0].name == "2.csv"
    assert reader.listed(tmp_path / "nowhere") == []


def test_folders_parts_are_no_columns(tmp_path):
    assert read(tmp_path, b"67,3,1\n", name="severity=0/part.csv") == [[67, 3, 1]]
    assert refusal(tmp_path, b"age,shape\n67,3\n", name="severity=0/part.csv") == (
        "severity=0/part.csv, header line: column severity is missing."
    )


SEX = Layout(("age", "sex"), "?", texts={"sex": ("male", "female")})


@pytest.mark.parametrize(
    "content",
    [
        b"1,male\n2,female\n3,?\n4,\n5, female \n",
        b'age,sex\n1,male\n2,"female"\n3,?\n4,\n5,female\n',
        b'{"age":1,"sex":"male"}\n{"sex":"female","age":2}\n{"age":3,"sex":null}\n{"age":4}\n{"age":5,"sex":"female"}\n',
    ],
)
def test_text_is_its_place_among_the_schemas_values(tmp_path, content):
    found = np.array(read(tmp_path, content, SEX))
    assert np.array_equal(found, [[1, 0], [2, 1], [3, NAN], [4, NAN], [5, 1]], equal_nan=True)


def test_texts_that_nobody_knows_get_the_next_numbers(tmp_path):
    (tmp_path / "a.csv").write_text("1,diverse\n2,male\n")
    (tmp_path / "b.csv").write_text("3,DIVERSE\n4,diverse\n")
    table = reader.Table(SEX)
    assert np.concatenate(list(table.batches(reader.listed(tmp_path)))).tolist() == [[1, 2], [2, 0], [3, 3], [4, 2]]
    assert table.texts("sex") == ["male", "female", "diverse", "DIVERSE"]


def test_numbers_may_be_categories_of_text(tmp_path):
    layout = Layout(("age", "code"), texts={"code": ("1", "2.5")})
    assert read(tmp_path, b'{"age": 1, "code": 2.5}\n{"age": 2, "code": "1"}\n{"age": 3, "code": 1.0}\n', layout) == [
        [1, 1], [2, 0], [3, 0]
    ]  # fmt: skip


@pytest.mark.parametrize("size", [7, 64, 1 << 20])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_pieces_part_no_row(tmp_path, size, ends):
    rows = [["1", '"2\n"', "0"], ["", "3", "1"], ["40", "5", "0"]] * 50
    text = "age,shape,severity" + ends + "".join(",".join(row) + ends for row in rows)
    (tmp_path / "a.csv").write_bytes(text.encode())
    file = reader.listed(tmp_path)[0]
    found = list(delimited.batches(file, [0, 1, 2], 3, True, reader.Cells(LAYOUT), piece=size))
    assert np.array_equal(np.concatenate(found), [[1, 2, 0], [NAN, 3, 1], [40, 5, 0]] * 50, equal_nan=True)


def test_rows_keep_their_numbers_across_pieces(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"\n1,2,0\n" * 30 + b"1,x,0\n")
    file = reader.listed(tmp_path)[0]
    with pytest.raises(StepFailed, match=r"^a\.csv, row 61, column shape: not a number\.$"):
        list(delimited.batches(file, [0, 1, 2], 3, False, reader.Cells(LAYOUT), piece=16))


def parquet(tmp_path, query: str, name: str = "part.parquet") -> None:
    duckdb = pytest.importorskip("duckdb")
    duckdb.sql(query).write_parquet(str(tmp_path / name))


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 67 AS age, 3 AS shape, 1 AS severity",
        "SELECT true AS severity, 3.0::DECIMAL(5, 2) AS shape, 67::UTINYINT AS age",
        "SELECT 67 AS age, 3 AS shape, 1 AS severity, 0 AS __index_level_0__",
        "SELECT '67' AS age, ' 3' AS shape, '1.0' AS severity, 0 AS __null_dask_index__",
        "SELECT 67 AS age, 3 AS shape, 1 AS severity, 'x' AS _hoodie_commit_time",
    ],
)
@pytest.mark.parametrize("name", ["part.parquet", "a[1]*?'.parquet", "noname"])
def test_parquet_is_read_by_its_names(tmp_path, query, name):
    parquet(tmp_path, query, name)
    assert reader.read(reader.listed(tmp_path), LAYOUT).tolist() == [[67, 3, 1]]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT 1 AS age, 0 AS severity", "column shape is missing"),
        ("SELECT 1 age, 0 severity, 1 AS Shape", "column shape is missing; column Shape is not among the table's"),
        ("SELECT 1 AS age, 0 AS severity, 1 AS shape, 1 AS filename", "column filename is not among the table's"),
        ("SELECT 1 AS age, 0 AS severity, 1 AS shape, 1 AS file_index", "column file_index is not among the table's"),
    ],
)  # fmt: skip
def test_parquet_is_refused_by_its_names(tmp_path, query, said):
    parquet(tmp_path, query)
    with pytest.raises(StepFailed) as failed:
        reader.read(reader.listed(tmp_path), LAYOUT)
    assert str(failed.value) == f"part.parquet: {said}."


@pytest.mark.parametrize("name", ["filename", "file_row_number", "file_index", "year"])
def test_no_column_of_duckdbs_own_stands_in_for_a_missing_one(tmp_path, name):
    (tmp_path / "year=2026").mkdir()
    parquet(tmp_path, "SELECT 1 AS age", "year=2026/part.parquet")
    with pytest.raises(StepFailed, match=rf"^year=2026/part\.parquet: column {name} is missing\.$"):
        reader.read(reader.listed(tmp_path), Layout(("age", name)))
    parquet(tmp_path, f"SELECT 1 AS age, 7 AS {name}", "year=2026/part.parquet")
    assert reader.read(reader.listed(tmp_path), Layout(("age", name))).tolist() == [[1, 7]]


def test_numbers_that_json_has_no_form_for_are_null():
    from steps.common import jsontext

    text = jsontext.dumps({"a": [NAN, math.inf, 1.5], "b": np.float64("nan"), "c": (np.int64(3), "é")}, indent=None)
    assert json.loads(text) == {"a": [None, None, 1.5], "b": None, "c": [3, "é"]}
