"""What a batch is compared with: one function per check, and one correction over all of them.

Each check that compares two samples gives a p-value and a distance. It is violated only if the p-value passes Holm's
threshold *and* the distance is larger than the constraint allows; this keeps the chance that a batch like the baseline
violates anything at `false_alarm_rate`, and no difference too small to matter alarms however many rows there are. What
can't happen by chance (a column that is missing, text in numbers, a number beyond its fences) has no p-value.

Of the level, `completeness_share` goes to the checks of completeness, spread over the columns by their pooled shares
of missing cells: Fisher's test conditions on these, so weights made of them cost nothing, and a column that often
misses anyway needs a laxer threshold than the others to show that 30 % more are missing in 48 rows. The other checks
share the rest evenly.

Error rates of all checks together, each batch with a baseline of its own of 600 rows, both drawn from a copula fitted
to the example's table (`python -m bench.monitor.error_rates`, which draws them again): of 1,000 clean batches of 48,
500 and 50,000 rows 0, 7 and 2 raised an alarm (with 95 % confidence at most 0.30, 1.31 and 0.63 %). Of batches of 48
rows, these did: 996 of 1,000 whose ages are 15 years higher; 1,444 of 1,500 that lack 30 % more of density, the hardest
column, as 8 % of it is missing anyway; 99 to 100 % of 200 for each other column; all of 200 with one cell typed twice;
492 of 500 with margin's categories permuted; all of 500 that `data.make` would make. Of 50 batches of 50,000 rows of
which one in 20 patients is a year older, none did.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from steps.common.schema import Schema
from steps.common.text import count, percent
from steps.monitor import significance
from steps.monitor.data import duckdb_source
from steps.monitor.data.histograms import Column, Numbers, Table, Texts
from steps.monitor.drift.constraints import config_of, is_discrete, tolerated

WHOLE_TABLE = "*"
"""Feature name of a violation that isn't one column's."""

COMPLETENESS, DATA_TYPE, CATEGORICAL, DRIFT = (
    "completeness_check",
    "data_type_check",
    "categorical_values_check",
    "baseline_drift_check",
)

STRUCTURE = {"missing_column_check", "extra_column_check", DATA_TYPE}
"""Checks that say that a batch isn't a table like the baseline's, which is no drift of the world."""

WHAT = {
    DRIFT: "distribution",
    COMPLETENESS: "completeness",
    DATA_TYPE: "type",
    CATEGORICAL: "values outside the domain",
    "missing_column_check": "missing column",
    "extra_column_check": "extra column",
}
"""What each kind of check is about, in words."""

FRACTIONS, RANGE, ROWS = "fractions", "numbers outside the range", "number of rows"
"""What a check is about where its kind says too little."""

MAX_BINS = 48

MAX_LISTED = 1000
"""Values of a domain among which rows at fault are looked for."""


@dataclass
class Check:
    """One check of one column.

    Args:
        feature: the column, or WHOLE_TABLE.
        kind: SageMaker's `constraint_check_type`.
        sentence: what was found, without any row's values.
        p_value: the chance of this or more if nothing had changed; none where nothing is left to chance.
        effect: the distance found, in the unit of `effect_threshold`.
        effect_threshold: the distance that is allowed.
        p_threshold: what the p-value has to stay below to count, from the correction over all checks.
        weight: share of the level, before the correction.
        sql: finds the rows at fault, over `cell` and `number`.
        at_fault: how many rows these are, or about; 0 where there is none to look for.
        rows: the first rows at fault: file, row number, and the value where the settings allow it.
        what: what is checked, in words: with the column it names the check, as no two of a column have it in common.
    """

    feature: str
    kind: str
    sentence: str
    p_value: float | None = None
    effect: float = 0.0
    effect_threshold: float = 0.0
    p_threshold: float | None = None
    weight: float = 0.0
    sql: str | None = None
    at_fault: int = 0
    rows: list[tuple[str, int, str | None]] = field(default_factory=list)
    what: str = ""

    def __post_init__(self) -> None:
        """Take the kind's own words where there are none."""
        self.what = self.what or WHAT[self.kind]

    @property
    def violated(self) -> bool:
        """Whether the batch fails this check."""
        if self.effect <= self.effect_threshold:
            return False
        return self.p_value is None or (self.p_threshold is not None and self.p_value <= self.p_threshold)


