"""The hosting contract of SageMaker: /ping, /invocations and /execution-parameters."""

import json
import os

import numpy as np
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from steps.common import log
from steps.common.failure import sentence_for
from steps.infer.scoring import Model, Scores

CSV, JSON_LINES = "text/csv", "application/jsonlines"
MAX_PAYLOAD_MB = 6
"""What a batch transform sends at once."""

LARGEST_BODY = 100 << 20
"""Bytes; the most that SageMaker can be told to send."""

NAMED = 20
"""Rejected rows of a payload that the log names one by one."""


class Refused(Exception):
    """A request can't be answered: HTTP status and why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def application(model: Model) -> Starlette:
    """Return the web application that serves a model."""

    async def invocations(request: Request) -> Response:
        try:
            accept = _accepted(request)
            scores = await run_in_threadpool(model.score, await _text(request))
            _log_rejected(scores)
            return Response(json_lines(scores) if accept == JSON_LINES else csv_lines(scores), media_type=accept)
        except Refused as refused:
            return PlainTextResponse(f"{refused}\n", refused.status)
        except Exception as error:  # A traceback could quote a row.
            log.error(sentence_for(error))
            return PlainTextResponse(f"{sentence_for(error)}\n", 500)

    return Starlette(
        routes=[
            Route("/ping", _ping),
            Route("/execution-parameters", _parameters),
            Route("/invocations", invocations, methods=["POST"]),
        ]
    )


async def _ping(_: Request) -> Response:
    return Response(status_code=200)


async def _parameters(_: Request) -> Response:
    concurrent = min(os.cpu_count() or 1, 4)
    return JSONResponse(
        {"MaxConcurrentTransforms": concurrent, "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": MAX_PAYLOAD_MB}
    )


def _accepted(request: Request) -> str:
    """Return the type of the answer."""
    content = request.headers.get("content-type", CSV).split(";")[0].strip().lower()
    if content != CSV:
        raise Refused(415, f"Content-Type: this model takes {CSV}.")
    accept = request.headers.get("accept", CSV).split(";")[0].strip().lower()
    if accept not in (CSV, JSON_LINES, "*/*"):
        raise Refused(406, f"Accept: this model gives {CSV} or {JSON_LINES}.")
    return JSON_LINES if accept == JSON_LINES else CSV


async def _text(request: Request) -> str:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise Refused(413, f"The payload is larger than {LARGEST_BODY >> 20} MB.")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused(400, f"The payload isn't UTF-8 text at byte {error.start}.") from None
    if not text.strip():
        raise Refused(400, "The payload has no row.")
    return text


def _log_rejected(scores: Scores) -> None:
    for reject in scores.rejected[:NAMED]:
        log.info(f"row {reject.row} of the payload rejected: {reject.reason}.")
    if len(scores.rejected) > NAMED:
        log.info(f"{len(scores.rejected)} rows of the payload rejected in all.")


def csv_lines(scores: Scores) -> str:
    """Return one probability a line, `nan` where a row was rejected."""
    return "\n".join(_decimals(scores)) + "\n"


def json_lines(scores: Scores) -> str:
    """Return one object a line: the row's number with its probability, or with what is wrong."""
    lines = [f'{{"row": {row}, "probability": {text}}}' for row, text in enumerate(_decimals(scores), 1)]
    for reject in scores.rejected:
        lines[reject.row - 1] = json.dumps({"row": reject.row, "error": reject.reason})
    return "\n".join(lines) + "\n"


def _decimals(scores: Scores) -> list[str]:
    """Return the shortest decimals that stand for the probabilities; trees give few different ones."""
    values, places = np.unique(scores.probabilities, return_inverse=True)
    return np.array([str(value) for value in values], object)[places].tolist()
