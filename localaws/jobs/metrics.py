"""Metrics that a training job prints: found in its log by the job's own expressions."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Sequence
from typing import Any

from localaws.jobs.failure import JobFailed

XGBOOST = re.compile(r"[/:](sagemaker-)?xgboost[:@]")
"""Images of the built-in XGBoost algorithm, whose metrics SageMaker knows by itself."""

XGBOOST_METRIC = re.compile(r"(?:^|#011|\s)(train|validation)-([\w@\-]+?):([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)")


class Metrics:
    """Takes log lines, and keeps the last value of each metric that MetricDefinitions describes."""

    def __init__(self, definitions: Sequence[dict[str, str]], image: str = "") -> None:
        self._lock = threading.Lock()
        self._last: dict[str, dict[str, Any]] = {}
        self._patterns: list[tuple[str, re.Pattern[str]]] = []
        self._built_in = not definitions and XGBOOST.search(image) is not None
        for definition in definitions:
            try:
                self._patterns.append((definition["Name"], re.compile(definition["Regex"])))
            except re.error as error:
                raise JobFailed(
                    f"ClientError: The Regex of metric {definition['Name']} can't be read: {error}."
                ) from None

    def read(self, line: str) -> None:
        """Look for every metric in a line; the first group of its expression is the value."""
        if self._built_in:
            for data, metric, value in XGBOOST_METRIC.findall(line):
                self._keep(f"{data}:{metric}", value)
        for name, pattern in self._patterns:
            match = pattern.search(line)
            if match and pattern.groups:
                self._keep(name, match.group(1))

    def final(self) -> list[dict[str, Any]]:
        """Return the FinalMetricDataList."""
        with self._lock:
            order = [name for name, _ in self._patterns] or sorted(self._last)
            return [self._last[name] for name in order if name in self._last]

    def _keep(self, name: str, text: str | None) -> None:
        try:
            value = float(text or "")
        except ValueError:
            return
        with self._lock:
            self._last[name] = {"MetricName": name, "Value": value, "Timestamp": time.time()}
