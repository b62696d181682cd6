"""Where labels and predictions of each problem type stand, and what is wrong with them."""

import numpy as np
import pytest

from steps.monitor.conftest import (
    ATTRIBUTE,
    BINARY,
    CLINIC,
    DRAWS,
    KEYS,
    MULTICLASS,
    REGRESSION,
    classified,
    give,
    measured,
    merge,
    register,
)
from steps.monitor.failures import BadSetting
from steps.monitor.quality import attribute, multiclass


@pytest.mark.parametrize(
    ("data", "settings"),
    [
        ({"encoding": "JSON", "data": '{"predictions": [{"label": "%s", "score": 0.7}]}'}, "predictions[0].label"),
        ({"encoding": "JSON", "data": '{"label": "%s"}'}, "$.label"),
        ({"encoding": "CSV", "data": "0.7,%s"}, "1"),
    ],
)
def test_where_an_endpoint_states_its_label(job, data, settings):
    labels, predicted = classified(60)
    job.container.setenv("ground_truth_source", "")
    text = merge(labels, predicted, lambda message: data | {"data": data["data"] % message})
    job.container.write([], "merged.jsonl").write_text(text)
    assert job.run({"sagemakerMergeJson": {}}, problem_type=MULTICLASS, inference_attribute=settings) == 0
    found = job.container.read("statistics.json")["multiclass_classification_metrics"]["accuracy"]["value"]
    assert found == pytest.approx(np.mean([a == b for a, b in zip(labels, predicted, strict=True)]))


@pytest.mark.parametrize(
    ("data", "settings", "names"),
    [
        ({"encoding": "CSV", "data": '"[0.1, 0.7, 0.2]"'}, "0", "012"),
        ({"encoding": "CSV", "data": "x,0.1,0.7,0.2"}, "1,2,3", "012"),
        ({"encoding": "JSON", "data": '{"scores": [0.1, 0.7, 0.2]}'}, "scores", "012"),
        ({"encoding": "JSON", "data": '{"scores": {"a": 0.1, "b": 0.7, "c": 0.2}}'}, "scores", "abc"),
    ],
)
def test_the_largest_probability_is_the_predicted_class(job, data, settings, names):
    job.container.setenv("ground_truth_source", "")
    labels = [names[i % 3] for i in range(60)]
    job.container.write([], "merged.jsonl").write_text(merge(labels, labels, lambda _: data))
    assert job.run({"sagemakerMergeJson": {}}, problem_type=MULTICLASS, probability_attribute=settings) == 0
    found = job.container.read("statistics.json")["multiclass_classification_metrics"]["confusion_matrix"]
    assert {label: row[names[1]] for label, row in found.items()} == dict.fromkeys(names, 20)


@pytest.mark.parametrize("cell", ["0.7", "[0.1]", "[0.1, 2]", '["a", "b"]', "[0.1"])
def test_probabilities_that_are_none(job, cell):
    job.container.setenv("ground_truth_source", "")
    quoted = cell.replace('"', '""')
    text = merge(["0"], [cell], lambda _: {"data": f'"{quoted}"', "encoding": "CSV"})
    job.container.write([], "merged.jsonl").write_text(text)
    message = job.failed({"sagemakerMergeJson": {}}, problem_type=MULTICLASS, probability_attribute="0")
    assert message == "merged.jsonl, line 1: not a list of probabilities."


def test_rows_without_a_prediction_are_not_scored(job):
    labels, predictions = measured(60)
    dataset, settings = give(job, "joined", labels, ["nan", *predictions[1:59], '""'], REGRESSION)
    assert job.run(dataset, problem_type=REGRESSION, **settings) == 0
    (batch,) = job.join()["batches"]
    assert (batch["rejected"], batch["labelled"]) == (2, 58)


@pytest.mark.parametrize(
    ("kind", "labels", "predictions", "lacks"),
    [
        (MULTICLASS, ["a"] * 60, ["b"] * 60, "labels of a second class"),
        (MULTICLASS, ["a", "b"] * 5, ["a", "b"] * 5, "labels"),
        (REGRESSION, [1.0, 2.0] * 5, [1.0, 2.0] * 5, "labels"),
        (BINARY, [1] * 60, [0.5] * 60, "labels"),
    ],
)
def test_not_enough_to_evaluate(job, kind, labels, predictions, lacks):
    dataset, settings = give(job, "joined", labels, predictions, kind)
    assert job.run(dataset, problem_type=kind, **settings) == 0
    sentence = job.container.read("verdict.json")["sentence"]
    assert (
        sentence
        == f"Not enough {lacks} to evaluate the model: {len(labels)} of {len(labels)} scored rows are labelled."
    )


