"""The files have the documented form, and metrics go where Model Monitor and CloudWatch look for them.

The forms: docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-byoc-statistics.html, …-byoc-constraints.html,
…-interpreting-violations.html, …-byoc-cloudwatch.html, and CloudWatch's embedded metric format.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest

from steps.monitor.conftest import NAMES, Container, measurements, patients

Form = Any
"""A type, a set of allowed values, a function, a list of one form, or an object of forms; `?` ends optional names."""


def fits(value: Any, form: Form, location: str = "") -> bool:
    """Whether a value has a form; more members than an object's form has are allowed, as the documents say."""
    if isinstance(form, dict):
        assert isinstance(value, dict), location
        for name, inner in form.items():
            if name.rstrip("?") in value:
                fits(value[name.rstrip("?")], inner, f"{location}.{name.rstrip('?')}")
            else:
                assert name.endswith("?"), f"{location}.{name} is missing"
    elif isinstance(form, list):
        assert isinstance(value, list), location
        for number, each in enumerate(value):
            fits(each, form[0], f"{location}[{number}]")
    elif isinstance(form, set):
        assert value in form, location
    elif isinstance(form, type):
        assert isinstance(value, float | int if form is float else form) and not isinstance(value, bool), location
    elif isinstance(form, Callable):  # type: ignore[arg-type]
        form(value, location)
    return True


COMMON = {"num_present": float, "num_missing": float}
BUCKET = {"lower_bound": float, "upper_bound": float, "count": float}
SKETCH = {"parameters": {"c": float, "k": float}, "data": [[float]]}
NUMERICAL = {
    "common": COMMON,
    "mean": float,
    "sum": float,
    "std_dev": float,
    "min": float,
    "max": float,
    "distribution": {"kll": {"buckets": [BUCKET], "sketch": SKETCH}},
}
STRING = {
    "common": COMMON,
    "distinct_count": float,
    "distribution": {"categorical": {"buckets": [{"value": str, "count": float}]}},
}


def feature(value: dict, location: str) -> None:
    fits(value, {"name": str, "inferred_type": {"Fractional", "Integral", "String"}}, location)
    text = value["inferred_type"] == "String"
    fits(value, {"string_statistics": STRING} if text else {"numerical_statistics": NUMERICAL}, location)
    found = value["string_statistics" if text else "numerical_statistics"]
    if not text:
        assert len(found["distribution"]["kll"]["buckets"]) == 10, location
        levels = found["distribution"]["kll"]["sketch"]["data"]
        assert sum(len(level) << i for i, level in enumerate(levels)) == found["common"]["num_present"], location


STATISTICS = {"version": float, "dataset": {"item_count": float}, "features": [feature]}
SWITCH = {"Enabled", "Disabled"}
CONSTRAINTS = {
    "version": float,
    "features": [
        {
            "name": str,
            "inferred_type": {"Integral", "Fractional", "String", "Unknown"},
            "completeness": float,
            "num_constraints?": {"is_non_negative": {True, False}},
            "string_constraints?": {"domains": [str]},
        }
    ],
    "monitoring_config": {
        "evaluate_constraints": SWITCH,
        "emit_metrics": SWITCH,
        "datatype_check_threshold": float,
        "domain_content_threshold": float,
        "distribution_constraints": {
            "perform_comparison": SWITCH,
            "comparison_threshold": float,
            "comparison_method": {"Simple", "Robust"},
            "categorical_comparison_threshold": float,
            "categorical_drift_method": {"LInfinity", "ChiSquared"},
        },
    },
}
VIOLATIONS = {
    "violations": [
        {
            "feature_name": str,
            "constraint_check_type": {
                "data_type_check",
                "completeness_check",
                "baseline_drift_check",
                "missing_column_check",
                "extra_column_check",
                "categorical_values_check",
            },
            "description": str,
        }
    ]
}


def only_one(value: dict, location: str) -> None:
    assert ("Value" in value) != ("StatisticValues" in value), location


METRIC = {
    "MetricName": str,
    "Timestamp": str,
    "Dimensions": [{"Name": str, "Value": str}],
    "Value?": float,
    "StatisticValues?": {"SampleCount": float, "Sum": float, "Minimum": float, "Maximum": float},
    "Unit?": str,
}


def test_the_forms_can_miss():
    for value, form in (({"a": 1}, {"b": int}), ({"a": "x"}, {"a": float}), ([1, "2"], [int]), ("no", SWITCH)):
        with pytest.raises(AssertionError):
            fits(value, form)


def test_a_baselines_files_have_the_documented_form(container):
    container.write(measurements(6_000, 1))
    assert container.run() == 0
    assert fits(container.read("statistics.json"), STATISTICS)
    assert fits(container.read("constraints.json"), CONSTRAINTS)
    types = [each["inferred_type"] for each in container.read("statistics.json")["features"]]
    assert types == ["Fractional", "Integral", "String", "String", "Integral"]


