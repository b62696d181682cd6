"""Earlier batches: what was found of them, for the report to compare with.

It stands in their `metrics.json` or, shorter, in their `verdict.json`, also where that is kept as `verdict` within
other JSON files, as in a ledger.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from steps.monitor.drift.checks import WHAT
from steps.monitor.failures import BadSetting

FILES = ("metrics.json", "verdict.json")
MAX_BATCHES = 30
"""Batches that a report shows, the newest of those that are given."""

Key = tuple[str, str]
"""A check: its column and what is checked."""


@dataclass(frozen=True)
class Batch:
    """An earlier batch: when it was looked at, its rows and verdict, and how far each check found it apart."""

    at: str
    rows: int
    drift: bool
    effects: dict[Key, float]
    violated: frozenset[Key]
    violations: int


def read(folder: Path | None) -> list[Batch]:
    """Return the batches whose results lie below a folder, oldest first; none where there is no folder.

    Raises:
        BadSetting: one of the files isn't what this step wrote.
    """
    if folder is None or not folder.exists():
        return []
    found = [_batch(file, file.relative_to(folder).as_posix()) for file in sorted(folder.rglob("*.json"))]
    # A batch's metrics.json and verdict.json say the same.
    known = {(batch.at, batch.rows, batch.drift): batch for batch in found if batch}
    return sorted(known.values(), key=lambda batch: batch.at)[-MAX_BATCHES:]


def _batch(file: Path, name: str) -> Batch | None:
    try:
        content = json.loads(file.read_bytes())
        if file.name not in FILES:
            content = content.get("verdict") or {}
            if "checks" not in content:
                return None
        effects, violated = {}, set()
        for check in content["checks"]:
            kind = str(check["constraint_check_type"])
            key = (str(check["feature_name"]), str(check.get("what", WHAT.get(kind, kind))))
            effects[key] = max(effects.get(key, float("-inf")), float(check["effect_size"]))
            if check["violated"]:
                violated.add(key)
        return Batch(
            str(content["analysed_at"]),
            int(content["rows"]),
            bool(content["drift"]),
            effects,
            frozenset(violated),
            int(content.get("violation_count", len(violated))),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BadSetting(f"earlier_results: {name} isn't a result of this container.") from None
