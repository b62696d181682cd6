"""The outcome as one self-contained HTML page, and as plain text for the log."""

from collections.abc import Sequence
from html import escape

from steps.common import about
from steps.common.html import page, table
from steps.common.text import count, percent
from steps.monitor.data.histograms import Column, Numbers
from steps.monitor.drift import analysis, checks
from steps.monitor.drift.analysis import Outcome
from steps.monitor.drift.checks import Check
from steps.monitor.report import charts, shares
from steps.monitor.report.history import Batch

STYLE = """
.before { fill: var(--rule); stroke: var(--faint); stroke-width: .7; }
.batch { fill: var(--line); } .alarm { fill: var(--bad); }
.rule { stroke: var(--rule); fill: none; } .path { stroke: var(--faint); stroke-width: 1.5; }
.facts { color: var(--faint); margin-top: -.5rem; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(18rem, 100%), 1fr)); gap: 1.5rem; }
.columns h3 { font-size: 1rem; margin: 0; } .columns p { margin: 0; font-size: .9rem; }
.key { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; padding: 0; list-style: none; font-size: .9rem; }
.key svg { width: 1rem; height: .8rem; vertical-align: -.05rem; margin-right: .35rem; }
.found { list-style: none; padding: 0; display: grid; gap: .75rem 1.5rem;
  grid-template-columns: repeat(auto-fit, minmax(min(22rem, 100%), 1fr)); }
.found li { border-left: 3px solid var(--bad); padding: .1rem 0 .1rem .75rem; }
.found h3 { font-size: 1rem; margin: 0; } .found p { margin: 0; }
.found dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 .75rem; margin: .15rem 0 0;
  font-size: .9rem; }
.found dt { color: var(--faint); } .found dd { margin: 0; overflow-wrap: anywhere; }
summary { cursor: pointer; color: var(--faint); font-size: .9rem; padding: .25rem 0; }
.columns table { font-size: .85rem; margin: .25rem 0; }
@media (max-width: 30rem) { body { padding: .75rem; } th, td { padding-right: .5rem; } }
@media (max-width: 24rem) { .found dl { grid-template-columns: 1fr; } }
"""

MAX_COLUMNS = 60
"""Columns that the page shows: those in violation first."""


def render(outcome: Outcome, earlier: Sequence[Batch] = ()) -> str:
    """Return the page of a check, compared with earlier batches, or that of a new baseline."""
    if outcome.baseline is None:
        return _baseline(outcome)
    violated = [check for check in outcome.checks if check.violated]
    body = [
        f'<p class="verdict {"bad" if violated else "good"}">{escape(outcome.verdict["sentence"])}</p>',
        f'<p class="facts">{escape(_facts(outcome))}</p>',
        about.section(),
        _violations(violated),
        _columns(outcome, violated),
        _earlier(outcome, earlier),
        _all_checks(outcome.checks),
    ]
    outcome_word = "malformed" if outcome.verdict["malformed"] else "drift" if violated else "no drift"
    return page(
        f"Batch and baseline: {outcome_word}",
        "\n".join(part for part in body if part),
        STYLE,
    )


def _baseline(outcome: Outcome) -> str:
    names = list(outcome.table.columns)[:MAX_COLUMNS]
    parts = [
        _column_chart(name, column, None, "", False) for name, column in outcome.table.columns.items() if name in names
    ]
    limits = [
        (
            feature["name"],
            feature["inferred_type"],
            percent(1 - feature["completeness"]),
            _limits(feature),
        )
        for feature in outcome.constraints["features"]
    ]
    body = [
        f'<p class="verdict good">{escape(outcome.message)}</p>',
        about.section(),
        table(("Column", "Type", "Missing", "A batch may hold"), limits, "Suggested constraints"),
        f'<h2>Columns</h2><div class="columns">{"".join(parts)}</div>',
    ]
    return page("Baseline", "\n".join(body), STYLE)


def _limits(feature: dict) -> str:
    if "num_constraints" in feature:
        numbers = feature["num_constraints"]
        return f"{numbers['minimum']:g} to {numbers['maximum']:g}"
    domains = feature.get("string_constraints", {}).get("domains")
    return f"{len(domains)} known values" if domains else "anything"


