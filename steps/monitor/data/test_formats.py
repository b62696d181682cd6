"""Every format that SageMaker Model Monitor's contract names, one file or many, and baselines that AWS wrote."""

import base64
import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from steps.monitor.conftest import NAMES, patients
from steps.monitor.data import duckdb_source

CAPTURE = {"sagemakerCaptureJson": {"captureIndexNames": ["endpointInput"]}}


def as_json(rows: Sequence[Sequence[object]]) -> list[dict]:
    return [{name: None if cell == "?" else cell for name, cell in zip(NAMES, row, strict=True)} for row in rows]


def write_json(container, rows, name="batch.jsonl") -> Path:
    file = container.write([], name)
    file.write_text("".join(json.dumps(row) + "\n" for row in as_json(rows)))
    return file


def write_parquet(container, rows, name="batch.parquet", columns="*") -> Path:
    lines = write_json(container, rows, f"{name}.jsonl")
    with duckdb_source.connect(ordered=True) as engine:
        file = duckdb_source.text(str(lines.with_suffix("")))
        rows = f"SELECT {columns} FROM read_json({duckdb_source.text(str(lines))}, hive_partitioning = false)"
        engine.execute(f"COPY ({rows}) TO {file} (FORMAT parquet)")
    lines.unlink()
    return lines.with_suffix("")


def record(payload: object, time="2026-01-31T15:30:00Z", encoding="CSV", **more) -> dict:
    captured = {"observedContentType": "text/csv", "mode": "INPUT", "data": payload, "encoding": encoding}
    about = {"eventId": "1", "inferenceTime": time, **more}
    return {"captureData": {"endpointInput": captured}, "eventMetadata": about, "eventVersion": "0"}


def write_records(container, records, name="endpoint/AllTraffic/2026/01/31/15/30-00.jsonl") -> Path:
    file = container.write([], name)
    file.write_text("".join(json.dumps(each) + "\n" for each in records))
    return file


def line(row) -> str:
    return ",".join(map(str, row))


def clean(container) -> bool:
    return not container.read("verdict.json")["drift"]


@pytest.mark.parametrize("given", [{"csv": {"header": True}}, {"Csv": {"Header": "true"}}, {"csv": {}}])
def test_csv_with_a_header_line(checked, given):
    checked.write(patients(48, 2), header=NAMES)
    assert checked.run(given) == 0 and clean(checked)


@pytest.mark.parametrize("given", [{"json": {"line": True}}, {"json": {"lines": True}}, {"Json": {"Line": "true"}}])
def test_json_lines(checked, given):
    write_json(checked, patients(48, 2))
    assert checked.run(given) == 0 and clean(checked)
    assert checked.read("verdict.json")["rows"] == 48


def test_a_json_array(checked):
    checked.write([], "batch.json").write_text(json.dumps(as_json(patients(48, 2))))
    assert checked.run({"json": {"line": False}}) == 0 and clean(checked)
    assert checked.read("verdict.json")["rows"] == 48


def test_parquet(checked):
    write_parquet(checked, patients(48, 2))
    assert checked.run({"parquet": {}}) == 0 and clean(checked)
    assert checked.read("verdict.json")["rows"] == 48


def test_parquet_with_text_in_a_number(checked):
    rows = patients(48, 2)
    rows[9][1] = "forty"
    write_parquet(checked, rows, columns="* REPLACE (age::VARCHAR AS age)")
    assert checked.run({"parquet": {}}) == 0
    (found,) = checked.read("constraint_violations.json")["violations"]
    assert (found["feature_name"], found["constraint_check_type"]) == ("age", "data_type_check")
    assert found["rows"] == [{"file": "batch.parquet", "row": 10}]


def test_parquet_with_nan_and_infinity(checked):
    rows = patients(48, 2)
    write_parquet(checked, rows, columns="* REPLACE (CASE WHEN age > 70 THEN 'inf'::DOUBLE ELSE age END AS age)")
    assert checked.run({"parquet": {}}) == 0 and not clean(checked)


@pytest.mark.parametrize("form", [{"csv": {"header": False}}, {"json": {"line": True}}, {"parquet": {}}])
def test_every_format_makes_the_same_baseline(container, form):
    rows = patients(600, 1)
    {
        "csv": container.write,
        "json": lambda r: write_json(container, r),
        "parquet": lambda r: write_parquet(container, r),
    }[next(iter(form))](rows)
    assert container.run(form) == 0
    features = container.read("statistics.json")["features"]
    assert [f["inferred_type"] for f in features] == ["Integral"] * 5
    assert [f["numerical_statistics"]["common"]["num_missing"] for f in features] == [
        sum(row[i] == "?" for row in rows) for i in range(5)
    ]


