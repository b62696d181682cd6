import json

import pytest

from data import make
from tests.docker.steps import NOBODY, ROOT_USER, Step

FORMAT = {"dataset_format": '{"csv": {"header": false}}'}
BASELINE = {
    "baseline_constraints": "/opt/ml/processing/input/baseline/constraints.json",
    "baseline_statistics": "/opt/ml/processing/input/baseline/statistics.json",
}


def rows(key: str) -> list[list[str]]:
    return make.derive(make.read_table())[key]


def text(rows: list[list[str]]) -> str:
    return "".join(",".join(row) + "\n" for row in rows)


@pytest.fixture
def monitor(step) -> Step:
    """The monitor with a baseline as its input, which the image itself has suggested."""
    monitor = step("monitor")
    monitor.write("processing/input/dataset/baseline.csv", text([row[:-1] for row in rows("labelled/part-1.csv")]))
    assert monitor.run(environment=FORMAT).code == 0
    for name in ("constraints.json", "statistics.json"):
        monitor.write(f"processing/input/baseline/{name}", monitor.read(f"processing/output/{name}"))
    for path in (*(monitor.root / "processing/output").iterdir(), *(monitor.root / "output").iterdir()):
        path.unlink()
    (monitor.root / "processing/input/dataset/baseline.csv").unlink()
    return monitor


@pytest.mark.parametrize("user", [NOBODY, ROOT_USER])
@pytest.mark.parametrize(("batch", "drift"), [("clean", False), ("shifted", True)])
def test_holds_a_batch_against_its_baseline(monitor, user, batch, drift):
    monitor.write("processing/input/dataset/batch.csv", text(rows(f"batches/{batch}.csv")))
    ended = monitor.run(user=user, environment=FORMAT | BASELINE)
    assert ended.code == 0, ended.printed
    assert json.loads(monitor.read("processing/output/verdict.json"))["drift"] is drift
    violations = json.loads(monitor.read("processing/output/constraint_violations.json"))["violations"]
    assert bool(violations) is drift


def test_a_batch_that_cannot_be_read_is_an_error_and_no_verdict(monitor):
    batch = rows("batches/clean.csv")
    batch[2] = batch[2][:-1]
    monitor.write("processing/input/dataset/batch.csv", text(batch))
    ended = monitor.run(environment=FORMAT | BASELINE)
    assert ended.code == 1
    assert "row 3" in monitor.read("output/message")
    assert "verdict.json" not in monitor.files("processing/output")