def _facts(outcome: Outcome) -> str:
    assert outcome.baseline
    level = outcome.constraints["monitoring_config"]["significance_constraints"]["false_alarm_rate"]
    text = (
        f"{count(outcome.table.rows, 'row')} compared with {outcome.baseline.rows} of the baseline; "
        f"{count(len(outcome.checks), 'check')}"
    )
    text += (
        f", set so that a batch like the baseline alarms about once in {round(1 / level):,} times." if level else "."
    )
    if not outcome.baseline.codes:
        text += " The baseline keeps no rows, so the columns were not looked at together."
    return f"{text} Looked at {_time(outcome.metrics['analysed_at'])}."


def _time(text: str) -> str:
    """Return an ISO time in UTC as people write it."""
    return text.replace("T", " ").replace("+00:00", " UTC")


def _violations(violated: Sequence[Check]) -> str:
    if not violated:
        return ""
    items = []
    for check in violated:
        facts = [
            ("How much", _amount(check, check.effect)),
            ("Allowed", _amount(check, check.effect_threshold)),
            ("By chance", chance(check.p_value)),
            ("First rows", _rows(check)),
        ]
        shown = "".join(f"<dt>{name}</dt><dd>{escape(fact)}</dd>" for name, fact in facts if fact)
        heading = f"<h3>{escape(analysis.subject(check))}: {check.what}</h3>"
        items.append(f"<li>{heading}<p>{escape(check.sentence)}</p><dl>{shown}</dl></li>")
    return f'<h2>What was violated</h2><ul class="found">{"".join(items)}</ul>'


def _amount(check: Check, value: float) -> str:
    if check.kind == checks.DRIFT:
        return f"{value:.2f}"
    if check.feature == checks.WHOLE_TABLE:
        return ""
    if check.kind == checks.COMPLETENESS:
        return f"{100 * value:+.1f} points"
    return percent(value) if check.kind in (checks.DATA_TYPE, checks.CATEGORICAL) else ""


def chance(p_value: float | None) -> str:
    """Return a p-value in words."""
    if p_value is None:
        return "not tested: a fixed limit"
    if p_value >= 0.1:
        return f"{100 * p_value:.0f} in 100"
    if p_value < 1e-9:
        return "less than 1 in a billion"
    return f"1 in {round(1 / p_value, -max(0, len(str(int(1 / p_value))) - 2)):,.0f}"


def _rows(check: Check) -> str:
    found = []
    for file, row, value in check.rows:
        shown = "" if value is None else f" = {value}"
        found.append((file, f"{row}{shown}"))
    files = list(dict.fromkeys(file for file, _ in found))
    parts = [f"{file}: {', '.join(row for other, row in found if other == file)}" for file in files]
    return "; ".join(parts)


def _columns(outcome: Outcome, violated: Sequence[Check]) -> str:
    assert outcome.baseline
    names = list(dict.fromkeys([*outcome.baseline.columns, *outcome.table.columns]))
    bad = {check.feature for check in violated}
    names.sort(key=lambda name: name not in bad)
    parts = []
    for name in names[:MAX_COLUMNS]:
        found = [check.what for check in violated if check.feature == name]
        state = "; ".join(dict.fromkeys(found)) or "as in the baseline"
        before, column = outcome.baseline.columns.get(name), outcome.table.columns.get(name)
        parts.append(_column_chart(name, before, column, state, name in bad))
    left = len(names) - MAX_COLUMNS
    more = f"<p>Not shown: {count(left, 'more column')} without a violation.</p>" if left > 0 else ""
    return f'<h2>Columns</h2>{_key(bool(bad))}<div class="columns">{"".join(parts)}</div>{more}'


def _key(bad: bool) -> str:
    marks = [("before", "baseline"), ("batch", "this batch"), ("alarm", "this batch, in violation")][: 3 if bad else 2]
    items = "".join(
        f'<li><svg viewBox="0 0 10 8" aria-hidden="true"><rect x="1" y="1" width="8" height="6" class="{name}"/></svg>'
        f"{text}</li>"
        for name, text in marks
    )
    return f'<ul class="key">{items}</ul><p class="facts">Bars are shares of rows.</p>'