def run(batch: Table, baseline: Table, constraints: dict, joint_check: Check | None = None) -> list[Check]:
    """Return every check's outcome; `together`, the classifier's if it has one, shares the correction."""
    config = constraints["monitoring_config"]
    if config["evaluate_constraints"] != "Enabled":
        return []
    limits = {str(feature["name"]): feature for feature in constraints["features"]}
    checks = [row_count(batch.rows, config)]
    for name in limits:
        if name not in batch.columns:
            checks.append(Check(name, "missing_column_check", f"Column {name} is missing.", effect=1))
    for name, column in batch.columns.items():
        if name not in limits:
            sentence = f"Column {name} isn't in the baseline."
            checks.append(Check(name, "extra_column_check", sentence, effect=1))
        elif name in baseline.columns:
            checks += column_checks(name, column, baseline.columns[name], limits[name], config_of(limits[name], config))
    checks += [joint_check] if joint_check else []
    correct(checks, config["significance_constraints"])
    return checks


def correct(checks: list[Check], config: dict) -> None:
    """Set the thresholds of all p-values: Holm's correction with the weights that the module describes."""
    uncertain = [check for check in checks if check.p_value is not None]
    for completeness, share in ((True, config["completeness_share"]), (False, 1 - config["completeness_share"])):
        group = [check for check in uncertain if (check.kind == COMPLETENESS) == completeness]
        total = sum(check.weight for check in group)
        for check in group:
            check.weight = share * (check.weight / total if total else 1 / len(group))
    thresholds = significance.holm(
        [check.p_value or 0.0 for check in uncertain],
        float(config["false_alarm_rate"]),
        [check.weight for check in uncertain],
    )
    for check, threshold in zip(uncertain, thresholds, strict=True):
        check.p_threshold = threshold


def row_count(rows: int, config: dict) -> Check:
    """Has the batch as many rows as `row_count_constraints` allow?"""
    least, most = config["row_count_constraints"]["minimum"], config["row_count_constraints"]["maximum"]
    allowed = f"at least {least}" if most is None else f"{least} to {most}"
    wrong = rows < (least or 0) or (most is not None and rows > most)
    return Check(
        WHOLE_TABLE, COMPLETENESS, f"{count(rows, 'row')} where {allowed} belong.", effect=float(wrong), what=ROWS
    )


def column_checks(name: str, column: Column, baseline: Column, limits: dict, config: dict) -> Iterator[Check]:
    """Give the checks of one column that both tables have."""
    if config["evaluate_constraints"] != "Enabled":
        return
    yield completeness(name, column, baseline, limits, config)
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
    domain = (limits.get("string_constraints") or {}).get("domains")
    if is_discrete(baseline) or domain:
        yield unseen(name, column, baseline, tolerance, domain)
    if compare["perform_comparison"] == "Enabled":
        yield drift(name, column, baseline, compare)


def completeness(name: str, column: Column, baseline: Column, limits: dict, config: dict) -> Check:
    """Are more cells missing than in the baseline? Fisher's exact test, one-sided, mid-p.

    Where a person wrote another `completeness` into the constraints than the baseline has, a laxer one is allowed
    too, and a stricter one holds without a test.
    """
    rows, before = rows_of(column), rows_of(baseline)
    here, there = column.missing / max(1, rows), baseline.missing / max(1, before)
    sentence = f"{percent(here)} of {name} is missing where {percent(there)} is in the baseline."
    allowed = 1 - float(limits.get("completeness", 1 - there))
    if allowed < there - 1e-9:
        sentence = f"{percent(here)} of {name} is missing where {percent(allowed)} may be."
        absent = column.missing
        return Check(name, COMPLETENESS, sentence, None, here - allowed, sql="cell IS NULL", at_fault=absent)
    least = float(config["significance_constraints"]["completeness_threshold"])
    p = significance.more_than_baseline(column.missing, rows, baseline.missing, before)
    check = Check(name, COMPLETENESS, sentence, p, here - there, max(least, allowed - there), sql="cell IS NULL")
    check.at_fault = column.missing
    check.weight = (column.missing + baseline.missing) / max(1, rows + before)
    return check


