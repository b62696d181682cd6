"""Metrics that a training job prints: found in its log by the job's own expressions."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Sequence
from typing import Any

from localaws.jobs.failure import JobFailed


class Metrics:
    """Takes log lines, and keeps the last value of each metric that MetricDefinitions describes."""

    def __init__(self, definitions: Sequence[dict[str, str]]) -> None:
        self._lock = threading.Lock()
        self._last: dict[str, dict[str, Any]] = {}
        self._patterns: list[tuple[str, re.Pattern[str]]] = []
        for definition in definitions:
            try:
                self._patterns.append((definition["Name"], re.compile(definition["Regex"])))
            except re.error as error:
                raise JobFailed(
                    f"ClientError: The Regex of metric {definition['Name']} can't be read: {error}."
                ) from None

    def read(self, line: str) -> None:
        """Look for every metric in a line; the first group of its expression is the value."""
        for name, pattern in self._patterns:
            match = pattern.search(line)
            if match and pattern.groups:
                try:
                    value = float(match.group(1))
                except (TypeError, ValueError):
                    continue
                with self._lock:
                    self._last[name] = {"MetricName": name, "Value": value, "Timestamp": time.time()}

    def final(self) -> list[dict[str, Any]]:
        """Return the FinalMetricDataList."""
        with self._lock:
            return [self._last[name] for name, _ in self._patterns if name in self._last]
