"""The hosting contract of SageMaker: /ping, /invocations and /execution-parameters."""

import json

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from steps.infer.scoring import Model, Scores

CSV, JSON_LINES = "text/csv", "application/jsonlines"
MAX_PAYLOAD_MB = 6


def application(model: Model) -> Starlette:
    """Return the web application that serves a model."""

    async def ping(_: Request) -> Response:
        return Response(status_code=200)

    async def parameters(_: Request) -> Response:
        return JSONResponse(
            {"MaxConcurrentTransforms": 2, "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": MAX_PAYLOAD_MB}
        )

    async def invocations(request: Request) -> Response:
        content = request.headers.get("content-type", CSV).split(";")[0].strip()
        if content != CSV:
            return PlainTextResponse(f"Content-Type {content}: this model takes {CSV}.\n", 415)
        accept = request.headers.get("accept", CSV).split(";")[0].strip()
        if accept not in (CSV, JSON_LINES, "*/*"):
            return PlainTextResponse(f"Accept {accept}: this model gives {CSV} or {JSON_LINES}.\n", 406)
        try:
            text = (await request.body()).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            return PlainTextResponse(f"The payload isn't UTF-8 text at byte {error.start}.\n", 400)
        if not text.strip():
            return PlainTextResponse("The payload has no row.\n", 400)
        scores = await run_in_threadpool(model.score, text)
        for reject in scores.rejected:
            print(f"row {reject.row} of the payload rejected: {reject.reason}", flush=True)
        if accept == JSON_LINES:
            return Response(json_lines(scores), media_type=JSON_LINES)
        return Response(csv_lines(scores), media_type=CSV)

    return Starlette(
        routes=[
            Route("/ping", ping),
            Route("/execution-parameters", parameters),
            Route("/invocations", invocations, methods=["POST"]),
        ]
    )


def csv_lines(scores: Scores) -> str:
    """Return one probability a line, `nan` where a row was rejected."""
    return "".join(f"{probability!s}\n" for probability in scores.probabilities)


def json_lines(scores: Scores) -> str:
    """Return one object a line: the row's number with its probability, or with what is wrong."""
    errors = {reject.row: reject.reason for reject in scores.rejected}
    lines = (
        {"row": row, "error": errors[row]} if row in errors else {"row": row, "probability": float(str(probability))}
        for row, probability in enumerate(scores.probabilities, 1)
    )
    return "".join(json.dumps(line) + "\n" for line in lines)