def _column_chart(name: str, before: Column | None, column: Column | None, state: str, bad: bool) -> str:
    found = shares.of(before, column)
    if column is None and before is not None and state:
        found = shares.Shares(found.labels, found.baseline, [0.0] * len(found.labels), found.ordered)
    batch = found.batch if column is not None or state else None
    shown_shares = shares.Shares(found.labels, found.baseline, batch, found.ordered)
    text = f"{name}: {state}. " if state else f"{name}. "
    parts = [found.baseline, *([batch] if batch is not None else [])]
    rows = [(label, *(percent(part[i]) for part in parts)) for i, label in enumerate(found.labels)]
    head = ("Value", "Baseline", "Batch")[: 1 + len(parts)]
    shown = f'<p class="{"bad" if bad else "good"}">{escape(state)}</p>' if state else ""
    about = f"<p>{escape(_moments(before, column))}</p>"
    picture = charts.column(shown_shares, f"{text}The shares of rows stand in the table below.", bad)
    as_table = table(head, rows, f"Shares of rows of {name}")
    return (
        f"<figure><h3>{escape(name)}</h3>{shown}{picture}{about}"
        f"<details><summary>{escape(name)} as a table</summary>{as_table}</details></figure>"
    )


def _moments(before: Column | None, column: Column | None) -> str:
    """Return the means of a column, which are no single row's values."""
    parts = []
    for label, part in (("Baseline", before), ("batch", column)):
        if isinstance(part, Numbers) and part.present > 1:
            parts.append(f"{label} mean {part.moments.mean:.4g}, standard deviation {part.moments.deviation:.3g}")
    return "; ".join(parts) + "." if parts else ""


def _earlier(outcome: Outcome, earlier: Sequence[Batch]) -> str:
    if not earlier:
        return ""
    now = {(c.feature, c.what): c for c in outcome.checks if c.p_value is not None or c.violated}
    rows = [(_time(batch.at), batch.rows, _drift(batch.drift), batch.violations) for batch in earlier]
    violated = sum(check.violated for check in outcome.checks)
    this = f"{_time(outcome.metrics['analysed_at'])} (this)"
    rows.append((this, outcome.table.rows, _drift(outcome.verdict["drift"]), violated))
    charts_of_checks = []
    order = sorted(now, key=lambda key: (not now[key].violated, now[key].kind != checks.DRIFT))
    for key in [key for key in order if now[key].kind == checks.DRIFT or now[key].violated][:MAX_COLUMNS]:
        check = now[key]
        values = [*(batch.effects.get(key) for batch in earlier), check.effect]
        alarms = [*(key in batch.violated for batch in earlier), check.violated]
        text = (
            f"{analysis.subject(check)}, {check.what}: {check.effect:.2f} now; earlier "
            f"{', '.join('none' if value is None else f'{value:.2f}' for value in values[:-1])}; "
            f"{check.effect_threshold:g} is allowed."
        )
        charts_of_checks.append(
            f"<figure><h3>{escape(analysis.subject(check))}: {check.what}</h3>"
            f"{charts.trend(values, check.effect_threshold, alarms, text)}</figure>"
        )
    head = ("Looked at", "Rows", "Verdict", "Checks violated")
    return (
        f"<h2>Beside earlier batches</h2><p>How far each batch was from the baseline, oldest first. The "
        f"dashed line is what is allowed; beyond it, a batch alarms only if chance hardly explains it.</p>"
        f'<div class="columns">{"".join(charts_of_checks)}</div>{table(head, rows, "Earlier batches")}'
    )


def _drift(drift: bool) -> str:
    return "drift" if drift else "no drift"


def _all_checks(found: Sequence[Check]) -> str:
    rows = [
        (
            analysis.subject(check),
            check.what,
            "violated" if check.violated else "passed",
            _amount(check, check.effect),
            _amount(check, check.effect_threshold),
            "" if check.p_value is None else f"{check.p_value:.2g}",
            "" if check.p_threshold is None else f"{check.p_threshold:.2g}",
        )
        for check in found
    ]
    head = ("Column", "Check", "Outcome", "Found", "Allowed", "p-value", "p-value needed")
    explained = (
        "<p>A check with a p-value is violated only if its p-value is smaller than needed and what was found is more "
        "than allowed. The needed p-values are Holm's, over all checks together.</p>"
    )
    listed = table(head, rows, "All checks")
    return f"<details><summary>All checks ({len(rows)})</summary>{explained}{listed}</details>"


def summary(outcome: Outcome) -> str:
    """Return the log's text: the verdict, then each violation; no row's values."""
    lines = [outcome.message]
    lines += [f"  {v['feature_name']}: {v['constraint_check_type']}: {v['description']}" for v in outcome.violations]
    return "\n".join(lines)
