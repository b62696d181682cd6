"""The container: test rows and archives in, JSON and a page out; broken input in, one sentence out."""

import importlib.util
import io
import json
import random
import re
import tarfile
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
import xgboost

from steps.common.test_job import Job
from steps.evaluate import report
from steps.evaluate.__main__ import main
from steps.evaluate.metrics import BINARY

OUTPUT = "processing/output/evaluation"


def rows(count: int, seed: int, features: int = 5) -> list[list[float]]:
    """Label-first rows in which the second feature tells much."""
    chance = random.Random(seed)
    return [
        [int(x[1] + chance.gauss(0, 0.5) > 0), *x]
        for x in ([chance.gauss(0, 1) for _ in range(features)] for _ in range(count))
    ]


def csv(table: list[list[float]]) -> str:
    return "".join(",".join(f"{cell:g}" for cell in row) + "\n" for row in table)


def model(rounds: int = 20, objective: str = "binary:logistic", blind: bool = False) -> bytes:
    """A model; a blind one doesn't see the feature that tells much."""
    table = np.array(rows(400, 1))
    table[:, 2] *= not blind
    data = xgboost.DMatrix(table[:, 1:], label=table[:, 0])
    return bytes(xgboost.train({"objective": objective, "max_depth": 2}, data, rounds).save_raw("ubj"))


def archive(content: bytes, name: str = "xgboost-model") -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


@pytest.fixture(scope="module")
def good() -> bytes:
    return archive(model())


def prepared(job: Job, packed: bytes, champion: bytes | None = None) -> Job:
    job.write("processing/input/test/part-algo-1.csv", csv(rows(150, 2)))
    job.write("processing/input/model/model.tar.gz", packed)
    job.write("processing/input/champion/" + ("none" if champion is None else "model.tar.gz"), champion or b"")
    return job


def evaluation(job: Job) -> dict:
    return json.loads(
        job.read(f"{OUTPUT}/evaluation.json"), parse_constant=lambda sign: pytest.fail(f"{sign} is no JSON")
    )


def test_the_first_model_has_no_champion(job, good):
    code, output = prepared(job, good).run("evaluate")
    assert code == 0, output
    assert output.startswith("AUC 0.9") and output.endswith("on 150 test rows; there is no champion to compare with.\n")
    assert job.files(OUTPUT) == ["evaluation.json", "report.html"]
    found = evaluation(job)
    assert found["binary_classification_metrics"]["auc"]["value"] > 0.9
    assert found["champion_comparison"]["compared"] is False
    assert found["champion_comparison"]["auc_difference"]["upper"] == 0


def test_figures_are_of_probabilities_and_all_files(job, good):
    prepared(job, good)
    table = rows(90, 3)
    job.write("processing/input/test/part-algo-2.csv", csv(table).replace("\n", "\r\n"))
    assert main() == 0
    everything = np.array(rows(150, 2) + table)
    rounded = np.array([[float(f"{cell:g}") for cell in row] for row in everything])
    scores = xgboost.Booster(model_file=bytearray(model())).inplace_predict(rounded[:, 1:])
    found = evaluation(job)
    assert found["rows"] == 240
    brier = found["binary_classification_metrics"]["brier"]["value"]
    assert brier == pytest.approx(np.mean((scores - rounded[:, 0]) ** 2), rel=1e-6)


@pytest.mark.parametrize(
    ("challenger", "champion", "verdict"),
    [({}, {"rounds": 21}, "not worse"), ({"blind": True}, {}, "worse"), ({}, {"blind": True}, "better")],
)
def test_the_champion_is_measured_on_the_same_rows(job, challenger, champion, verdict):
    prepared(job, archive(model(**challenger)), archive(model(**champion), "./xgboost-model"))
    assert main() == 0
    found = evaluation(job)
    mine, its = found["binary_classification_metrics"], found["champion_comparison"]["champion"]
    difference = found["champion_comparison"]["auc_difference"]
    assert difference["value"] == pytest.approx(mine["auc"]["value"] - its["auc"]["value"])
    assert difference["lower"] <= difference["value"] <= difference["upper"]
    assert report.sentence(found, BINARY).endswith(f"; {verdict} than the champion.")


