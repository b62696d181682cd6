"""The job that looks at a model's quality: its files in, the outcome and its page out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Any

from steps.common import about
from steps.common.html import page, table
from steps.common.svg import Plot
from steps.monitor import labels, quality, report
from steps.monitor.contract import Job
from steps.monitor.failures import BadBaseline, BadSetting, read_json
from steps.monitor.labels import Joined
from steps.monitor.quality import Drop, Figures

MOST_BATCHES = 100
"""Batches that the page lists."""


@dataclass
class Outcome:
    """Everything the container writes about a model's quality."""

    message: str
    files: dict[str, Any]
    page: str
    figures: dict[str, float]
    """Each figure of the model's quality that was measured, by its name."""


def run(job: Job) -> Outcome:
    """Return the outcome of a job.

    Raises:
        StepFailed: naming the setting, file, row or column at fault.
    """
    problem = job.environment.get("problem_type") or "BinaryClassification"
    if problem != "BinaryClassification":
        raise BadSetting("problem_type: this container measures BinaryClassification only.")
    threshold = _threshold(job)
    joined = labels.join(job)
    labels.require_predictions(joined, job)
    before = quality.read_baseline(job.statistics) if job.statistics else None
    limits = _limits(job)
    if not quality.enough(joined.labels):
        return _conclude(joined, None, before, [], {})
    found = quality.metrics(joined.labels, joined.probabilities, threshold)
    now = quality.figures(joined.labels, joined.probabilities)
    drops = quality.compare(joined.labels, joined.probabilities, now, before) if before else []
    if limits:
        name = job.constraints.name if job.constraints else ""
        drops += quality.held(joined.labels, joined.probabilities, threshold, limits, name)
    quality.correct(drops)
    return _conclude(joined, now, before, drops, found)


def _threshold(job: Job) -> float:
    text = job.environment.get("probability_threshold_attribute") or "0.5"
    try:
        return float(text)
    except ValueError:
        raise BadSetting("probability_threshold_attribute is not a number.") from None


def _limits(job: Job) -> dict[str, Any]:
    if job.constraints is None:
        return {}
    limits = read_json(job.constraints).get(quality.CONSTRAINTS)
    if not isinstance(limits, dict):
        raise BadBaseline(f"{job.constraints.name}: has no {quality.CONSTRAINTS} in SageMaker's form.")
    return limits


def _conclude(
    joined: Joined, now: Figures | None, before: Figures | None, drops: list[Drop], found: dict[str, Any]
) -> Outcome:
    violated = [drop for drop in drops if drop.violated]
    said = sentence(joined, now, before, violated, bool(drops))
    verdict = {
        "drift": bool(violated),
        "violation_count": len(violated),
        "sentence": said,
        "rows": len(joined.labels),
    }
    join = {
        "batches": [{**vars(batch), "unlabelled": batch.unlabelled} for batch in joined.batches],
        "labels_of_unknown_batches": joined.unknown_batches,
    }
    at = datetime.now(UTC).isoformat(timespec="seconds")
    dataset = {"item_count": len(joined.labels), "evaluation_time": at, "join": join}
    files = {
        "statistics.json": {"version": 0.0, "dataset": dataset, **({quality.METRICS: found} if found else {})},
        "constraints.json": quality.suggest(found),
        "constraint_violations.json": {"violations": [_violation(drop) for drop in violated]},
        "verdict.json": verdict,
    }
    word = "CompletedWithViolations" if violated else "Completed"
    figures = {name: float(each["value"]) for name, each in found.items() if isinstance(each, dict) and "value" in each}
    return Outcome(f"{word}: {said}", files, _page(verdict, joined, now, before, drops), figures)


def sentence(
    joined: Joined, now: Figures | None, before: Figures | None, violated: Sequence[Drop], checked: bool
) -> str:
    """Return the verdict in one sentence."""
    scored = sum(batch.rows - batch.rejected for batch in joined.batches)
    of = f"{len(joined.labels)} of {scored} scored rows are labelled"
    if now is None:
        return f"Not enough labels to judge the model: {of}."
    if violated:
        names = ", ".join(dict.fromkeys(drop.name for drop in violated))
        return f"Drift: the model has become worse ({names}); AUC {now.auc:.3f}; {of}."
    if not checked:
        return f"Measured: AUC {now.auc:.3f}; {of}."
    was = f" (it was {before.auc:.3f})" if before else ""
    return f"No drift: the model is as good as it was; AUC {now.auc:.3f}{was}; {of}."


def _violation(drop: Drop) -> dict[str, Any]:
    return {
        "metric_name": drop.name,
        "constraint_check_type": drop.kind,
        "description": drop.sentence,
        "p_value": drop.p_value,
        "p_value_threshold": drop.p_threshold,
        "effect_size": drop.effect,
        "effect_size_threshold": drop.effect_threshold,
    }


def _page(verdict: dict, joined: Joined, now: Figures | None, before: Figures | None, drops: Sequence[Drop]) -> str:
    bad = "bad" if verdict["drift"] else "good"
    body = [f'<p class="verdict {bad}">{escape(verdict["sentence"])}</p>', about.section()]
    if drops:
        rows = [
            (
                drop.name,
                "violated" if drop.violated else "passed",
                drop.sentence,
                f"{drop.effect:.3f}",
                f"{drop.effect_threshold:.3f}",
                report.chance(drop.p_value),
            )
            for drop in drops
        ]
        head = ("Figure", "Outcome", "What was found", "Worse by", "Allowed", "By chance")
        body.append(table(head, rows, "Figures against the registered ones"))
    if now is not None:
        body.append(_calibration(now, before))
    body.append(_join(joined))
    title = "The model's quality: drift" if verdict["drift"] else "The model's quality"
    return page(title, "\n".join(body), report.STYLE)


def _calibration(now: Figures, before: Figures | None) -> str:
    says = "Calibration: the share of positives at each predicted probability; the figures stand in the table below."
    plot = Plot("Calibration", "predicted probability", "share of positives", says).reference(0, 1)
    if before is not None and before.calibration:
        old = sorted(before.calibration)
        plot.line([bin[0] for bin in old], [bin[1] for bin in old], "registered", other=True)
    bins = sorted(now.calibration)
    plot.line([bin[0] for bin in bins], [bin[1] for bin in bins], "now").points(
        [bin[0] for bin in bins], [bin[1] for bin in bins]
    )
    rows = [(f"{mean:.2f}", f"{share:.2f}", count) for mean, share, count in bins]
    listed = table(("Mean probability", "Share of positives", "Rows"), rows, "Calibration now")
    return f'<h2>Calibration</h2><div class="plots"><figure>{plot.svg()}</figure><div>{listed}</div></div>'


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
        for batch in joined.batches[:MOST_BATCHES]
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
    unknown = (
        f"<p>{joined.unknown_batches} labels are of batches that are not here.</p>" if joined.unknown_batches else ""
    )
    return f"<h2>Labels and predictions</h2>{table(head, rows, 'What the join found')}{unknown}"
