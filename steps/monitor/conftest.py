"""A job's folders below a root of its own, and the batches and baselines to put there."""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from steps.common import paths
from steps.common.quality import binary
from steps.monitor.__main__ import main
from steps.monitor.contract import Job
from steps.monitor.quality.binary import Binary
from steps.monitor.quality.multiclass import Multiclass
from steps.monitor.quality.regression import Regression

Row = Sequence[object]


@dataclass
class Container:
    """The folders of one processing job, and what the container left in them."""

    root: Path
    setenv: Callable[[str, str], None]

    @property
    def dataset(self) -> Path:
        return self.root / "processing" / "input" / "dataset"

    @property
    def output(self) -> Path:
        return self.root / "processing" / "output"

    @property
    def message(self) -> str:
        return (self.root / "output" / "message").read_text()

    def read(self, name: str) -> dict:
        return json.loads((self.output / name).read_text())

    def write(self, rows: Sequence[Row], name: str = "batch.csv", header: Sequence[str] = ()) -> Path:
        file = self.dataset / name
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = [header, *rows] if header else rows
        file.write_text("".join(",".join(map(str, row)) + "\n" for row in lines))
        return file

    def run(self, dataset_format: dict | None = None, **settings: str) -> int:
        """Run the container on whatever lies in its dataset folder."""
        self.setenv("dataset_format", json.dumps(dataset_format or {"csv": {"header": False}}))
        for name, value in settings.items():
            self.setenv(name, value)
        return main()

    def use_as_baseline(self) -> None:
        """Keep the outputs as the baseline of the next run, and forget its dataset."""
        goal = self.root / "processing" / "input" / "baseline"
        self.output.rename(goal)
        for file in self.dataset.iterdir():
            file.unlink()
        self.setenv("baseline_constraints", "/opt/ml/processing/input/baseline/constraints.json")
        self.setenv("baseline_statistics", "/opt/ml/processing/input/baseline/statistics.json")


@pytest.fixture
def container(tmp_path, monkeypatch) -> Container:
    monkeypatch.setenv(paths.ROOT_VARIABLE, str(tmp_path))
    for name in ("baseline_constraints", "baseline_statistics", "dataset_source", "output_path"):
        monkeypatch.delenv(name, raising=False)
    return Container(tmp_path, monkeypatch.setenv)


NAMES = ("bi_rads", "age", "shape", "margin", "density")


def patients(count: int, seed: int) -> list[list[object]]:
    """Return rows much like the table's: features that depend on each other, some missing."""
    chance = random.Random(seed)
    rows: list[list[object]] = []
    for _ in range(count):
        malignant = chance.random() < 0.46
        row: list[object] = [
            chance.choices((2, 3, 4, 5), (1, 2, 30, 67) if malignant else (2, 7, 85, 6))[0],
            min(96, max(18, round(chance.gauss(62 if malignant else 49, 13)))),
            chance.choices((1, 2, 3, 4), (8, 12, 10, 70) if malignant else (38, 36, 10, 16))[0],
            chance.choices((1, 2, 3, 4, 5), (8, 2, 16, 44, 30) if malignant else (65, 3, 10, 18, 4))[0],
            chance.choices((1, 2, 3, 4), (1, 6, 91, 2))[0],
        ]
        for column, share in enumerate((0.0, 0.005, 0.03, 0.05, 0.08)):
            if chance.random() < share:
                row[column] = "?"
        rows.append(row)
    return rows


WIDE = ("dose", "id", "who", "group", "age")


def measurements(count: int, seed: int = 1) -> list[list[object]]:
    """Return rows, each column in need of another encoding: many fractions, whole numbers, texts, codes."""
    chance = random.Random(seed)
    return [
        [
            "?" if chance.random() < 0.02 else round(chance.lognormvariate(3, 1), 4),
            chance.randrange(10**9),
            f"patient {chance.randrange(10**6)}",
            chance.choice("abc"),
            chance.choice(("n/a", *range(40, 60))),
        ]
        for _ in range(count)
    ]


@pytest.fixture
def checked(container: Container) -> Container:
    """A container with a baseline of 600 rows."""
    container.write(patients(600, 1), header=NAMES)
    assert container.run({"csv": {"header": True}}) == 0
    container.use_as_baseline()
    return container


@pytest.fixture
def drifted(checked: Container) -> Container:
    """The results of a batch in which much is wrong."""
    rows = [[b, a if a == "?" else a + 15, s, m if m == "?" else 6 - m, d] for b, a, s, m, d in patients(48, 4)]
    rows[5][2], rows[9][1] = 44, 987
    for row in rows[::3]:
        row[4] = "?"
    checked.write(rows)
    assert checked.run() == 0
    return checked


def page(container: Container) -> str:
    """Return the report that a run left."""
    return (container.output / "report.html").read_text()


CLINIC = "clinic-0123456789ab"


def scored(count: int, seed: int = 1, skill: float = 1.0) -> tuple[list[int], list[float]]:
    """Return labels and probabilities; with less skill, more of the probabilities are another row's."""
    rng = np.random.default_rng(seed)
    high = rng.random(count) < 0.46
    probabilities = np.where(high, rng.beta(5, 1.3, count), rng.beta(1.3, 7, count))
    labels = (rng.random(count) < probabilities).astype(int)
    wrong = np.flatnonzero(rng.random(count) >= skill)
    probabilities[wrong] = probabilities[rng.permutation(wrong)]
    return labels.tolist(), probabilities.tolist()


