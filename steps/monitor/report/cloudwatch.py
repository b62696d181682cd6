"""CloudWatch metrics: as files for Model Monitor to publish, and in the log in the embedded metric format.

The files' form: docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-byoc-cloudwatch.html; the names are those that
AWS's analyzer gives its own. The log's form: docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/
CloudWatch_Embedded_Metric_Format_Specification.html.
"""

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from steps.common import paths
from steps.monitor.contract import Job
from steps.monitor.data.histograms import Column, Numbers
from steps.monitor.drift import checks
from steps.monitor.drift.analysis import Outcome

NAMESPACE = "Baton/Monitor"
MIN_ROWS = 10
"""Numbers of fewer rows have no mean in the metrics: it would nearly be a person's."""


def wanted(job: Job, outcome: Outcome) -> bool:
    """Whether metrics are to be emitted: the job's setting and the constraints' both have to allow it."""
    config = outcome.constraints["monitoring_config"]
    return job.publish_metrics and config.get("emit_metrics", "Enabled") == "Enabled"


def file() -> Path:
    """Return where Model Monitor looks for metrics."""
    return paths.root() / "output" / "metrics" / "cloudwatch" / "cloudwatch_metrics.jsonl"


def lines(job: Job, outcome: Outcome) -> str:
    """Return the metrics for Model Monitor, one JSON object per line.

    Smallest and largest numbers are persons' values: they are emitted only where the constraints' `report_values`
    allows it, and the mean stands alone otherwise.
    """
    common = {"Timestamp": _time(job), "Dimensions": _dimensions(job)}
    exact = outcome.constraints["monitoring_config"].get("report_values") == "Enabled"
    found = []
    for name, column in outcome.table.columns.items():
        if isinstance(column, Numbers) and column.present >= MIN_ROWS:
            found.append({"MetricName": f"feature_data_{name}", **common, **_data(column, exact)})
        found.append({"MetricName": f"feature_non_null_{name}", **common, "Value": _complete(column), "Unit": "None"})
    for check in outcome.checks:
        if check.kind == checks.DRIFT and check.feature != checks.WHOLE_TABLE:
            name = f"feature_baseline_drift_{check.feature}"
            found.append({"MetricName": name, **common, "Value": check.effect, "Unit": "None"})
    if outcome.checks:
        found.append({"MetricName": "violations", **common, "Value": float(len(outcome.violations)), "Unit": "Count"})
    return "".join(json.dumps(each, allow_nan=False) + "\n" for each in found)


def quality_lines(job: Job, measured: Mapping[str, float], violations: int) -> str:
    """Return the metrics of a model's quality for Model Monitor: each metric, by its name in statistics.json."""
    common = {"Timestamp": _time(job), "Dimensions": _dimensions(job)}
    found = [{"MetricName": name, **common, "Value": value, "Unit": "None"} for name, value in measured.items()]
    found.append({"MetricName": "violations", **common, "Value": float(violations), "Unit": "Count"})
    return "".join(json.dumps(each, allow_nan=False) + "\n" for each in found)


def embedded(job: Job, rows: int, violations: int) -> str:
    """Return one log line in the embedded metric format: rows, violations, and whether there is drift."""
    dimensions = {each["Name"]: each["Value"] for each in _dimensions(job)}
    values = {"rows": rows, "violations": violations, "drift": int(bool(violations))}
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [list(dimensions)],
        "Metrics": [{"Name": name, "Unit": "Count"} for name in values],
    }
    about = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
    return json.dumps({"_aws": about, **dimensions, **values})


def _data(column: Numbers, exact: bool) -> dict[str, Any]:
    moments = column.moments
    if not exact:
        return {"Value": moments.mean, "Unit": "None"}
    return {
        "StatisticValues": {
            "SampleCount": float(moments.count),
            "Sum": moments.mean * moments.count,
            "Minimum": moments.minimum,
            "Maximum": moments.maximum,
        },
        "Unit": "None",
    }


def _complete(column: Column) -> float:
    rows = checks.rows_of(column)
    return (rows - column.missing) / rows if rows else 1.0


def _dimensions(job: Job) -> list[dict[str, str]]:
    names = {"Endpoint": "sagemaker_endpoint_name", "MonitoringSchedule": "sagemaker_monitoring_schedule_name"}
    return [
        {"Name": name, "Value": job.environment[variable]}
        for name, variable in names.items()
        if job.environment.get(variable)
    ]


def _time(job: Job) -> str:
    return (job.start or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
