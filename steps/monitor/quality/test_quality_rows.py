"""Which row a prediction and a label are of, and what the join says of labels that it can't use."""

import json

import pytest

from steps.monitor.conftest import BINARY, CLINIC, MULTICLASS, REGRESSION, classified, members, merge, register, scored

HEADER = {"csv": {"header": True}}


def lines(job, *texts: str, name: str = f"{CLINIC}/clinic.csv.out", end: str = "\n") -> None:
    job.container.write([], name).write_bytes("".join(text + end for text in texts).encode())


def test_a_blank_prediction_is_a_row_that_was_not_scored(job):
    labels, predicted = classified(60, right=1.0)
    lines(job, *predicted[:3], "", *predicted[4:])
    job.arrive(labels)
    assert job.run(problem_type=MULTICLASS) == 0
    (batch,) = job.join()["batches"]
    assert (batch["rows"], batch["rejected"], batch["labelled"], batch["unknown_rows"]) == (60, 1, 59, 0)
    assert "accuracy 1.000; 59 of 59 scored rows" in job.container.message


@pytest.mark.parametrize("settings", [{}, {"inference_attribute": "message"}])
def test_a_header_line_above_predictions_is_no_row(job, settings):
    labels, predicted = classified(60, right=1.0)
    lines(job, "message", *predicted)
    job.arrive(labels)
    assert job.run(HEADER, problem_type=MULTICLASS, **settings) == 0
    (batch,) = job.join()["batches"]
    assert (batch["rows"], batch["labelled"]) == (60, 60)
    assert "accuracy 1.000" in job.container.message


def test_a_header_line_that_is_not_there_or_not_as_wide(job):
    job.arrive([1, 0])
    lines(job, "0.5", "0.7")
    message = job.failed(HEADER)
    assert message == f"{CLINIC}/clinic.csv.out, line 1: no header line where dataset_format says there is one."
    lines(job, "score,id", "0.5")
    assert job.failed(HEADER) == f"{CLINIC}/clinic.csv.out, line 2: 1 columns where 2 belong."
    lines(job, "score,score", "0.5,0.5")
    assert job.failed(HEADER) == f"{CLINIC}/clinic.csv.out, header line: column score occurs twice."


@pytest.mark.parametrize(
    "dataset",
    [
        {"parquet": {}},
        {"sagemakerCaptureJson": {}},
        {"monitorPart": {}},
        {"json": {"line": False}},
    ],
)
def test_formats_that_predictions_are_not_joined_from(job, dataset):
    job.predictions([0.5] * 48)
    job.arrive([1] * 48)
    assert job.failed(dataset) == (
        "dataset_format: predictions are joined with ground_truth_source from csv or JSON lines."
    )


def test_labels_that_are_nowhere(job):
    job.predictions([0.5] * 48)
    assert job.failed() == "ground_truth_source: no file of labels in labels."
    (job.labels / ".hidden").write_text("batch,row,label\n")
    assert job.failed() == "ground_truth_source: no file of labels in labels."
    assert job.failed(ground_truth_source="/nothere") == "ground_truth_source: there is no file or folder /nothere."


def test_the_verdict_counts_labels_that_join_to_nothing(job):
    labels, probabilities = scored(48)
    job.predictions(probabilities)
    job.arrive(labels)
    job.arrive([1 - each for each in labels], name="inverted.csv")
    job.arrive([1, 0], batch="unknown", name="unknown.csv")
    job.arrive([1], rows=[49], name="beyond.csv")
    assert job.run() == 0
    verdict = job.container.read("verdict.json")
    assert verdict["sentence"] == (
        "Not enough labels to evaluate the model: 0 of 48 scored rows are labelled. Labels that don't count: 48 rows "
        "have contradictory ones, 1 row does not exist, 2 labels are of batches that are not here (an earlier "
        "version's, perhaps)."
    )
    assert verdict["contradictory_rows"] == 48
    assert verdict["rows_that_do_not_exist"] == 1
    assert verdict["labels_of_unknown_batches"] == 2


def test_the_sentence_of_a_verdict_ends_with_what_does_not_count(job):
    labels, probabilities = scored(60)
    job.predictions(probabilities)
    job.arrive(labels)
    job.arrive([1], batch="unknown", name="unknown.csv")
    assert job.run() == 0
    assert job.container.message.endswith(
        "; 60 of 60 scored rows are labelled. Labels that don't count: 1 label is of a batch that is not here (an "
        "earlier version's, perhaps)."
    )


def test_predictions_and_labels_that_share_no_class(job):
    job.container.write([["B"], ["M"]] * 30, f"{CLINIC}/clinic.csv.out")
    job.arrive(["benign", "malignant"] * 30)
    assert job.failed(problem_type=MULTICLASS) == (
        "No predicted class occurs among the labels: predictions and labels name their classes differently."
    )


def test_a_model_that_states_only_a_class_of_its_baseline_is_evaluated(job):
    before = {"multiclass_classification_metrics": members(MULTICLASS, ["a", "b", "c"] * 60, ["a", "b", "c"] * 60)}
    job.container.write([["c"]] * 60, f"{CLINIC}/clinic.csv.out")
    job.arrive(["a", "b"] * 30)
    assert job.run(problem_type=MULTICLASS, baseline_statistics=register(job, before)) == 0
    assert job.container.read("verdict.json")["drift"] is True


