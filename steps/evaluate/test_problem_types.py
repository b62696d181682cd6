"""Classes and numbers are measured, and compared with the champion, as probabilities are."""

import numpy as np
import pytest
import xgboost
from sklearn import metrics as peer

from steps.common.test_job import Job
from steps.evaluate.__main__ import main
from steps.evaluate.test_evaluate import archive, csv, evaluation

CLASSES = {"objective": "multi:softprob", "num_class": 3, "max_depth": 2}
NUMBERS = {"objective": "reg:squarederror", "max_depth": 3}


def table(kind: str, seed: int, count: int = 150) -> np.ndarray:
    """Label-first rows; the label follows the second feature."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(count, 5)).round(4)
    noisy = features[:, 1] + rng.normal(0, 0.5, count)
    labels = np.digitize(noisy, (-0.5, 0.5)).astype(float) if kind == "classes" else noisy.round(3)
    return np.column_stack([labels, features])


def booster(kind: str, rounds: int = 20, **settings) -> xgboost.Booster:
    rows = table(kind, 1, 400)
    parameters = (CLASSES if kind == "classes" else NUMBERS) | settings
    return xgboost.train(parameters, xgboost.DMatrix(rows[:, 1:], label=rows[:, 0]), rounds)


def prepared(job: Job, kind: str, challenger: xgboost.Booster, champion: xgboost.Booster | None = None) -> np.ndarray:
    rows = table(kind, 2)
    job.write("processing/input/test/part-algo-1.csv", csv(rows.tolist()))
    job.write("processing/input/model/model.tar.gz", archive(bytes(challenger.save_raw("ubj"))))
    name = "none" if champion is None else "model.tar.gz"
    content = b"" if champion is None else archive(bytes(champion.save_raw("ubj")))
    job.write(f"processing/input/champion/{name}", content)
    return np.array([[float(f"{cell:g}") for cell in row] for row in rows])


@pytest.mark.parametrize("objective", ["multi:softprob", "multi:softmax"])
def test_several_classes(job, monkeypatch, objective):
    monkeypatch.setenv("problem_type", "MulticlassClassification")
    model = booster("classes", objective=objective)
    rows = prepared(job, "classes", model, booster("classes", 1))
    assert main() == 0
    scores = model.inplace_predict(rows[:, 1:])
    predicted = scores.argmax(axis=1) if scores.ndim == 2 else scores
    found = evaluation(job)
    measured = found["multiclass_classification_metrics"]
    assert measured["accuracy"]["value"] == pytest.approx(peer.accuracy_score(rows[:, 0], predicted))
    f1 = peer.f1_score(rows[:, 0], predicted, average="weighted")
    assert measured["weighted_f1"]["value"] == pytest.approx(f1)
    matrix = peer.confusion_matrix(rows[:, 0], predicted).tolist()
    assert [[measured["confusion_matrix"][a][b] for b in "012"] for a in "012"] == matrix
    difference = found["champion_comparison"]["accuracy_difference"]
    rival = found["champion_comparison"]["champion"]["accuracy"]["value"]
    assert difference["value"] == pytest.approx(measured["accuracy"]["value"] - rival)
    assert difference["lower"] < difference["value"] < difference["upper"]
    page = job.read("processing/output/evaluation/report.html")
    assert "Accuracy 0." in page and "predicted 2" in page and "weighted_f1" in page


@pytest.mark.parametrize(
    ("challenger", "champion", "verdict"), [(40, 2, "better"), (2, 40, "worse"), (9, 9, "not worse")]
)
def test_numbers(job, capsys, monkeypatch, challenger, champion, verdict):
    monkeypatch.setenv("problem_type", "Regression")
    model = booster("numbers", challenger)
    rows = prepared(job, "numbers", model, booster("numbers", champion))
    assert main() == 0
    predicted = model.inplace_predict(rows[:, 1:]).astype(float)
    found = evaluation(job)
    measured = found["regression_metrics"]
    assert measured["mse"]["value"] == pytest.approx(peer.mean_squared_error(rows[:, 0], predicted))
    assert measured["mae"]["value"] == pytest.approx(peer.mean_absolute_error(rows[:, 0], predicted))
    assert measured["r2"]["value"] == pytest.approx(peer.r2_score(rows[:, 0], predicted))
    rival = found["champion_comparison"]["champion"]["mse"]["value"]
    gain = found["champion_comparison"]["mse_reduction"]["value"]
    assert gain == pytest.approx(rival - measured["mse"]["value"], abs=1e-12)
    assert capsys.readouterr().out.strip().endswith(f"on 150 test rows; {verdict} than the champion.")
    assert "Mean prediction" in job.read("processing/output/evaluation/report.html")


@pytest.mark.parametrize(
    ("kind", "trained", "message"),
    [
        (
            "Regression",
            "classes",
            "model.tar.gz: the model doesn't give one number a row; its objective is another one.",
        ),
        (
            "Clustering",
            "numbers",
            "problem_type is none of BinaryClassification, MulticlassClassification, Regression.",
        ),
        ("MulticlassClassification", "numbers", ", column severity: not a class: 0, 1, 2 and so on."),
        ("BinaryClassification", "classes", "part-algo-1.csv, row "),
    ],
)
def test_a_problem_type_of_another_model_is_one_sentence(job, monkeypatch, kind, trained, message):
    monkeypatch.setenv("problem_type", kind)
    prepared(job, trained, booster(trained, 2))
    assert main() == 1
    assert message in job.read("output/message")
    assert job.files("processing/output") == []


@pytest.mark.parametrize(
    ("kind", "labels", "message"),
    [
        ("MulticlassClassification", [1, 1, 1], "one class only; at least two are needed."),
        ("Regression", [0.5], "one row; a deviation needs two."),
        ("BinaryClassification", [0, 0, 1], "1 row with the label 1; an AUC with its interval needs two of each."),
        ("BinaryClassification", [0, 0], "no rows with the label 1; an AUC with its interval needs two of each."),
    ],
)
def test_too_few_rows_to_measure(job, monkeypatch, kind, labels, message):
    monkeypatch.setenv("problem_type", kind)
    prepared(job, "numbers" if kind == "Regression" else "classes", booster("numbers", 2))
    job.write("processing/input/test/part-algo-1.csv", csv([[label, 1, 2, 3, 4, 5] for label in labels]))
    assert main() == 1
    assert job.read("output/message") == f"input test, column severity: {message}"
