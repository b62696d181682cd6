"""What only people decide: requeueing a batch; and what they look at for it."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from functions.common import ledger, pending
from functions.common.batches import arrivals
from functions.common.context import LostRace
from functions.common.failures import FunctionError
from pipeline import account, execution, tables
from pipeline.commands import NotPossible
from pipeline.settings import Settings

REASON_LIMIT = 1024
"""Characters that SageMaker keeps of an ApprovalDescription."""


def reason_of(text: str) -> str:
    """Return a reason as it is kept. Raises NotPossible: there is none, or it is too long."""
    text = " ".join(text.split())
    if not text:
        raise NotPossible("--reason: a reason has to be given.")
    if len(text) > REASON_LIMIT:
        raise NotPossible(f"--reason: longer than {REASON_LIMIT} characters.")
    return text


def requeue(settings: Settings, batch: str, reason: str, by: str) -> str:
    """Requeue a quarantined or failed batch, and start its scoring; return the execution's ARN.

    Raises:
        NotPossible: no batch or no reason is given, or the batch isn't in the ledger or neither quarantined nor failed.
    """
    if not batch:
        raise NotPossible("--batch: a batch has to be named.")
    reason = reason_of(reason)
    context = account.enter(settings)
    entry, etag = ledger.read(context, batch)
    if entry is None:
        raise NotPossible(f"batch {batch}: not in the ledger of {settings.environment}.")
    try:
        requeued = entry.requeue(by, reason)
        pending.mark(context, entry.batch)
        ledger.write(context, requeued, etag)
        pending.unmark(context, entry.batch, entry.version)
    except FunctionError as refused:
        raise NotPossible(str(refused)) from None
    except LostRace:
        raise NotPossible(f"batch {batch}: its entry changed just now; look again.") from None
    return execution.start(settings, "inference", {"BatchDataUrl": entry.batch.url}, f"Requeued: {reason}")


def print_batches(settings: Settings) -> None:
    """Print what became of each batch, the one that arrived last first; pending ones come before."""
    context = account.enter(settings)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("batch", "arrived", "state", "version", "rows", "drift", "what"):
        table.add_column(heading, overflow="fold")
    known = list(ledger.entries(context))
    ids = {entry.batch.id for entry in known}
    for batch in arrivals(context):
        if batch.id not in ids:
            table.add_row(batch.id, batch.arrived, ledger.PENDING, "", "", "", "")
    for entry in known:
        verdict = entry.verdict or {}
        drift = {True: "yes", False: "no"}.get(verdict.get("drift"), "")
        what = entry.sentence if entry.state in (ledger.QUARANTINED, ledger.FAILED) else entry.predictions
        if entry.unscored:
            what = f"{what} ({entry.unscored} row{'s' * (entry.unscored > 1)} not read)"
        if entry.requeued:
            what = f"{what or ''} (requeued by {entry.requeued['by']}: {entry.requeued['reason']})"
        table.add_row(
            entry.batch.id, entry.batch.arrived, entry.state, str(entry.version),
            str(verdict.get("rows", "")), drift, escape(what or ""),
        )  # fmt: skip
    tables.show(table)
