"""Channels are read by their own names: whatever order, format or bookkeeping, the model is the same bytes."""

import gzip
import json
import random
import sys

import duckdb
import numpy as np
import pytest
import xgboost

from steps.common import schema as schemas
from steps.common.test_job import Job
from steps.train import channels
from steps.train.__main__ import main
from steps.train.test_train import Hosts

NAMES = ("ill", "age", "sex", "site")
SEX = ("male", "female")
SCHEMA = {
    "columns": [
        {"name": "age", "kind": "numeric"},
        {"name": "sex", "kind": "categorical", "values": list(SEX)},
        {"name": "site", "kind": "categorical", "values": [7, 1, 4]},
    ],
    "label": {"name": "ill", "values": [0, 1]},
    "missing": "?",
}
SETTINGS = {"objective": "binary:logistic", "num_round": "5", "max_depth": "3"}


@pytest.fixture(autouse=True)
def own_schema(tmp_path, monkeypatch):
    file = tmp_path / "own.json"
    file.write_text(json.dumps(SCHEMA))
    monkeypatch.setattr(schemas, "FILE", file)


def people(count: int, seed: int) -> list[tuple[int, int | None, str | None, int | None]]:
    chance = random.Random(seed)
    found = []
    for _ in range(count):
        age, sex, site = chance.randint(18, 90), chance.choice(SEX), chance.choice((1, 4, 7))
        ill = int(chance.random() < (0.9 if (sex == "male") == (site == 4) else 0.2))
        found.append((ill, age, sex, site if chance.random() > 0.1 else None))
    return found


def values(rows: list[tuple]) -> str:
    cells = [["NULL" if cell is None else f"'{cell}'" if cell in SEX else str(cell) for cell in row] for row in rows]
    return f"(VALUES {', '.join('(' + ', '.join(row) + ')' for row in cells)}) AS people({', '.join(NAMES)})"


def csv(rows: list[tuple], order: tuple[str, ...] = NAMES, header: bool = False, sign: str = "") -> str:
    lines = [",".join(sign if row[NAMES.index(n)] is None else str(row[NAMES.index(n)]) for n in order) for row in rows]
    return "".join(f"{line}\n" for line in [",".join(order)] * header + lines)


def jsonl(rows: list[tuple], order: tuple[str, ...] = NAMES) -> str:
    objects = [{name: row[NAMES.index(name)] for name in order if row[NAMES.index(name)] is not None} for row in rows]
    return "".join(json.dumps(each) + "\n" for each in objects)


PEOPLE, OTHERS = people(300, 1), people(100, 2)
TURNED = ("site", "sex", "ill", "age")
SAME_TABLE = {
    "CSV": {"a.csv": csv(PEOPLE)},
    "CSV with a header line in another order": {"a.csv": csv(PEOPLE, TURNED, header=True)},
    "two files, each in its order": {"a.csv": csv(PEOPLE[:90]), "b.csv": csv(PEOPLE[90:], TURNED, header=True)},
    "missing by the sign": {"a.csv": csv(PEOPLE, sign="?")},
    "gzip, BOM, CRLF": {"a.csv": gzip.compress(("\ufeff" + csv(PEOPLE).replace("\n", "\r\n")).encode())},
    "JSON lines in another order": {"a.jsonl": "\ufeff" + jsonl(PEOPLE, TURNED)},
    "an array of objects": {"a.json": json.dumps([dict(zip(NAMES, row, strict=True)) for row in PEOPLE])},
    "Parquet": {"a.parquet": PEOPLE},
    "Parquet and CSV": {"a.parquet": PEOPLE[:50], "b": csv(PEOPLE[50:])},
    "markers beside": {"_SUCCESS": "", "_c_1": "{}", ".crc": "x", "a.csv": csv(PEOPLE), "b.csv": "", "c.csv": "\n"},
    "a folder's part": {"sex=male/site=1/a.csv": csv(PEOPLE)},
}  # fmt: skip