@pytest.mark.parametrize("variable", ["dataset_source", "ground_truth_source"])
def test_one_host_of_several_evaluates_and_none_where_files_are_spread(job, variable):
    labels, probabilities = scored(60)
    job.predictions(probabilities)
    job.arrive(labels)
    config = job.container.root / "config"
    config.mkdir()
    host = config / "resourceconfig.json"
    host.write_text(json.dumps({"current_host": "algo-2", "hosts": ["algo-1", "algo-2"]}))
    assert job.run() == 0 and not job.container.output.exists()
    host.write_text(json.dumps({"current_host": "algo-1", "hosts": ["algo-1", "algo-2"]}))
    assert job.run() == 0 and job.container.read("verdict.json")["rows"] == 60
    for file in job.container.output.iterdir():
        file.unlink()
    job.container.output.rmdir()
    folder = {"dataset_source": "dataset", "ground_truth_source": "labels"}[variable]
    source = {"LocalPath": f"/opt/ml/processing/input/{folder}", "S3DataDistributionType": "ShardedByS3Key"}
    (config / "processingjobconfig.json").write_text(json.dumps({"ProcessingInputs": [{"S3Input": source}]}))
    message = f"{variable} is ShardedByS3Key: a model's quality is evaluated by one host that has all files."
    assert job.failed() == message


LONG = "x" * 140_000


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ("batch,row,label\rclinic,1,1\r", "first.csv, header line"),
        (f"batch,row,label\n{CLINIC},1,{LONG}\n", "first.csv, row 1"),
    ],
)
def test_labels_that_are_not_readable_as_csv(job, text, location):
    job.predictions([0.5] * 48)
    (job.labels / "first.csv").write_bytes(text.encode())
    assert job.failed().startswith(f"{location}: not readable as CSV (")


def test_predictions_that_are_not_readable_as_csv(job):
    job.arrive([1, 0])
    for texts, end in ((("0.5", "0.7"), "\r"), (("0.5" + LONG,), "\n")):
        lines(job, *texts, end=end)
        assert job.failed(problem_type=REGRESSION).startswith(f"{CLINIC}/clinic.csv.out, line 1: not readable as CSV (")


@pytest.mark.parametrize("header", [False, True])
def test_a_table_of_both_that_is_not_readable_as_csv(job, header):
    job.container.setenv("ground_truth_source", "")
    lines(job, "score,label", "0.5,1", end="\r", name="both.csv")
    names = {"ground_truth_attribute": "1", "probability_attribute": "0"}
    location = "header line" if header else "row 1"
    message = job.failed({"csv": {"header": header}}, **names)
    assert message.startswith(f"both.csv, {location}: not readable as CSV (")


@pytest.mark.parametrize("number", ["²", "9" * 5000, "٣", "1.0", "-1", "0"])
def test_numbers_of_rows_that_are_none(job, number):
    job.predictions([0.5] * 48)
    (job.labels / "first.csv").write_text(f"batch,row,label\n{CLINIC},{number},1\n")
    assert job.failed() == "first.csv, row 1, column row: not a row number."


def test_a_merged_label_at_fault_is_named_by_its_location(job):
    job.container.setenv("ground_truth_source", "")
    job.container.write([], "merged.jsonl").write_text(merge([7], [0.5]))
    message = job.failed({"sagemakerMergeJson": {}}, problem_type=BINARY, probability_attribute="0")
    assert message == "merged.jsonl, line 1, groundTruthData: neither 0 nor 1."


def test_columns_that_occur_twice(job):
    job.predictions([0.5] * 48)
    (job.labels / "first.csv").write_text(f"batch,row,label,label\n{CLINIC},1,1,0\n")
    assert job.failed() == "first.csv, header line: column label occurs twice."
    job.container.setenv("ground_truth_source", "")
    for each in job.container.dataset.rglob("*.out"):
        each.unlink()
    lines(job, "score,is,is", "0.5,1,0", name="both.csv")
    settings = {"ground_truth_attribute": "is", "probability_attribute": "score"}
    assert job.failed(HEADER, **settings) == "both.csv, header line: column is occurs twice."


@pytest.mark.parametrize(
    ("kind", "message"), [(BINARY, "neither 0 nor 1"), (REGRESSION, "not a number"), (MULTICLASS, "no class")]
)
def test_a_label_at_fault_is_named_by_its_own_column(job, kind, message):
    job.container.setenv("ground_truth_source", "")
    attribute = "probability_attribute" if kind == BINARY else "inference_attribute"
    cell = " " if kind == MULTICLASS else "high"
    lines(job, "x,y", f"0.5,{cell}", name="both.csv")
    settings = {"ground_truth_attribute": "y", attribute: "x"}
    assert job.failed(HEADER, problem_type=kind, **settings) == f"both.csv, row 1, column y: {message}."
    assert job.failed(HEADER, problem_type=kind, **(settings | {"ground_truth_attribute": ""})) == (
        "ground_truth_attribute is not set: without ground_truth_source it has to name the label's column."
    )