def test_files_of_a_prefix_are_one_batch_compressed_or_not(checked):
    rows = patients(48, 2)
    checked.write(rows[:20], "day=1/part-0.csv")
    checked.write(rows[20:21], "day=2/part-0.csv")
    file = checked.write(rows[21:], "day=3/part-0")
    file.write_bytes(gzip.compress(file.read_bytes()))
    checked.write([], "day=4/part-0.csv")
    checked.write([["not", "a", "row"]], ".hidden/part-0.csv")
    assert checked.run() == 0 and clean(checked)
    assert checked.read("verdict.json")["rows"] == 48


@pytest.mark.parametrize(("form", "write"), [("json", write_json), ("parquet", write_parquet)])
def test_a_prefix_of_json_lines_and_of_parquet(checked, form, write):
    rows = patients(48, 2)
    for number in range(3):
        file = write(checked, rows[16 * number : 16 * (number + 1)], f"day={number}/part.{form}")
        if form == "json" and number:
            file.write_bytes(gzip.compress(file.read_bytes()))
    assert checked.run({form: {}}) == 0 and clean(checked)
    assert checked.read("verdict.json")["rows"] == 48


def test_compressed_csv_with_a_header_line(checked):
    file = checked.write(patients(48, 2), header=NAMES)
    file.write_bytes(gzip.compress(file.read_bytes()))
    assert checked.run({"csv": {"header": True}}) == 0 and clean(checked)
    assert checked.read("verdict.json")["rows"] == 48


def test_rows_at_fault_are_named_with_their_file_below_the_prefix(checked):
    rows = patients(48, 2)
    rows[30][1] = "forty"
    checked.write(rows[:20], "day=1/part-0.csv")
    checked.write(rows[20:], "day=2/part-0.csv")
    checked.run()
    (found,) = checked.read("constraint_violations.json")["violations"]
    assert found["rows"] == [{"file": "day=2/part-0.csv", "row": 11}]


def test_a_single_file_as_the_source(checked):
    file = checked.write(patients(48, 2))
    checked.write([["not", "a", "row"]], "other.csv")
    assert checked.run(dataset_source=f"/opt/ml/processing/input/dataset/{file.name}") == 0 and clean(checked)


def test_captured_requests_of_several_rows(checked):
    rows = patients(48, 2)
    records = [record("\n".join(map(line, rows[i : i + 12]))) for i in range(0, 48, 12)]
    write_records(checked, records)
    assert checked.run(CAPTURE) == 0 and clean(checked)
    assert checked.read("verdict.json")["rows"] == 48


def test_captured_payloads_in_json_and_base64(checked):
    rows = [[None if cell == "?" else cell for cell in row] for row in patients(48, 2)]
    lists = json.dumps({"instances": [{"features": row} for row in rows[:20]]})
    objects = "\n".join(json.dumps(dict(zip(NAMES, row, strict=True))) for row in rows[20:30])
    text = "\n".join(line(["" if cell is None else cell for cell in row]) for row in rows[30:])
    write_records(
        checked,
        [
            record(lists, encoding="JSON"),
            record(objects, encoding="JSON"),
            record(base64.b64encode(text.encode()).decode(), encoding="BASE64"),
        ],
    )
    assert checked.run(CAPTURE) == 0 and clean(checked)
    assert checked.read("verdict.json")["rows"] == 48


def test_only_records_of_the_time_count_and_none_of_a_shadow(checked):
    rows = patients(96, 2)
    records = [record(line(row)) for row in rows[:48]]
    records += [record("broken", time="2026-01-31T15:19:59Z"), record("broken", time="2026-01-31T16:20:00Z")]
    records += [record("broken", invocationSource="ShadowExperiment")]
    write_records(checked, records)
    write_records(checked, [record("broken")], "endpoint/AllTraffic/2026/01/31/17/00-00.jsonl")
    # The developer guide's own example has blanks in its times.
    settings = {"start_time": "2026-01-31T15: 20: 00Z", "end_time": "2026-01-31T16: 20: 00Z"}
    assert checked.run(CAPTURE, **settings) == 0 and clean(checked)
    assert checked.read("verdict.json")["rows"] == 48


def test_captured_outputs_stand_before_the_inputs(container):
    rows = patients(600, 1)
    container.write([[0.5, *row] for row in rows], header=("score", *NAMES))
    assert container.run({"csv": {"header": True, "output_columns_position": "START"}}) == 0
    container.use_as_baseline()
    records = [record(line(row)) for row in patients(48, 2)]
    for each in records:
        each["captureData"]["endpointOutput"] = {"data": "0.5\n", "encoding": "CSV", "mode": "OUTPUT"}
    write_records(container, records)
    both = {"sagemakerCaptureJson": {"captureIndexNames": ["endpointInput", "endpointOutput"]}}
    assert container.run(both) == 0 and clean(container)