@pytest.mark.parametrize("cell", ["high", "1_000", "inf", "-inf", "1e300", "true"])
def test_numbers_that_are_none(job, cell):
    dataset, settings = give(job, "joined", [1.5, 2.5], ["1", cell], REGRESSION)
    message = "not a finite number" if cell.strip("-") in ("inf", "1e300") else "not a number"
    location = f"{CLINIC}/clinic.csv.out, line 2, inference_attribute"
    assert job.failed(dataset, problem_type=REGRESSION, **settings) == f"{location}: {message}."


@pytest.mark.parametrize("cell", ["high", "nan", "inf", ""])
def test_labels_that_are_no_numbers(job, cell):
    dataset, settings = give(job, "joined", ["1.5", cell], [1, 2], REGRESSION)
    message = "not a finite number" if cell in ("nan", "inf") else "not a number"
    assert job.failed(dataset, problem_type=REGRESSION, **settings) == f"first.csv, row 2, column label: {message}."


def test_labels_that_are_no_class(job):
    dataset, settings = give(job, "joined", ["a", " "], ["a", "b"], MULTICLASS)
    assert job.failed(dataset, problem_type=MULTICLASS, **settings) == "first.csv, row 2, column label: no class."


def test_too_many_classes(job):
    names = [f"patient {i}" for i in range(1001)]
    dataset, settings = give(job, "joined", names, names, MULTICLASS)
    assert job.failed(dataset, problem_type=MULTICLASS, **settings).startswith("1001 classes in labels and predictions")


@pytest.mark.parametrize("kind", [MULTICLASS, REGRESSION])
def test_an_attribute_that_is_missing_or_names_no_column(job, kind):
    for form in ("merged", "csv", "json"):
        dataset, settings = give(job, form, *DRAWS[kind](30), kind)
        name = ATTRIBUTE[kind]
        message = job.failed(dataset, problem_type=kind, **(settings | {name: ""}))
        assert message.startswith(f"{name} is not set")
        assert "has no column prize" in job.failed(dataset, problem_type=kind, **(settings | {name: "prize"}))
        assert "has no column 99" in job.failed(dataset, problem_type=kind, **(settings | {name: "99"}))
        for file in job.container.dataset.iterdir():
            file.unlink()


def test_a_prediction_in_json_that_is_not_there(job):
    job.container.write([], f"{CLINIC}/rows.out").write_text('{"row": 1, "score": 3}\n')
    message = job.failed(problem_type=REGRESSION)
    assert message == f"inference_attribute: {CLINIC}/rows.out, line 1 has no column prediction."


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (MULTICLASS, {"multiclass_classification_metrics": {"accuracy": {"value": 0.5}}}),
        (MULTICLASS, {"multiclass_classification_metrics": {"confusion_matrix": {"a": {"a": 0}}}}),
        (REGRESSION, {"regression_metrics": {"mse": {"value": 1}}}),
        (REGRESSION, {"regression_metrics": {"mae": {"value": "NaN"}, "mse": {"value": 1}, "rmse": {"value": 1}}}),
        (REGRESSION, {"binary_classification_metrics": {}}),
    ],
)
def test_baselines_that_are_none(job, kind, content):
    dataset, settings = give(job, "joined", *DRAWS[kind](30), kind)
    baseline = register(job, content)
    message = job.failed(dataset, problem_type=kind, baseline_statistics=baseline, **settings)
    assert message == f"statistics.json: has no {KEYS[kind]}_metrics in SageMaker's form."


def test_names_of_classes():
    names = [
        multiclass.class_name(each) for each in (2, 2.0, "2", "2.0 ", "2.000e+00", True, "True", "01", "1.5", None)
    ]
    assert names == ["2"] * 5 + ["true"] * 2 + ["01", "1.5", ""]
    assert multiclass.ordered(["10", "9", "b", "a", "nan"]) == ["9", "10", "a", "b", "nan"]


def test_cells_that_attributes_name():
    row = {"a.b": 1, "a": {"c": [5, 6]}, "x": 3}
    for name, expected in (("a.b", 1), ("a.c[1]", 6), ("$.a.c[0]", 5), ("2", 3), ("x, a.b", [3, 1])):
        assert attribute.cell(row, name, "inference_attribute", "rows") == expected
    for name in ("b", "a.c[2]", "3", "x[0]", "a[*]", "x,9", "²"):
        with pytest.raises(BadSetting):
            attribute.cell(row, name, "inference_attribute", "rows")