class Quality:
    """A job about a model's quality, and its files."""

    def __init__(self, container: Container) -> None:
        self.container = container
        self.labels = container.root / "processing/input/labels"
        self.labels.mkdir(parents=True)
        container.setenv("analysis_type", "MODEL_QUALITY")
        container.setenv("ground_truth_source", "/opt/ml/processing/input/labels")

    def predictions(self, probabilities, batch: str = CLINIC, name: str = "clinic.csv.out") -> None:
        self.container.write([[f"{p:.6f}"] for p in probabilities], f"{batch}/{name}")

    def arrive(self, labels, batch: str = CLINIC, name: str = "first.csv", rows=None) -> None:
        numbers = rows or range(1, len(labels) + 1)
        lines = "".join(f"{batch},{row},{label}\n" for row, label in zip(numbers, labels, strict=True))
        (self.labels / name).write_text("batch,row,label\n" + lines)

    def register(self, count: int = 180, seed: int = 5) -> None:
        """Leave the registered baseline in the form of evaluate's evaluation.json."""
        labels, probabilities = map(np.array, scored(count, seed))
        content = {"rows": count, f"{binary.KEY}_metrics": binary.members(binary.Rows.at(0.5, labels, probabilities))}
        file = self.container.root / "processing/input/evaluation.json"
        file.write_text(json.dumps(content))
        self.container.setenv("baseline_statistics", "/opt/ml/processing/input/evaluation.json")

    def run(self, dataset_format: dict | None = None, **settings: str) -> int:
        return self.container.run(dataset_format, **settings)

    def join(self) -> dict:
        return self.container.read("statistics.json")["dataset"]["join"]

    def failed(self, dataset_format: dict | None = None, **settings: str) -> str:
        assert self.run(dataset_format, **settings) == 1
        assert not self.container.output.exists()
        return self.container.message


@pytest.fixture
def job(container, monkeypatch) -> Quality:
    for name in ("problem_type", "inference_attribute", "probability_attribute", "ground_truth_attribute", "batch_id"):
        monkeypatch.delenv(name, raising=False)
    return Quality(container)


JOB = Job("csv", Path(), Path())
BINARY, MULTICLASS, REGRESSION = (each.name for each in (Binary, Multiclass, Regression))
CLASSES = ("benign", "malignant", "unclear")


def classified(count: int, seed: int = 1, right: float = 0.85) -> tuple[list[str], list[str]]:
    """Return labels and predicted labels."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(3, count, p=(0.5, 0.3, 0.2))
    others = (labels + rng.integers(1, 3, count)) % 3
    predicted = np.where(rng.random(count) < right, labels, others)
    return [CLASSES[each] for each in labels], [CLASSES[each] for each in predicted]


def measured(count: int, seed: int = 1, error: float = 5.0) -> tuple[list[float], list[float]]:
    """Return labels and predictions."""
    rng = np.random.default_rng(seed)
    predictions = rng.gamma(8, 5, count)
    return (predictions + rng.normal(0, error, count)).round(4).tolist(), predictions.round(4).tolist()


DRAWS = {BINARY: scored, MULTICLASS: classified, REGRESSION: measured}
WORSE = {BINARY: {"skill": 0.2}, MULTICLASS: {"right": 0.6}, REGRESSION: {"error": 8.0}}
ATTRIBUTE = {BINARY: "probability_attribute", MULTICLASS: "inference_attribute", REGRESSION: "inference_attribute"}
KEYS = {BINARY: "binary_classification", MULTICLASS: "multiclass_classification", REGRESSION: "regression"}


def members(kind: str, labels, predictions) -> dict:
    problem = {BINARY: Binary, MULTICLASS: Multiclass, REGRESSION: Regression}[kind](JOB)
    given = [(-1, each) for each in predictions] if kind == BINARY else predictions
    return problem.members(problem.rows(labels, given))


def register(job: Quality, content: dict) -> str:
    file = job.container.root / "processing/input/statistics.json"
    file.write_text(json.dumps({"version": 0.0, **content}))
    return "/opt/ml/processing/input/statistics.json"


def merge(labels, predictions, payload=None) -> str:
    """Return records as SageMaker merges captured ones with their labels."""
    records = [
        {
            "captureData": {"endpointOutput": payload(p) if payload else {"data": f"{p}\n", "encoding": "CSV"}},
            "eventMetadata": {"eventId": str(i), "inferenceTime": "2026-01-31T15:30:00Z"},
            "groundTruthData": {"data": str(label), "encoding": "CSV"},
        }
        for i, (label, p) in enumerate(zip(labels, predictions, strict=True))
    ]
    return "".join(json.dumps(record) + "\n" for record in records)


def give(job: Quality, form: str, labels, predictions, kind: str) -> tuple[dict, dict[str, str]]:
    """Leave the rows in a form of input; return the dataset's format and the settings."""
    if form == "joined":
        job.container.write([[each] for each in predictions], f"{CLINIC}/clinic.csv.out")
        job.arrive(labels)
        return {"csv": {"header": False}}, {}
    job.container.setenv("ground_truth_source", "")
    if form == "merged":
        job.container.write([], "merged.jsonl").write_text(merge(labels, predictions))
        return {"sagemakerMergeJson": {"captureIndexNames": ["endpointOutput"]}}, {ATTRIBUTE[kind]: "0"}
    if form == "json":
        lines = [{"message": p, "is": label} for label, p in zip(labels, predictions, strict=True)]
        job.container.write([], "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        return {"json": {"line": True}}, {ATTRIBUTE[kind]: "message", "ground_truth_attribute": "is"}
    header = ("message", "is") if form == "header" else ()
    job.container.write(list(zip(predictions, labels, strict=True)), header=header)
    names = header or ("0", "1")
    return {"csv": {"header": bool(header)}}, {ATTRIBUTE[kind]: names[0], "ground_truth_attribute": names[1]}