def write(job: Job, channel: str, files: dict, columns: str = "*") -> None:
    for name, content in files.items():
        if isinstance(content, list):
            file = job.write(f"input/data/{channel}/{name}", "")
            duckdb.sql(f"SELECT {columns} FROM {values(content)}").write_parquet(str(file))
        else:
            job.write(f"input/data/{channel}/{name}", content)


def train(job: Job, files: dict, validation: dict | None = None, columns: str = "*", **given: str) -> int:
    job.write("input/config/hyperparameters.json", json.dumps(SETTINGS | given))
    write(job, "train", files, columns)
    write(job, "validation", validation or {}, columns)
    arguments, sys.argv = sys.argv, ["train", "train"]
    try:
        return main()
    finally:
        sys.argv = arguments


def model(job: Job) -> bytes:
    return (job.root / "model" / "xgboost-model").read_bytes()


@pytest.fixture(scope="module")
def right() -> bytes:
    """The model that XGBoost itself makes of the table."""
    rows = [(row[1], SEX.index(row[2]), np.nan if row[3] is None else [7, 1, 4].index(row[3])) for row in PEOPLE]
    data = xgboost.DMatrix(
        np.array(rows, np.float32), [row[0] for row in PEOPLE], feature_types=["q", "c", "c"], enable_categorical=True
    )
    given = {"objective": "binary:logistic", "max_depth": 3, "seed": 0, "nthread": 1, "eval_metric": []}
    return bytes(xgboost.train(given, data, 5).save_raw("ubj"))


@pytest.mark.parametrize("files", SAME_TABLE.values(), ids=SAME_TABLE)
def test_the_model_is_that_of_the_table(job, right, files):
    assert train(job, files) == 0
    assert model(job) == right
    assert json.loads(job.read("model/metadata.json"))["features"] == list(NAMES[1:])
    assert job.read("model/schema.json") == json.dumps(SCHEMA)


@pytest.mark.parametrize(
    "columns",
    ["site, sex, ill, age", "*, 0 AS __index_level_0__", "*, 0 AS __null_dask_index__",
     "sex, '' AS _hoodie_record_key, * EXCLUDE sex"],
)  # fmt: skip
def test_parquets_order_and_bookkeeping_change_nothing(job, right, columns):
    assert train(job, {"a.parquet": PEOPLE}, columns=columns) == 0
    assert model(job) == right


def test_a_validation_channel_in_another_order_is_read_by_its_names(job):
    early = {"early_stopping_rounds": "2", "eval_metric": "logloss"}
    assert train(job, {"a.csv": csv(PEOPLE)}, {"a.csv": csv(OTHERS)}, **early) == 0
    expected = model(job), json.loads(job.read("model/metadata.json"))["metrics"]
    assert train(job, {}, {"a.csv": csv(OTHERS, TURNED, header=True)}, **early) == 0
    assert (model(job), json.loads(job.read("model/metadata.json"))["metrics"]) == expected


def test_another_tables_columns_are_those_of_its_first_file(job):
    write(job, "train", {"a.csv": "y,b,c\n1,2,3\n0,5,6\n", "b.csv": "c,y,b\n3,1,2\n6,0,5\n"})
    write(job, "validation", {"a.jsonl": '{"c": 3, "b": 2, "y": 1}\n{"b": 5, "y": 0, "c": 6}\n'})
    training = channels.read(job.root / "input/data/train")
    validation = channels.read(job.root / "input/data/validation", like=training)
    assert (training.label, training.names) == ("y", ["b", "c"]) == (validation.label, validation.names)
    assert training.features.tolist() == [[2, 3], [5, 6]] * 2
    assert validation.features.tolist() == [[2, 3], [5, 6]]


