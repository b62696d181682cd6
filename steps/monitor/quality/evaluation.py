"""The job that looks at a model's quality: its files in, the outcome and its page out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Any

from steps.common import about
from steps.common.html import page, table
from steps.monitor.contract import Job
from steps.monitor.failures import BadSetting, UnreadableBatch
from steps.monitor.quality import labels, problems
from steps.monitor.quality.binary import Binary
from steps.monitor.quality.labels import Joined
from steps.monitor.quality.multiclass import Multiclass
from steps.monitor.quality.problems import Baseline, MetricComparison, Problem
from steps.monitor.quality.regression import Regression
from steps.monitor.report import drift_page

MAX_BATCHES = 100
"""Batches that the page lists."""

RULE = (
    "A metric is violated only if it is worse by more than is allowed and chance alone would do that at most as often "
    "as its limit says. The limit is stricter the more metrics there are; once one is left to chance, so are those "
    "that chance explains more easily. Worse by and Allowed are in the metric's own unit; of MAE and RMSE they are "
    "shares of the registered metric, of bias registered RMSEs, of constraints distances from the threshold."
)


@dataclass
class Outcome:
    """Everything the container writes about a model's quality."""

    message: str
    files: dict[str, Any]
    page: str
    metrics: dict[str, float]
    """Each metric of the model's quality that was measured, by its name."""


def run(job: Job) -> Outcome:
    """Return the outcome of a job.

    Raises:
        StepFailed: naming the setting, file, row or column at fault.
    """
    problem = choose(job)
    joined = labels.join(job, problem)
    labels.require_predictions(joined, job)
    before = problems.read_baseline(job.statistics, problem) if job.statistics else None
    limits = problems.read_limits(job.constraints, problem) if job.constraints else {}
    rows = problem.rows(joined.labels, joined.predictions)
    if lacking := problem.lacking(rows):
        summary = f"Not enough {lacking} to evaluate the model: {_labelled(joined)}.{useless(joined)}"
        return _conclude(problem, joined, summary, {}, [], "")
    if mismatch := problem.mismatch(rows, before.metrics if before else None):
        raise UnreadableBatch(mismatch)
    found = problem.members(rows)
    comparisons = problem.compare(rows, before.metrics) if before else []
    if limits:
        comparisons += problems.compare_with_limits(
            limits, problem.threshold_test(rows), job.constraints.name if job.constraints else ""
        )
    problems.correct(comparisons)
    summary = sentence(problem, joined, found, before, comparisons)
    return _conclude(problem, joined, summary, found, comparisons, problem.pictures(rows, found, before))


def choose(job: Job) -> Problem:
    """Return the problem type that the settings name.

    Raises:
        BadSetting: there is no such type.
    """
    name = job.environment.get("problem_type") or Binary.name
    known = {each.name: each for each in (Binary, Multiclass, Regression)}
    if name not in known:
        raise BadSetting(f"problem_type is none of {', '.join(known)}.")
    return known[name](job)


def _conclude(
    problem: Problem,
    joined: Joined,
    summary: str,
    found: dict[str, Any],
    comparisons: Sequence[MetricComparison],
    pictures: str,
) -> Outcome:
    violated = [comparison for comparison in comparisons if comparison.violated]
    verdict = {
        "drift": bool(violated),
        "violation_count": len(violated),
        "sentence": summary,
        "rows": len(joined.labels),
        "contradictory_rows": joined.contradictory,
        "rows_that_do_not_exist": joined.unknown_rows,
        "labels_of_unknown_batches": joined.unknown_batches,
    }
    join = {
        "batches": [{**vars(batch), "unlabelled": batch.unlabelled} for batch in joined.batches],
        "labels_of_unknown_batches": joined.unknown_batches,
    }
    at = datetime.now(UTC).isoformat(timespec="seconds")
    dataset = {"item_count": len(joined.labels), "evaluation_time": at, "join": join}
    measured = {f"{problem.key}_metrics": found} if found else {}
    files = {
        "statistics.json": {"version": 0.0, "dataset": dataset, **measured},
        "constraints.json": problems.suggest(found, problem),
        "constraint_violations.json": {"violations": [_violation(comparison) for comparison in violated]},
        "verdict.json": verdict,
    }
    word = "CompletedWithViolations" if violated else "Completed"
    metrics = {name: float(each["value"]) for name, each in found.items() if problems.is_known(each)}
    return Outcome(f"{word}: {summary}", files, _page(verdict, joined, comparisons, pictures), metrics)


