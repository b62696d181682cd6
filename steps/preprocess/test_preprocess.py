"""The container: the published table in, splits out; broken input in, one sentence out."""

import json
from itertools import chain

import pytest

from steps.preprocess.__main__ import main

OUTPUT = "processing/output"
SPLITS = ("train", "validation", "test")


def cleaned(line: str) -> str:
    """What a line of the published table becomes: label first, missing or outside the domain empty."""
    *features, label = line.split(",")
    if features[0] in ("0", "6", "55"):
        features[0] = "?"
    return ",".join([label, *features]).replace("?", "")


def test_every_row_falls_into_one_split(job, published):
    job.write("processing/input/data/table.csv", "\n".join(published))
    code, output = job.run("preprocess")
    assert code == 0, output
    parts = {name: job.read(f"{OUTPUT}/{name}/part-algo-1.csv").splitlines() for name in SPLITS}
    assert sorted(chain(*parts.values())) == sorted(map(cleaned, published))
    # A typing error and a missing value become equal only after the split.
    train, validation, test = ({line[2:] for line in lines if line[2] != ","} for lines in parts.values())
    assert not train & validation and not train & test and not validation & test
    header, *baseline = job.read(f"{OUTPUT}/baseline/part-algo-1.csv").splitlines()
    assert header == "bi_rads,age,shape,margin,density"
    assert baseline == [line[2:] for line in parts["train"]]
    report = json.loads(job.read(f"{OUTPUT}/report/report-algo-1.json"))
    assert report["rows"] == 961
    assert report["rows_per_split"] == {name: len(lines) for name, lines in parts.items()}
    assert report["outside_domain"] == {"bi_rads": 17, "age": 0, "shape": 0, "margin": 0, "density": 0}
    assert report["missing"] == {"bi_rads": 19, "age": 5, "shape": 31, "margin": 48, "density": 76}
    assert not any(sign in output for sign in published[:3])


def test_later_rows_move_no_earlier_one(job, published):
    def test_rows(count: int) -> list[str]:
        job.write("processing/input/data/table.csv", "\n".join(published[:count]))
        assert main() == 0
        return job.read(f"{OUTPUT}/test/part-algo-1.csv").splitlines()

    first, later = test_rows(500), test_rows(961)
    assert later[: len(first)] == first


def test_several_files_make_one_table_in_the_order_of_their_names(job, published):
    job.write("processing/input/data/table.csv", "\n".join(published))
    assert main() == 0
    whole = {name: job.read(f"{OUTPUT}/{name}/part-algo-1.csv") for name in SPLITS}
    job.write("processing/input/data/table.csv", "\n".join(published[:100]))
    job.write("processing/input/data/year/table-2.csv", "\r\n".join(published[100:300]))
    job.write("processing/input/data/year/table-3.csv", "\ufeff" + "\n".join(published[300:]))
    assert main() == 0
    assert {name: job.read(f"{OUTPUT}/{name}/part-algo-1.csv") for name in SPLITS} == whole


def test_hosts_that_share_the_files_write_the_parts_of_one(job, published):
    job.write("processing/input/data/table.csv", "\n".join(published))
    assert main() == 0
    whole = {name: job.read(f"{OUTPUT}/{name}/part-algo-1.csv") for name in SPLITS}
    for host, lines in (("algo-1", published[:400]), ("algo-2", published[400:]), ("algo-3", None)):
        config = {"current_host": host, "hosts": ["algo-1", "algo-2", "algo-3"]}
        job.write("config/resourceconfig.json", json.dumps(config))
        job.write("processing/input/data/table.csv", "\n".join(lines or []))
        if lines is None:
            (job.root / "processing/input/data/table.csv").unlink()
        assert main() == 0
    for name in SPLITS:
        parts = [job.read(f"{OUTPUT}/{name}/{file}") for file in job.files(f"{OUTPUT}/{name}")]
        assert len(parts) == 2 and "".join(parts) == whole[name]


ROW = "5,67,3,5,3,1\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("\n \n", "input data, column severity: no row has the label 0; both classes are needed."),
        (ROW + "5,67,3,5,3\n", "table.csv, row 2: 5 columns where 6 belong."),
        (ROW + "5,old,3,5,3,1\n", "table.csv, row 2, column age: not a number."),
        (ROW + "5,67,3,5,nan,1\n", "table.csv, row 2, column density: not a number."),
        (ROW + "5,67,3,5,3,2\n", "table.csv, row 2, column severity: not 0 or 1."),
        ("bi_rads,age,shape,margin,severity\n" + ROW, "table.csv, header line: column density is missing."),
        (ROW * 3, "input data, column severity: no row has the label 0; both classes are needed."),
        (ROW + "5,67,3,5,3,0\n", "input data: 3 rows are too few, none falls to the split validation."),
        (None, "input data: no file to read."),
    ],
)
def test_broken_input_is_one_sentence_and_no_output(job, content, said):
    if content is not None:
        job.write("processing/input/data/table.csv", content)
        job.write("processing/input/data/other.csv", ROW)
    assert main() == 1
    assert job.read("output/message") == said
    assert job.files("processing/output") == []


def test_the_process_fails_as_its_message_says(job):
    job.write("processing/input/data/table.csv", "5,67\n")
    code, output = job.run("preprocess")
    assert (code, output) == (1, "table.csv, row 1: 2 columns where 6 belong.\n")


def test_an_output_that_cannot_be_written_leaves_none(job, published):
    job.write("processing/input/data/table.csv", "\n".join(published))
    job.write(f"{OUTPUT}/report", "a file where a folder belongs")
    assert main() == 1
    assert job.read("output/message").startswith(f"{job.root / OUTPUT}/report")
    assert job.files(OUTPUT) == ["report"]
