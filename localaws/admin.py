"""What AWS has no operation for: the status, the clock, schedules fired by hand, jobs by name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from localaws.engine import faults
from localaws.errors import ApiError
from localaws.events.shapes import iso

if TYPE_CHECKING:
    from localaws.application import Application

PATH = "/_localaws/"
HEALTH = f"{PATH}health"
"""The one path that is open: it says only that localaws is up."""


def answer(app: Application, method: str, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
    """Answer one request below PATH with a status and a JSON value."""
    try:
        request = json.loads(body or b"{}")
        act = _ACTS.get((method, path.removeprefix(PATH)))
        if act is None:
            return 404, {"message": f"{method} {path} isn't anything of localaws."}
        return 200, act(app, request)
    except ApiError as error:
        return error.status, {"message": error.message}
    except (KeyError, TypeError, ValueError) as error:
        return 400, {"message": str(error)}


def _status(app: Application, _: dict[str, Any]) -> dict[str, Any]:
    running = app.store.rows(
        "SELECT count(*) FROM records WHERE kind='PipelineExecution' AND status IN ('Executing', 'Stopping')"
    )
    return {
        "identity": app.identity,
        "runtime": app.runtime.name,
        "emulator": app.settings.emulator or "embedded",
        "executions": running[0][0],
        "undelivered_events": app.deliveries.waiting(),
        "clock": iso(app.clock.now()),
    }


def _clock(app: Application, request: dict[str, Any]) -> dict[str, Any]:
    app.clock.advance(float(request["seconds"]))
    app.schedules.wake()
    return {"clock": iso(app.clock.now())}


def _fire(app: Application, request: dict[str, Any]) -> dict[str, Any]:
    return {"fired": app.schedules.fire(request["rule"])}


def _jobs(app: Application, request: dict[str, Any]) -> dict[str, Any]:
    """Where jobs of a name are, in whatever account and region."""
    rows = app.store.rows(
        "SELECT kind, account, region FROM records"
        " WHERE kind IN ('ProcessingJob', 'TrainingJob', 'TransformJob') AND name=? ORDER BY created",
        request["name"],
    )
    return {"jobs": [{"kind": kind, "account": account, "region": region} for kind, account, region in rows]}


def _fault(app: Application, request: dict[str, Any]) -> dict[str, Any]:
    faults.ask_for(app.store, str(request["step"]), str(request["kind"]), request["times"])
    return {}


_ACTS = {
    ("GET", "status"): _status,
    ("POST", "clock"): _clock,
    ("POST", "fire"): _fire,
    ("POST", "jobs"): _jobs,
    ("POST", "fault"): _fault,
}
