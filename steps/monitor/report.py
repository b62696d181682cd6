"""The outcome as one self-contained HTML page, and as plain text for the log."""

from html import escape

from steps.common.html import page, table
from steps.monitor.analysis import Outcome


def render(outcome: Outcome) -> str:
    """Return the page."""
    verdict = outcome.verdict.get("sentence", outcome.message)
    body = [f'<p class="verdict {"bad" if outcome.violations else "good"}">{escape(verdict)}</p>']
    if outcome.violations:
        rows = [
            (v["feature_name"], v["constraint_check_type"], v["description"], _rows(v["rows"]))
            for v in outcome.violations
        ]
        body.append(table(("Column", "Check", "What was found", "Rows"), rows, "Violations"))
    return page("Batch and baseline" if outcome.checks else "Baseline", "\n".join(body))


def _rows(rows: list[dict]) -> str:
    return ", ".join(str(row["row"]) for row in rows)


def summary(outcome: Outcome) -> str:
    """Return the log's text: the verdict, then each violation; no row's values."""
    lines = [outcome.message]
    lines += [f"  {v['feature_name']}: {v['constraint_check_type']}: {v['description']}" for v in outcome.violations]
    return "\n".join(lines)
