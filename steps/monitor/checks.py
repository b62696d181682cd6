"""What a batch is held against: one function per check, and one correction over all of them.

Each check that compares two samples gives a p-value and a distance. It is violated only if the p-value
passes Holm's threshold *and* the distance is larger than the constraint allows; this keeps the chance
that a batch like the baseline violates anything at `false_alarm_rate`. What can't happen by chance (a
column that is missing, text in numbers, a number beyond its fences) has no p-value. Measured error rates of
all checks together: `python -m bench.monitor.error_rates`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from steps.monitor import significance
from steps.monitor.constraints import is_discrete, tolerated
from steps.monitor.sketch import Column, Numbers, Table, Texts

WHOLE_TABLE = "*"
"""Feature name of a violation that isn't one column's."""

MOST_BINS = 48


@dataclass
class Check:
    """One check of one column. `sql` finds the rows at fault; a check without `p_value` is certain."""

    feature: str
    kind: str
    sentence: str
    p_value: float | None = None
    effect: float = 0.0
    effect_threshold: float = 0.0
    p_threshold: float | None = None
    sql: str | None = None
    rows: list[tuple[str, int]] = field(default_factory=list)

    @property
    def violated(self) -> bool:
        """Whether the batch fails this check."""
        if self.effect <= self.effect_threshold:
            return False
        return self.p_value is None or (self.p_threshold is not None and self.p_value <= self.p_threshold)


def run(batch: Table, baseline: Table, constraints: dict, more: list[Check] | None = None) -> list[Check]:
    """Return every check's outcome; `more` are checks from elsewhere that share the correction."""
    config = constraints["monitoring_config"]
    limits = {str(feature["name"]): feature for feature in constraints["features"]}
    checks = [_row_count(batch.rows, config)]
    for name in limits:
        if name not in batch.columns:
            checks.append(Check(name, "missing_column_check", f"Column {name} is missing.", effect=1))
    for name, column in batch.columns.items():
        if name not in limits:
            sentence = f"Column {name} isn't in the baseline."
            checks.append(Check(name, "extra_column_check", sentence, effect=1))
        elif name in baseline.columns:
            checks += column_checks(name, column, baseline.columns[name], limits[name], config)
    checks += more or []
    uncertain = [check for check in checks if check.p_value is not None]
    level = float(config["significance_constraints"]["false_alarm_rate"])
    thresholds = significance.holm([check.p_value or 0.0 for check in uncertain], level)
    for check, threshold in zip(uncertain, thresholds, strict=True):
        check.p_threshold = threshold
    return checks


def _row_count(rows: int, config: dict) -> Check:
    least, most = config["row_count_constraints"]["minimum"], config["row_count_constraints"]["maximum"]
    allowed = f"at least {least}" if most is None else f"{least} to {most}"
    wrong = rows < (least or 0) or (most is not None and rows > most)
    return Check(WHOLE_TABLE, "completeness_check", f"{rows} rows where {allowed} belong.", effect=float(wrong))


def column_checks(name: str, column: Column, baseline: Column, limits: dict, config: dict) -> Iterator[Check]:
    """Give the checks of one column that both tables have."""
    significance_config = config["significance_constraints"]
    yield completeness(name, column, baseline, float(significance_config["completeness_threshold"]))
    kind = limits.get("inferred_type", "Unknown")
    if kind == "Unknown":
        return
    compare = config["distribution_constraints"]
    tolerance = tolerated(float(config["domain_content_threshold"]))
    if isinstance(column, Numbers):
        allowed = tolerated(float(config["datatype_check_threshold"]))
        yield from data_type(name, column, baseline, kind, allowed)
    if isinstance(column, Numbers) and isinstance(baseline, Numbers):
        yield value_range(name, column, limits.get("num_constraints") or {})
    if is_discrete(baseline) and not (isinstance(column, Texts) and column.hashed):
        yield unseen(name, column, baseline, tolerance)
    if compare["perform_comparison"] == "Enabled":
        yield drift(name, column, baseline, compare)