@pytest.mark.parametrize(
    ("files", "columns", "said"),
    [
        ({"a.parquet": PEOPLE}, "ill, age, sex", "a.parquet: column site is missing."),
        ({"a.parquet": PEOPLE}, "*, 1 AS id", "a.parquet: column id is not among the table's."),
        ({"a.parquet": PEOPLE}, "* RENAME ill AS y",
         "a.parquet: column ill is missing; column y is not among the table's."),
        ({"a.csv": csv(PEOPLE), "b.parquet": PEOPLE}, "ill, age, sex, site AS Site",
         "b.parquet: column site is missing; column Site is not among the table's."),
        ({"a.jsonl": '{"ill": 1, "age": 2, "sex": "male", "id": 3}'}, "*",
         "a.jsonl, row 1: column id is not among the table's."),
        ({"a.jsonl": jsonl([(*row[:3], None) for row in PEOPLE])}, "*", "a.jsonl: no row has the key site."),
        ({"a.csv": "ill,age,age,site\n"}, "*", "a.csv, header line: column age occurs twice."),
        ({"a.csv": "\n1\t20\tmale\t7\n"}, "*", "a.csv, row 2: cells parted by tabs, where commas belong."),
        ({"a.csv": "1;20;male;7\n"}, "*", "a.csv, row 1: cells parted by semicolons, where commas belong."),
    ],
)  # fmt: skip
def test_names_that_are_missing_extra_or_twice_are_said(job, files, columns, said):
    assert train(job, files, columns=columns) == 1
    assert job.read("output/failure") == said
    assert job.files("model") == []


def test_categories_that_nobody_knows_are_missing_and_said(job, capsys):
    assert train(job, {"a.csv": csv(PEOPLE) + "1,20,Male,9\n0,20,other,1\n"}) == 0
    output = capsys.readouterr().out
    assert "channel train, column sex: 2 cells hold none of its values; they count as missing." in output
    assert "channel train, column site: 1 cells hold none of its values; they count as missing." in output


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"monotone_constraints": "(1,1,0)"},
         "monotone_constraints: categories have no order, and column sex has categories."),
        ({"monotone_constraints": "(0,-1,1)"},
         "monotone_constraints: categories have no order, and columns sex and site have categories."),
        ({"monotone_constraints": "(1,0)"}, "monotone_constraints: 2 where 3 features are."),
        ({"monotone_constraints": "(1,0,up)"}, "monotone_constraints: not a list of -1, 0 and 1 in parentheses."),
        ({"tree_method": "exact"}, "tree_method: takes no categories, and columns sex and site have categories."),
        ({"booster": "gblinear"}, "booster: takes no categories, and columns sex and site have categories."),
    ],
)  # fmt: skip
def test_settings_that_categories_contradict_are_refused(job, given, said):
    assert train(job, {"a.csv": csv(PEOPLE)}, **given) == 1
    assert job.read("output/failure") == f"hyperparameter {said}"


def test_a_metric_that_is_no_number_is_said_and_ends_nothing(job, capsys):
    early = {"eval_metric": "auc", "early_stopping_rounds": "1", "num_round": "8"}
    assert train(job, {"a.csv": csv(PEOPLE)}, {"a.csv": csv([row for row in OTHERS if not row[0]])}, **early) == 0
    assert "validation:auc isn't a number" in capsys.readouterr().out
    found = json.loads(job.read("model/metadata.json"), parse_constant=pytest.fail)
    assert found["rounds"] == 8 and found["metrics"]["validation:auc"] is None
    assert found["metrics"]["train:auc"] > 0.8


def test_hosts_whose_tables_have_another_order_are_refused(tmp_path, published):
    hosts = Hosts(tmp_path, published, [published[:350], published[350:700]])
    for process in hosts.processes:
        process.kill()
        process.communicate()
    for place, (host, order) in enumerate(zip(hosts.jobs, (("y", "a", "b"), ("y", "b", "a")), strict=True)):
        (host.root / "input/data/validation/part.csv").unlink()
        host.write("input/config/inputdataconfig.json", "{}")
        (host.root / "input/data/validation").rmdir()
        host.write("input/data/train/part.csv", ",".join(order) + "\n" + "1,2,3\n0,4,5\n" * 20)
        hosts.processes[place] = host.start(
            "train", "train", TRAINING_JOB_NAME=f"order-{tmp_path.name}-{random.random()}"
        )
    for process in hosts.processes:
        process.kill()
        process.communicate()
    name = f"order-{random.random()}"
    hosts.processes = [host.start("train", "train", TRAINING_JOB_NAME=name) for host in hosts.jobs]
    hosts.end()
    said = "channel train: the hosts' files have different columns, or the same in another order."
    assert [host.read("output/failure") for host in hosts.jobs] == [said] * 2


