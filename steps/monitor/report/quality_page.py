"""The page of a model's quality: the verdict, each comparison, predictions beside labels, and what the join found."""

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

from steps.common import about
from steps.common.html import page, table
from steps.common.quality import binary, regression
from steps.monitor.quality import problems
from steps.monitor.quality.binary import Binary
from steps.monitor.quality.evaluation import Outcome, useless
from steps.monitor.quality.labels import Joined
from steps.monitor.quality.multiclass import Multiclass
from steps.monitor.quality.problems import MetricComparison
from steps.monitor.report import drift_page, quality_charts

MAX_BATCHES = 100
"""Batches that the page lists."""

RULE = (
    "A metric is violated only if it is worse by more than is allowed and chance alone would do that at most as often "
    "as its limit says. The limit is stricter the more metrics there are; once one is left to chance, so are those "
    "that chance explains more easily. Worse by and Allowed are in the metric's own unit; of MAE and RMSE they are "
    "shares of the registered metric, of bias registered RMSEs, of constraints distances from the threshold. A "
    "negative distance is an improvement."
)


def render(outcome: Outcome) -> str:
    """Return the page of an evaluation."""
    verdict = outcome.verdict
    looks = f" {'bad' if verdict['drift'] else 'good'}" if outcome.comparisons else ""
    # The predictions' own files say which version made them.
    versions = outcome.joined.versions
    version = {"version": ", ".join(versions)} if versions else {}
    body = [
        f'<p class="verdict{looks}">{escape(verdict["sentence"])}</p>',
        about.section(**version, made=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"),
    ]
    if outcome.comparisons:
        body += [_comparisons(outcome.comparisons), f"<p>{RULE}</p>"]
    if outcome.members:
        body.append(_charts(outcome))
    body.append(_join(outcome.joined))
    return page(f"Model quality{': drift' if verdict['drift'] else ''}", "\n".join(body), drift_page.STYLE)


def _comparisons(comparisons: Sequence[MetricComparison]) -> str:
    rows = [
        (
            each.name,
            "violated" if each.violated else "passed",
            each.sentence,
            problems.short(each.effect),
            problems.short(each.effect_threshold),
            drift_page.chance(each.p_value),
            drift_page.chance(each.p_threshold) if each.p_threshold else "not reached",
        )
        for each in comparisons
    ]
    head = ("Metric", "Outcome", "What was found", "Worse by", "Allowed", "By chance", "Limit of chance")
    return table(head, rows, "Metrics compared with the registered ones and constraints")


def _charts(outcome: Outcome) -> str:
    """Return the page's part that shows predictions beside labels."""
    rows: Any = outcome.rows
    before = outcome.before.metrics if outcome.before else None
    if isinstance(outcome.problem, Multiclass):
        return quality_charts.confusion(rows.classes, rows.counts) + quality_charts.classes(rows, before)
    if isinstance(outcome.problem, Binary):
        if rows.probabilities is None:
            return quality_charts.confusion(["0", "1"], rows.confusion)
        bins = binary.calibration(rows.labels, rows.probabilities)
        return quality_charts.calibration(bins, before.calibration if before else [])
    registered = before.residuals if before else []
    unit = before.rmse if before and registered and before.rmse > 0 else rows.rmse
    assert isinstance(rows, regression.Rows)
    return quality_charts.numbers(rows.calibration, before.calibration if before else []) + quality_charts.residuals(
        rows.residuals(unit), registered, unit
    )


def _join(joined: Joined) -> str:
    rows = [
        (
            batch.name,
            batch.rows,
            batch.labelled,
            batch.unlabelled,
            batch.rejected,
            batch.repeated,
            batch.contradictory,
            batch.unknown_rows,
        )
        for batch in joined.batches[:MAX_BATCHES]
    ]
    head = (
        "Batch",
        "Rows",
        "Labelled",
        "Without label",
        "Not scored",
        "Labelled again",
        "Contradictory",
        "No such row",
    )
    lost = useless(joined).strip()
    lost = f"<p>{escape(lost)}</p>" if lost else ""
    return f"<h2>Labels and predictions</h2>{table(head, rows, 'What the join found')}{lost}"