def completeness(name: str, column: Column, baseline: Column, least: float) -> Check:
    """Are more cells missing than in the baseline? Fisher's exact test, one-sided, mid-p."""
    rows, baseline_rows = _rows(column), _rows(baseline)
    p = significance.more_than_baseline(column.missing, rows, baseline.missing, baseline_rows)
    here, there = column.missing / max(1, rows), baseline.missing / max(1, baseline_rows)
    sentence = f"{_percent(here)} of {name} is missing where {_percent(there)} is in the baseline."
    return Check(name, "completeness_check", sentence, p, here - there, least, sql="cell IS NULL")


def data_type(name: str, column: Numbers, baseline: Column, kind: str, allowed: float) -> Iterator[Check]:
    """Are there cells that aren't finite numbers, or fractions where the baseline holds whole numbers?

    Where the baseline holds such cells too, their shares are compared by Fisher's exact test.
    """
    rows = column.present + column.mistyped
    before = baseline.mistyped if isinstance(baseline, Numbers) else 0
    expected = before / max(1, _rows(baseline) - baseline.missing)
    share = column.mistyped / max(1, rows)
    p = None
    if before and column.mistyped:
        p = significance.more_than_baseline(column.mistyped, rows, before, _rows(baseline) - baseline.missing)
    sentence = f"{_rows_are(column.mistyped)} of {name} not a finite number."
    yield Check(
        name,
        "data_type_check",
        sentence,
        p,
        share,
        max(allowed, expected),
        sql="cell IS NOT NULL AND NOT coalesce(isfinite(number), false)",
    )
    if kind == "Integral":
        share = column.fractional / max(1, rows)
        sentence = f"{_rows_are(column.fractional)} of {name} a fraction where the baseline has whole numbers."
        yield Check(
            name,
            "data_type_check",
            sentence,
            None,
            share,
            allowed,
            sql="isfinite(number) AND number <> floor(number)",
        )


def value_range(name: str, column: Numbers, limits: dict) -> Check:
    """Is a number below or above the constraint's fences?"""
    least = limits.get("minimum", 0.0 if limits.get("is_non_negative") else None)
    most = limits.get("maximum")
    low, high = -np.inf if least is None else float(least), np.inf if most is None else float(most)
    outside = int(column.counts[(column.keys < low) | (column.keys > high)].sum())
    if not outside and column.present:
        outside = int(column.moments.minimum < low) + int(column.moments.maximum > high)
    sentence = f"{_rows_are(outside)} of {name} outside {low:g} to {high:g}."
    conditions = [f"number < {low!r}"] * (low > -np.inf) + [f"number > {high!r}"] * (high < np.inf)
    sql = f"isfinite(number) AND ({' OR '.join(conditions)})" if conditions else None
    return Check(name, "categorical_values_check", sentence, None, outside / max(1, column.present), sql=sql)


def unseen(name: str, column: Column, baseline: Column, allowed: float) -> Check:
    """Do more rows hold values that the baseline hasn't than rare values explain?"""
    batch, before, values = aligned(column, baseline)
    p = significance.unseen_values(batch, before)
    rows = int(batch[before == 0].sum())
    share = rows / max(1, int(batch.sum()))
    sentence = f"{_rows_hold(rows)} a value of {name} that the baseline hasn't."
    known = [value for value, count in zip(values, before.tolist(), strict=True) if count][:1000]
    cell = "number" if isinstance(column, Numbers) else "cell"
    quoted = ", ".join(repr(float(v)) if cell == "number" else "'" + str(v).replace("'", "''") + "'" for v in known)
    sql = f"{cell} IS NOT NULL AND {cell} NOT IN ({quoted})" if known else f"{cell} IS NOT NULL"
    return Check(name, "categorical_values_check", sentence, p, share, allowed, sql=sql)