LIBSVM = "1 1:20 3:4\n0:2.5 2:1 1:30 # a remark\n\n1 1:40\n"


def test_libsvm_has_the_label_first_and_what_it_does_not_say_is_missing(job):
    write(job, "train", {"a": LIBSVM, "_SUCCESS": "", "b": "0 1:5 2:1 3:1\n"})
    nan = float("nan")
    for kind in ("text/libsvm", "text/x-libsvm; charset=utf-8", "libsvm", "LIBSVM", None):
        channel = channels.read(job.root / "input/data/train", kind)
        assert (channel.labels.tolist(), channel.weights.tolist()) == ([1, 0, 1, 0], [1, 2.5, 1, 1])
        assert channel.names == list(NAMES[1:])  # Three indices from 1: the schema's columns.
        expected = [[20, nan, 2], [30, 1, nan], [40, nan, nan], [5, 1, 1]]
        assert np.array_equal(channel.features, expected, equal_nan=True)


def test_libsvm_of_another_table_counts_from_0_as_the_built_in_algorithm_does(job):
    write(job, "train", {"a": "1 1:2\n0 4:5\n"})
    channel = channels.read(job.root / "input/data/train", "text/libsvm")
    assert channel.names == ["2", "3", "4", "5", "6"] and channel.weights is None
    assert np.nan_to_num(channel.features, nan=-1).tolist() == [[-1, 2, -1, -1, -1], [-1, -1, -1, -1, 5]]


@pytest.mark.parametrize(
    ("content", "kind", "said"),
    [
        ("1 1:2\n0 x:5\n", "libsvm", "a, row 2: not index:value, as libsvm has it."),
        ("1 1:2\n0 5\n", "libsvm", "a, row 2: not index:value, as libsvm has it."),
        ("1 1:2\n0 1:5 1:6\n", "libsvm", "a, row 2: index 1 occurs twice."),
        ("1 1:2\n0 1:nan\n", "libsvm", "a, row 2, index 1: not a number."),
        ("1 1:2\nx 1:1\n", "libsvm", "a, row 2: the label is not a number."),
        ("1 1:2\n3 1:1\n", "libsvm", "a, row 2: the label is not 0 or 1."),
        ("1:-1 1:2\n", "libsvm", "a, row 1: not a weight of 0 or more."),
        ("1 qid:3 1:2\n", "libsvm", "a, row 1: groups (qid) aren't read; there is one label a row."),
        ("1 1:2\n0 999999999:1\n", "libsvm", "a: 2 rows of 1000000000 columns; 268435456 cells can be held."),
        ("1,2,male,7\n", "libsvm", "a, row 1: the label is not a number."),
        ("1 1:2\n", "text/csv", "a, row 1: libsvm, where CSV belongs; its content type is text/libsvm."),
        ('{"ill": 1}', "csv", "a: JSON, where CSV belongs."),
        ("1,2,male,7\n", "application/jsonlines", "a, row 1: not readable as JSON."),
        ("1,2,male,7\n", "parquet", "a: truncated, or not Parquet."),
        ("1,2,male,7\n", "text/csv; charset=latin1", "channel train: content type with another charset than UTF-8."),
        ("1,2,male,7\n", "text/csv, text/csv",
         f"channel train: content type: not one media type; {channels.KNOWN} are known."),
        ("1,2,male,7\n", "text csv",
         f"channel train: content type: not a list of media types; {channels.KNOWN} are known."),
    ],
)  # fmt: skip
def test_another_format_than_the_content_types_is_refused(job, content, kind, said):
    write(job, "train", {"a": content})
    with pytest.raises(channels.StepFailed) as failed:
        channels.read(job.root / "input/data/train", kind)
    assert str(failed.value) == said


def test_csv_is_csv_by_either_name(job):
    write(job, "train", {"a": csv(PEOPLE)})
    for kind in ("csv", "CSV", "text/csv", "Text/CSV ; label_size=1", 'text/csv;charset="UTF-8"'):
        assert len(channels.read(job.root / "input/data/train", kind).labels) == len(PEOPLE)