AWS_STATISTICS = {
    "version": 0.0,
    "dataset": {"item_count": 333},
    "features": [
        {
            "name": "Account Length",
            "inferred_type": "Integral",
            "numerical_statistics": {
                "common": {"num_present": 333, "num_missing": 0},
                "mean": 104.3,
                "sum": 34731.9,
                "std_dev": 39.6,
                "min": 1.0,
                "max": 217.0,
                "distribution": {
                    "kll": {
                        "buckets": [{"lower_bound": 1.0, "upper_bound": 22.6, "count": 9.0}],
                        "sketch": {
                            "parameters": {"c": 0.64, "k": 2048.0},
                            # Values of level 1 stand for two rows each.
                            "data": [[float(1 + i % 217) for i in range(133)], [float(5 + 2 * i) for i in range(100)]],
                        },
                    }
                },
            },
        },
        {
            "name": "Plan",
            "inferred_type": "String",
            "string_statistics": {
                "common": {"num_present": 333, "num_missing": 0},
                "distinct_count": 2.0,
                "distribution": {
                    "categorical": {"buckets": [{"value": "no", "count": 233}, {"value": "yes", "count": 100}]}
                },
            },
        },
    ],
}
AWS_CONSTRAINTS = {
    "version": 0.0,
    "features": [
        {
            "name": "Account Length",
            "inferred_type": "Integral",
            "completeness": 1.0,
            "num_constraints": {"is_non_negative": True},
        },
        {
            "name": "Plan",
            "inferred_type": "String",
            "completeness": 1.0,
            "string_constraints": {"domains": ["no", "yes"]},
        },
    ],
    "monitoring_config": {
        "evaluate_constraints": "Enabled",
        "emit_metrics": "Enabled",
        "datatype_check_threshold": 1.0,
        "domain_content_threshold": 1.0,
        "distribution_constraints": {
            "perform_comparison": "Enabled",
            "comparison_threshold": 0.1,
            "comparison_method": "Robust",
            "categorical_comparison_threshold": 0.1,
            "categorical_drift_method": "LInfinity",
        },
    },
}
"""In the form of the analyzer's own output for the customer churn example, shortened."""


@pytest.fixture
def aws(container):
    folder = container.root / "processing" / "input" / "baseline"
    folder.mkdir(parents=True)
    (folder / "statistics.json").write_text(json.dumps(AWS_STATISTICS))
    (folder / "constraints.json").write_text(json.dumps(AWS_CONSTRAINTS))
    # A folder stands for the file of the usual name in it.
    container.setenv("baseline_constraints", "/opt/ml/processing/input/baseline")
    container.setenv("baseline_statistics", "/opt/ml/processing/input/baseline")
    return container


def customers(shift: int = 0) -> list[list[object]]:
    return [[1 + (i * 37) % 200 + shift, "yes" if i % 10 < 3 else "no"] for i in range(100)]


def test_a_baseline_that_awss_analyzer_wrote(aws):
    aws.write(customers())
    assert aws.run() == 0 and clean(aws)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda rows: [[length + 120, plan] for length, plan in rows], ("Account Length", "baseline_drift_check")),
        (lambda rows: [[-5, "no"], *rows[1:]], ("Account Length", "categorical_values_check")),
        (lambda rows: [[1.5, "no"], *rows[1:]], ("Account Length", "data_type_check")),
        (lambda rows: [[length, "maybe" if i < 9 else plan] for i, (length, plan) in enumerate(rows)],
         ("Plan", "categorical_values_check")),
        (lambda rows: [[length, "" if i < 20 else plan] for i, (length, plan) in enumerate(rows)],
         ("Plan", "completeness_check")),
        (lambda rows: [[length, "yes"] for length, _ in rows], ("Plan", "baseline_drift_check")),
    ],
)  # fmt: skip
def test_awss_constraints_hold(aws, change, expected):
    aws.write(change(customers()))
    assert aws.run() == 0
    violations = aws.read("constraint_violations.json")["violations"]
    assert expected in {(each["feature_name"], each["constraint_check_type"]) for each in violations}


def test_a_feature_may_have_settings_of_its_own(aws):
    constraints = json.loads(json.dumps(AWS_CONSTRAINTS))
    constraints["features"][1]["monitoringConfigOverrides"] = {"evaluate_constraints": "Disabled"}
    (aws.root / "processing/input/baseline/constraints.json").write_text(json.dumps(constraints))
    aws.write([[length, "yes"] for length, _ in customers()])
    assert aws.run() == 0 and clean(aws)


def test_the_drift_method_of_a_new_baseline_can_be_set(container):
    container.write(patients(100, 1))
    assert container.run(categorical_drift_method="LInfinity") == 0
    config = container.read("constraints.json")["monitoring_config"]
    assert config["distribution_constraints"]["categorical_drift_method"] == "LInfinity"