def data_type(name: str, column: Numbers, baseline: Column, kind: str, allowed: float) -> Iterator[Check]:
    """Are there cells that aren't finite numbers, or fractions where the baseline holds whole numbers?

    Where the baseline holds such cells too, their shares are compared by Fisher's exact test.
    """
    rows = column.present + column.mistyped
    before = baseline.mistyped if isinstance(baseline, Numbers) else 0
    expected = before / max(1, rows_of(baseline) - baseline.missing)
    share = column.mistyped / max(1, rows)
    p = None
    if before and column.mistyped:
        p = significance.more_than_baseline(column.mistyped, rows, before, rows_of(baseline) - baseline.missing)
    sentence = f"{_rows_hold(column.mistyped)} something else than a finite number in {name}."
    yield Check(
        name,
        DATA_TYPE,
        sentence,
        p,
        share,
        max(allowed, expected),
        weight=1.0,
        sql="cell IS NOT NULL AND NOT coalesce(isfinite(number), false)",
        at_fault=column.mistyped,
    )
    if kind == "Integral":
        share = column.fractional / max(1, rows)
        sentence = f"{_rows_hold(column.fractional)} a fraction in {name}, where the baseline has whole numbers."
        yield Check(
            name,
            DATA_TYPE,
            sentence,
            None,
            share,
            allowed,
            sql="isfinite(number) AND number <> floor(number)",
            at_fault=column.fractional,
            what=FRACTIONS,
        )


def value_range(name: str, column: Numbers, limits: dict) -> Check:
    """Is a number below or above the constraint's fences?"""
    least = limits.get("minimum", 0.0 if limits.get("is_non_negative") else None)
    most = limits.get("maximum")
    low, high = -np.inf if least is None else float(least), np.inf if most is None else float(most)
    outside = int(column.counts[(column.keys < low) | (column.keys > high)].sum())
    if not outside and column.present:
        outside = int(column.moments.minimum < low) + int(column.moments.maximum > high)
    sentence = f"{_rows_hold(outside)} a number {_beyond(least, most)} in {name}{_expected(name) if outside else ''}."
    conditions = [f"number < {low!r}"] * (low > -np.inf) + [f"number > {high!r}"] * (high < np.inf)
    sql = f"isfinite(number) AND ({' OR '.join(conditions)})" if conditions else None
    share = outside / max(1, column.present)
    return Check(name, CATEGORICAL, sentence, None, share, sql=sql, at_fault=outside, what=RANGE)


def _beyond(least: float | None, most: float | None) -> str:
    if least is None or most is None:
        limit = f"above the constraint's {most:g}" if most is not None else f"below the constraint's {least or 0:g}"
        return "beyond no limit" if least is None and most is None else limit
    return f"outside the constraint's {least:g} to {most:g}"


def _expected(name: str) -> str:
    """Return the domain of the schema's column of this name, if there is one and it has ends."""
    column = next((each for each in Schema.read().columns if each.name == name), None)
    ends = (column.values or (column.minimum, column.maximum)) if column else ()
    if not ends or not all(isinstance(end, float | int) and np.isfinite(end) for end in ends):
        return ""
    return f", where the schema says {min(ends):g} to {max(ends):g}"


