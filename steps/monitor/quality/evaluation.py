"""The job that evaluates a model's quality: its files in, the outcome out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from steps.common.quality.members import is_known
from steps.common.text import count
from steps.monitor.contract import Job
from steps.monitor.failures import BadSetting, UnreadableBatch
from steps.monitor.quality import labels, problems
from steps.monitor.quality.binary import Binary
from steps.monitor.quality.labels import Joined
from steps.monitor.quality.multiclass import Multiclass
from steps.monitor.quality.problems import BASELINE, Baseline, MetricComparison, Problem
from steps.monitor.quality.regression import Regression


@dataclass
class Outcome:
    """Everything the container writes about a model's quality."""

    message: str
    problem: Problem
    joined: Joined
    files: dict[str, Any]
    """Content of each JSON file, by its name."""
    members: dict[str, Any] = field(default_factory=dict)
    """What was measured, as in statistics.json; nothing where there was too little to measure."""
    comparisons: list[MetricComparison] = field(default_factory=list)
    rows: Any = None
    """The labelled rows, as the problem type has them."""
    before: Baseline | None = None

    @property
    def verdict(self) -> dict[str, Any]:
        """The content of verdict.json."""
        return self.files["verdict.json"]

    @property
    def metrics(self) -> dict[str, float]:
        """Each metric that was measured, by its name."""
        return {name: float(each["value"]) for name, each in self.members.items() if is_known(each)}


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
        return Outcome(*_conclude(problem, joined, summary, {}, []))
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
    return Outcome(*_conclude(problem, joined, summary, found, comparisons), found, comparisons, rows, before)


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
) -> tuple[str, Problem, Joined, dict[str, Any]]:
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
    return f"{word}: {summary}", problem, joined, files


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
    violated = [comparison for comparison in comparisons if comparison.violated]
    if not comparisons:
        return f"Measured: {rest}"
    if violated:
        worse = any(comparison.kind == BASELINE for comparison in violated)
        happened = "has become worse" if worse else "violates its constraints"
        return f"Drift: the model {happened} ({', '.join(dict.fromkeys(each.name for each in violated))}); {rest}"
    return f"No drift: the model {'is as good as it was' if before else 'keeps its constraints'}; {rest}"


def useless(joined: Joined) -> str:
    """Return a sentence about labels that could not be used, if there are any."""
    rows, missing, strange = joined.contradictory, joined.unknown_rows, joined.unknown_batches
    parts = (
        f"{count(rows, 'row')} {'has' if rows == 1 else 'have'} contradictory ones" if rows else "",
        f"{count(missing, 'row')} {'does' if missing == 1 else 'do'} not exist" if missing else "",
        f"{count(strange, 'label')} {'is of a batch that is' if strange == 1 else 'are of batches that are'} "
        "not here (an earlier version's, perhaps)"
        if strange
        else "",
    )
    listed = ", ".join(filter(None, parts))
    return f" Labels that don't count: {listed}." if listed else ""


def _labelled(joined: Joined) -> str:
    scored = sum(batch.rows - batch.rejected for batch in joined.batches)
    labelled = len(joined.labels)
    return f"{labelled} of {count(scored, 'scored row')} {'is' if labelled == 1 else 'are'} labelled"


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