class Page(HTMLParser):
    """Collects a page's elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def of(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.elements if name == tag]


def test_the_page_is_self_contained_and_can_be_read_aloud(job, good):
    prepared(job, good, archive(model(3)))
    assert main() == 0
    text = job.read(f"{OUTPUT}/report.html")
    page = Page(text)
    assert not re.search(r"https?:|//\w|@import|url\(", text)
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in page.elements}
    assert not any({"src", "href", "style"} & set(attributes) for _, attributes in page.elements)
    assert page.of("html") == [{"lang": "en"}]
    assert text.index('class="verdict good"') < text.index("<svg")
    pictures = {picture["aria-label"].split(".")[0]: picture for picture in page.of("svg")}
    assert list(pictures) == ["ROC", "Precision and recall", "Calibration, with 95 % intervals", "Confusion at 0"]
    assert all(picture["role"] == "img" for picture in pictures.values())
    assert "is malignant, predicted malignant: " in pictures["Confusion at 0"]["aria-label"]
    assert all(region["tabindex"] == "0" and region["aria-label"] for region in page.of("div") if "role" in region)
    assert {cell["scope"] for cell in page.of("th")} == {"col", "row"}
    for picture in re.findall(r"<svg.*?</svg>", text):
        ElementTree.fromstring(picture)
    roc = next(picture for picture in re.findall(r"<svg.*?</svg>", text) if ">ROC<" in picture)
    assert roc.count("<polyline") == 2 and ">champion<" in roc


def test_a_worse_model_is_not_shown_as_good(job):
    prepared(job, archive(model(blind=True)), archive(model()))
    assert main() == 0
    assert 'class="verdict bad"' in job.read(f"{OUTPUT}/report.html")


TEST, MODEL, CHAMPION = "test/part-algo-1.csv", "model/model.tar.gz", "champion/none"
ONE_CLASS = "input test, column severity: no rows with the label 0; an AUC with its interval needs two of each."
TRUNCATED = "input model, model.tar.gz: truncated, or not a model archive."
NO_MODEL = "input model, model.tar.gz: its xgboost-model is truncated, damaged or no model."


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (TEST, None, "input test: no row to measure on."),
        (TEST, "", "input test: no row to measure on."),
        (TEST, "\n", "input test: no row to measure on."),
        (TEST, "severity,bi_rads,age,shape,density\n", "part-algo-1.csv, header line: column margin is missing."),
        (TEST, "1,5,67,3,5,3\n1,5\n", "part-algo-1.csv, row 2: 2 columns where 6 belong."),
        (TEST, "1,5,67,old,5,3\n", "part-algo-1.csv, row 1, column shape: not a number."),
        (TEST, "0.5,5,67,3,5,3\n", "part-algo-1.csv, row 1, column severity: not 0 or 1."),
        (TEST, "1,5,67,3,5,3\n" * 3, ONE_CLASS),
        (TEST, "1,2\n0,3\n" * 2, "input model, model.tar.gz: the model takes 5 features, the test rows have 1."),
        (MODEL, None, "input model: 0 files where one model archive belongs."),
        (MODEL, b"", TRUNCATED),
        (MODEL, b"\x1f\x8b" + bytes(100), TRUNCATED),
        (MODEL, archive(b"x", "other"), "input model, model.tar.gz: holds no xgboost-model."),
        (MODEL, archive(b""), NO_MODEL),
        (MODEL, archive(b"{}"), f"{NO_MODEL.partition(' is ')[0]} is damaged: learner is missing or of another type."),
        (CHAMPION, None, "input champion: 0 files where one model archive belongs."),
    ],
)  # fmt: skip
def test_broken_input_is_one_sentence_and_no_output(job, good, name, content, message):
    prepared(job, good)
    (job.root / "processing/input" / name).unlink()
    if content is not None:
        job.write(f"processing/input/{name}", content)
    assert main() == 1
    assert job.read("output/message") == message
    assert job.files("processing/output") == []


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_an_archive_that_was_cut_is_refused(job, good, share):
    prepared(job, good[: int(len(good) * share)])
    assert main() == 1
    assert job.read("output/message") == TRUNCATED


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_model_that_was_cut_is_refused(job, share):
    content = model()
    prepared(job, archive(content[: int(len(content) * share)]))
    assert main() == 1
    assert job.read("output/message") == NO_MODEL


@pytest.mark.parametrize(
    ("input_name", "old", "new", "said"),
    [
        ("model", 'left_children":[1', 'left_children":[9999', "tree 0: a child lies outside the tree"),
        ("model", 'base_score":"[', 'base_score":"[nan,', "base_score isn't one finite number for each output"),
        (
            "champion",
            'split_indices":[1',
            'split_indices":[77',
            "tree 0: a split is on a feature that the model doesn't have",
        ),
    ],
)
def test_a_whole_but_wrong_model_is_refused(job, good, input_name, old, new, said):
    text = bytes(xgboost.Booster(model_file=bytearray(model())).save_raw("json")).decode()
    assert old in text
    wrong = archive(text.replace(old, new, 1).encode())
    prepared(job, good, good)
    job.write(f"processing/input/{input_name}/model.tar.gz", wrong)
    code, output = job.run("evaluate")
    assert (code, output) == (1, f"input {input_name}, model.tar.gz: its xgboost-model is damaged: {said}.\n")
    assert job.files("processing/output") == []


def test_a_model_that_gives_no_probabilities_is_refused(job):
    prepared(job, archive(model(objective="binary:logitraw")))
    assert main() == 1
    assert "the model doesn't give one probability a row" in job.read("output/message")


def test_two_archives_are_one_too_many(job, good):
    prepared(job, good)
    job.write("processing/input/champion/model.tar.gz", good)
    assert main() == 1
    assert job.read("output/message") == "input champion: 2 files where one model archive belongs."


def test_the_process_fails_as_its_message_says(job, good):
    prepared(job, good)
    job.write("processing/input/model/model.tar.gz", good[:100])
    assert job.run("evaluate") == (1, f"{TRUNCATED}\n")


def test_nothing_heavy_is_needed():
    assert importlib.util.find_spec("pandas") is None