def sentence(
    problem: Problem,
    joined: Joined,
    found: dict[str, Any],
    before: Baseline | None,
    comparisons: Sequence[MetricComparison],
) -> str:
    """Return the verdict in one sentence, and in another what has to be said beside it."""
    word, now = problem.headline(found)
    old, was = before.headline if before else ("", "")
    compared = f" (it was {was})" if old == word else ""
    rest = f"{word} {now}{compared}; {_labelled(joined)}.{problem.note(found)}{useless(joined)}"
    violated = dict.fromkeys(comparison.name for comparison in comparisons if comparison.violated)
    if not comparisons:
        return f"Measured: {rest}"
    if violated:
        happened = "has become worse" if before else "violates its constraints"
        return f"Drift: the model {happened} ({', '.join(violated)}); {rest}"
    return f"No drift: the model {'is as good as it was' if before else 'keeps its constraints'}; {rest}"


def useless(joined: Joined) -> str:
    """Return a sentence about labels that could not be used, if there are any."""
    rows, missing, strange = joined.contradictory, joined.unknown_rows, joined.unknown_batches
    parts = (
        f"{rows} row{_s(rows)} {'has' if rows == 1 else 'have'} contradictory ones" if rows else "",
        f"{missing} row{_s(missing)} {'does' if missing == 1 else 'do'} not exist" if missing else "",
        f"{strange} label{_s(strange)} {'is of a batch that is' if strange == 1 else 'are of batches that are'} "
        "not here (an earlier version's, perhaps)"
        if strange
        else "",
    )
    summary = ", ".join(filter(None, parts))
    return f" Labels that don't count: {summary}." if summary else ""


def _s(count: int) -> str:
    return "" if count == 1 else "s"


def _labelled(joined: Joined) -> str:
    scored = sum(batch.rows - batch.rejected for batch in joined.batches)
    return f"{len(joined.labels)} of {scored} scored rows are labelled"


def _violation(comparison: MetricComparison) -> dict[str, Any]:
    return {
        "metric_name": comparison.name,
        "constraint_check_type": comparison.kind,
        "description": comparison.sentence,
        "value": comparison.now,
        "compared_with": comparison.before,
        "p_value": comparison.p_value,
        "p_value_threshold": comparison.p_threshold,
        "effect_size": comparison.effect,
        "effect_size_threshold": comparison.effect_threshold,
    }


def _page(verdict: dict, joined: Joined, comparisons: Sequence[MetricComparison], pictures: str) -> str:
    looks = f" {'bad' if verdict['drift'] else 'good'}" if comparisons else ""
    # The predictions' own files say which version made them.
    version = {"version": ", ".join(joined.versions)} if joined.versions else {}
    provenance = about.section(**version, made=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC")
    body = [f'<p class="verdict{looks}">{escape(verdict["sentence"])}</p>', provenance]
    if comparisons:
        rows = [
            (
                comparison.name,
                "violated" if comparison.violated else "passed",
                comparison.sentence,
                problems.short(comparison.effect),
                problems.short(comparison.effect_threshold),
                drift_page.chance(comparison.p_value),
                drift_page.chance(comparison.p_threshold) if comparison.p_threshold else "not reached",
            )
            for comparison in comparisons
        ]
        head = ("Metric", "Outcome", "What was found", "Worse by", "Allowed", "By chance", "Limit of chance")
        body += [table(head, rows, "Metrics against the registered ones and constraints"), f"<p>{RULE}</p>"]
    body += [pictures, _join(joined)]
    title = "The model's quality: drift" if verdict["drift"] else "The model's quality"
    return page(title, "\n".join(body), drift_page.STYLE)


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