def drift(name: str, column: Column, baseline: Column, config: dict) -> Check:
    """Does the column's distribution differ from the baseline's?

    Values with few categories: the chi-square statistic, and half the sum of the differences of shares (total
    variation) for a distance. Other numbers: the Anderson-Darling statistic over at most 48 bins of equal
    pooled counts, and the largest difference of the cumulative shares (Kolmogorov-Smirnov). Both p-values are
    by permutation; see `steps.monitor.significance`.
    """
    batch, before, _ = aligned(column, baseline)
    numeric = isinstance(column, Numbers) and isinstance(baseline, Numbers)
    if numeric and not is_discrete(baseline):
        batch, before = binned(batch, before)
        p = significance.order_differs(batch, before)
        distance = _largest_gap(batch, before)
        threshold = float(config["comparison_threshold"])
        what = "largest difference of the cumulative shares"
    else:
        p = significance.categories_differ(batch, before)
        distance = float(np.abs(_shares(batch) - _shares(before)).sum() / 2) if batch.sum() else 0.0
        threshold = float(config["categorical_comparison_threshold"])
        what = "share of rows that moved to other values"
    sentence = f"The distribution of {name} differs from the baseline's: {what} {distance:.2f}."
    return Check(name, "baseline_drift_check", sentence, p, distance if batch.sum() else 0.0, threshold)


def aligned(column: Column, baseline: Column) -> tuple[significance.Counts, significance.Counts, list]:
    """Return both columns' counts over the same ascending values, and the values."""
    if isinstance(column, Numbers) and isinstance(baseline, Numbers):
        bits = min(column.bits, baseline.bits)
        one, two = column.cut(bits), baseline.cut(bits)
        values = np.union1d(one.keys, two.keys)
        counts = []
        for part in (one, two):
            full = np.zeros(len(values), dtype=np.int64)
            full[np.searchsorted(values, part.keys)] = part.counts
            counts.append(full)
        return counts[0], counts[1], values.tolist()
    first, second = _texts(column), _texts(baseline)
    hashed = first.hashed or second.hashed
    one, two = (first.buckets(), second.buckets()) if hashed else (first.counts, second.counts)
    names = sorted(one.keys() | two.keys())
    return (
        np.array([one.get(name, 0) for name in names], dtype=np.int64),
        np.array([two.get(name, 0) for name in names], dtype=np.int64),
        names,
    )


def _texts(column: Column) -> Texts:
    if isinstance(column, Texts):
        return column
    values = {f"{key:g}": int(count) for key, count in zip(column.keys.tolist(), column.counts, strict=True)}
    return Texts(values, column.missing, len(values))


def binned(batch: significance.Counts, before: significance.Counts) -> tuple[significance.Counts, significance.Counts]:
    """Gather neighbouring values into at most 48 bins of nearly equal pooled counts."""
    if len(batch) <= MOST_BINS:
        return batch, before
    up_to = np.cumsum(batch + before)
    places = np.minimum((up_to - 1) * MOST_BINS // up_to[-1], MOST_BINS - 1)
    return (
        np.bincount(places, weights=batch, minlength=MOST_BINS).astype(np.int64),
        np.bincount(places, weights=before, minlength=MOST_BINS).astype(np.int64),
    )


def _largest_gap(batch: significance.Counts, before: significance.Counts) -> float:
    if not batch.sum() or not before.sum():
        return 0.0
    return float(np.abs(np.cumsum(_shares(batch)) - np.cumsum(_shares(before))).max())


def _shares(counts: significance.Counts) -> np.ndarray:
    return counts / max(1, counts.sum())


def _rows(column: Column) -> int:
    return column.present + column.missing + (column.mistyped if isinstance(column, Numbers) else 0)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _rows_are(count: int) -> str:
    return "1 row is" if count == 1 else f"{count} rows are"


def _rows_hold(count: int) -> str:
    return "1 row holds" if count == 1 else f"{count} rows hold"
