"""`evaluate` and `monitor` measure the same rows alike, and what the one registers is a whole baseline of the other."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
KEYS = {
    "BinaryClassification": "binary_classification_metrics",
    "MulticlassClassification": "multiclass_classification_metrics",
    "Regression": "regression_metrics",
}
ATTRIBUTE = {"BinaryClassification": "probability_attribute"}
MEASURE = """
import json, sys
import numpy as np
from steps.evaluate import metrics
kind, rows = json.load(sys.stdin)
labels, predictions = np.array(rows, dtype=float).T
print(json.dumps(metrics.choose(kind).members(labels, predictions)))
"""


def rows(kind: str, count: int, seed: int, worse: bool = False) -> list[tuple[float, float]]:
    """Return labels and predictions."""
    chance = random.Random(seed)
    found: list[tuple[float, float]] = []
    for _ in range(count):
        if kind == "BinaryClassification":
            probability = round(chance.betavariate(0.7, 0.9), 2)
            truth = chance.random() if worse else probability
            found.append((int(chance.random() < truth), probability))
        elif kind == "MulticlassClassification":
            label = chance.choices((0, 1, 2, 11), (5, 3, 2, 1))[0]
            found.append((label, label if chance.random() < (0.5 if worse else 0.85) else chance.choice((0, 1, 2, 11))))
        else:
            prediction = round(chance.gammavariate(8, 5), 3)
            found.append((round(prediction + chance.gauss(0, 9 if worse else 5), 3), prediction))
    return found


def run(step: str, arguments: list[str], given: str = "", **environment: str) -> str:
    python = ROOT / ".venvs" / step / "bin" / "python"
    ended = subprocess.run(
        [str(python), *arguments],
        input=given,
        capture_output=True,
        text=True,
        timeout=300,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environment},
    )
    assert ended.returncode == 0, ended.stderr
    sys.stderr.write(ended.stderr)
    return ended.stdout


def evaluated(kind: str, table: list[tuple[float, float]]) -> dict:
    return json.loads(run("evaluate", ["-c", MEASURE], json.dumps([kind, table])))


def monitored(folder: Path, kind: str, table: list[tuple[float, float]], **settings: str) -> tuple[dict, dict]:
    """Return the members and the verdict of monitor's container."""
    folder.mkdir(parents=True)
    source = folder / "rows.csv"
    source.write_text("".join(f"{prediction},{label}\n" for label, prediction in table))
    output = folder / "output"
    environment = {
        "SAGEMAKER_BASE_DIR": str(folder / "ml"),
        "analysis_type": "MODEL_QUALITY",
        "dataset_format": '{"csv": {"header": false}}',
        "dataset_source": str(source),
        "output_path": str(output),
        "problem_type": kind,
        "ground_truth_attribute": "1",
        ATTRIBUTE.get(kind, "inference_attribute"): "0",
    }
    run("monitor", ["-m", "steps.monitor"], **environment, **settings)
    content = {name: json.loads((output / f"{name}.json").read_text()) for name in ("statistics", "verdict")}
    return content["statistics"][KEYS[kind]], content["verdict"]


@pytest.mark.parametrize("kind", KEYS)
def test_both_write_the_same_metrics(tmp_path, kind):
    table = rows(kind, 157, 3)
    members, _ = monitored(tmp_path / "now", kind, table)
    assert members == evaluated(kind, table)


@pytest.mark.parametrize("worse", [False, True])
@pytest.mark.parametrize("kind", KEYS)
def test_what_evaluate_registers_is_a_baseline(tmp_path, kind, worse):
    baseline = tmp_path / "evaluation.json"
    baseline.write_text(json.dumps({"rows": 300, KEYS[kind]: evaluated(kind, rows(kind, 300, 5))}))
    _, verdict = monitored(tmp_path / "now", kind, rows(kind, 300, 6, worse), baseline_statistics=str(baseline))
    assert verdict["drift"] is worse