def unseen(name: str, column: Column, baseline: Column, allowed: float, domain: Sequence[str] | None = None) -> Check:
    """Do more rows hold values outside the domain than rare values explain?

    The domain is the baseline's values. Where a person wrote another one into the constraints, it holds without a
    test. Of a column with more values than a sketch keeps, only buckets that hold none of the domain count.
    """
    batch, before, values = aligned(column, baseline)
    edited = domain is not None and isinstance(baseline, Texts) and set(domain) != set(baseline.counts)
    if edited and not (isinstance(column, Texts) and column.hashed) and not baseline.hashed:
        known = {str(value) for value in domain or ()}
        outside = np.array([value not in known for value in values], dtype=bool)
        p = None
    else:
        known = set(baseline.counts) if isinstance(baseline, Texts) else set(baseline.keys.tolist())
        outside = before == 0
        p = significance.unseen_values(batch, before)
    rows = int(batch[outside].sum())
    share = rows / max(1, int(batch.sum()))
    sentence = f"{_rows_hold(rows)} a value in {name} that the baseline hasn't."
    cell = "number" if isinstance(column, Numbers) else "cell"
    listed = [_literal(value, cell) for value in sorted(known, key=str)[:MAX_LISTED]]
    sql = f"{cell} IS NOT NULL AND {cell} NOT IN ({', '.join(listed)})" if listed else f"{cell} IS NOT NULL"
    if isinstance(baseline, Texts) and baseline.hashed:
        sql = None
    return Check(name, CATEGORICAL, sentence, p, share, allowed, weight=1.0, sql=sql, at_fault=rows)


def _literal(value: object, cell: str) -> str:
    return repr(float(str(value))) if cell == "number" else duckdb_source.text(str(value))


def drift(name: str, column: Column, baseline: Column, config: dict) -> Check:
    """Does the column's distribution differ from the baseline's?

    Values with few categories: the chi-square statistic, and half the sum of the differences of shares (total
    variation; with `LInfinity` the largest difference) for a distance. Other numbers: the Anderson-Darling statistic
    over at most 48 bins of equal pooled counts, and the largest difference of the cumulative shares (Kolmogorov and
    Smirnov). Both p-values are by permutation; see `steps.monitor.significance`.
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
        apart = np.abs(_shares(batch) - _shares(before))
        largest = config["categorical_drift_method"] == "LInfinity"
        distance = float(apart.max(initial=0.0) if largest else apart.sum() / 2)
        threshold = float(config["categorical_comparison_threshold"])
        what = "largest difference of a value's shares" if largest else "share of rows that moved to other values"
    sentence = f"The distribution of {name} differs from the baseline's: {what} {distance:.2f}."
    return Check(name, DRIFT, sentence, p, distance if batch.sum() else 0.0, threshold, weight=1.0)


def aligned(column: Column, baseline: Column) -> tuple[significance.Counts, significance.Counts, list]:
    """Return both columns' counts over the same ascending values, and the values."""
    if isinstance(column, Numbers) and isinstance(baseline, Numbers):
        bits = min(column.bits, baseline.bits)
        one, two = column.cut(bits), baseline.cut(bits)
        # With places, as without them numpy first imports its masked arrays, which takes longer than all checks.
        values, positions = np.unique(np.concatenate([one.keys, two.keys]), return_inverse=True)
        counts = np.zeros((2, len(values)), dtype=np.int64)
        counts[0, positions[: len(one.keys)]] = one.counts
        counts[1, positions[len(one.keys) :]] = two.counts
        return counts[0], counts[1], values.tolist()
    first, second = _texts(column), _texts(baseline)
    hashed = first.hashed or second.hashed
    one, two = (first.as_hashed().counts, second.as_hashed().counts) if hashed else (first.counts, second.counts)
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
    if len(batch) <= MAX_BINS:
        return batch, before
    up_to = np.cumsum(batch + before)
    positions = np.minimum((up_to - 1) * MAX_BINS // up_to[-1], MAX_BINS - 1)
    return (
        np.bincount(positions, weights=batch, minlength=MAX_BINS).astype(np.int64),
        np.bincount(positions, weights=before, minlength=MAX_BINS).astype(np.int64),
    )


def _largest_gap(batch: significance.Counts, before: significance.Counts) -> float:
    if not batch.sum() or not before.sum():
        return 0.0
    return float(np.abs(np.cumsum(_shares(batch)) - np.cumsum(_shares(before))).max())


def _shares(counts: significance.Counts) -> np.ndarray:
    return counts / max(1, counts.sum())


def rows_of(column: Column) -> int:
    """Return how many rows a column has."""
    return column.present + column.missing + (column.mistyped if isinstance(column, Numbers) else 0)


def _rows_hold(rows: int) -> str:
    return f"{count(rows, 'row')} hold{'s' * (rows == 1)}"