def test_a_batchs_files_have_the_documented_form(drifted):
    assert fits(drifted.read("statistics.json"), STATISTICS)
    assert fits(drifted.read("constraints.json"), CONSTRAINTS)
    assert fits(drifted.read("constraint_violations.json"), VIOLATIONS)
    assert drifted.read("constraint_violations.json")["violations"]
    form = {"drift": {True, False}, "violation_count": int, "sentence": str, "rows": int}
    assert fits(drifted.read("verdict.json"), form)


def test_a_batchs_statistics_may_be_the_next_baseline(checked):
    checked.write(patients(600, 3))
    assert checked.run() == 0
    statistics = checked.output / "statistics.json"
    goal = checked.root / "processing/input/baseline/statistics.json"
    statistics.replace(goal)
    checked.write(patients(48, 4))
    assert checked.run() == 0 and checked.read("verdict.json")["drift"] is False


SCHEDULE = {
    "publish_cloudwatch_metrics": "Enabled",
    "sagemaker_endpoint_name": "endpoint-0",
    "sagemaker_monitoring_schedule_name": "schedule-0",
    "start_time": "2026-01-31T15:20:00Z",
}


def published(container: Container) -> list[dict]:
    file = container.root / "output/metrics/cloudwatch/cloudwatch_metrics.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_metrics_for_model_monitor(drifted):
    assert drifted.run(**SCHEDULE) == 0
    found = published(drifted)
    for metric in found:
        assert fits(metric, METRIC)
        only_one(metric, metric["MetricName"])
        assert metric["Timestamp"] == "2026-01-31T15:20:00Z"
        assert {"Name": "MonitoringSchedule", "Value": "schedule-0"} in metric["Dimensions"]
        assert {"Name": "Endpoint", "Value": "endpoint-0"} in metric["Dimensions"]
    names = {metric["MetricName"] for metric in found}
    for name in NAMES:
        assert {f"feature_data_{name}", f"feature_non_null_{name}", f"feature_baseline_drift_{name}"} <= names
    assert not any("StatisticValues" in metric for metric in found), "smallest and largest are persons' values"


def test_exact_values_are_published_only_where_a_setting_allows_it(drifted):
    file = drifted.root / "processing/input/baseline/constraints.json"
    content = json.loads(file.read_text())
    content["monitoring_config"]["report_values"] = "Enabled"
    file.write_text(json.dumps(content))
    assert drifted.run(**SCHEDULE) == 0
    (age,) = [metric for metric in published(drifted) if metric["MetricName"] == "feature_data_age"]
    assert fits(age, METRIC) and age["StatisticValues"]["Maximum"] == 987


def test_the_log_holds_metrics_in_the_embedded_format(drifted, capsys):
    assert drifted.run(**SCHEDULE) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    found = json.loads(line)
    (directive,) = found["_aws"]["CloudWatchMetrics"]
    assert fits(found["_aws"], {"Timestamp": int, "CloudWatchMetrics": [dict]})
    assert fits(directive, {"Namespace": str, "Dimensions": [[str]], "Metrics": [{"Name": str, "Unit": str}]})
    assert 1 <= len(directive["Metrics"]) <= 100 and len(directive["Dimensions"][0]) <= 30
    # Every dimension is text and every metric a number, at the root.
    assert all(isinstance(found[name], str) for name in directive["Dimensions"][0])
    assert all(isinstance(found[metric["Name"]], int) for metric in directive["Metrics"])
    assert found["drift"] == 1 and found["rows"] == 48


@pytest.mark.parametrize("setting", ["publish_cloudwatch_metrics", "emit_metrics"])
def test_metrics_may_be_switched_off_in_two_settings(drifted, capsys, setting):
    settings = dict(SCHEDULE)
    if setting == "emit_metrics":
        file = drifted.root / "processing/input/baseline/constraints.json"
        content = json.loads(file.read_text())
        content["monitoring_config"][setting] = "Disabled"
        file.write_text(json.dumps(content))
    else:
        settings[setting] = "Disabled"
    assert drifted.run(**settings) == 0
    assert not (drifted.root / "output/metrics").exists()
    assert "_aws" not in capsys.readouterr().out


def test_the_message_begins_with_model_monitors_word(drifted):
    assert drifted.message.startswith("CompletedWithViolations: ")


def test_constraints_may_be_switched_off(drifted):
    file = drifted.root / "processing/input/baseline/constraints.json"
    content = json.loads(file.read_text())
    content["monitoring_config"]["evaluate_constraints"] = "Disabled"
    file.write_text(json.dumps(content))
    assert drifted.run() == 0
    assert drifted.read("verdict.json")["drift"] is False
    assert drifted.message == "Completed: Not checked: 48 rows; evaluate_constraints is Disabled."
