"""The peers, each as short as its documentation shows it: `peers.py save|polars`, `peers:plain`, `peers:pandas`.

Run with the packages that `bench.model` names; the folder of the model is in BENCH_FOLDER.
"""

import io
import os
import sys
from pathlib import Path
from typing import Any

import numpy
import xgboost

NAMES = ["bi_rads", "age", "shape", "margin", "density"]
FOLDER = Path(os.environ["BENCH_FOLDER"])
BOOSTER = xgboost.Booster(model_file=bytearray((FOLDER / "ml/model/xgboost-model").read_bytes()))


async def plain(scope: Any, receive: Any, send: Any) -> None:
    """Answer as a plain uvicorn server: PyArrow reads, XGBoost predicts in place, PyArrow writes."""
    import pyarrow
    from pyarrow import csv

    if scope["type"] != "http":
        return
    body, more = bytearray(), True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    content = b""
    if body:
        table = csv.read_csv(
            pyarrow.BufferReader(bytes(body)),
            csv.ReadOptions(column_names=NAMES),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(NAMES, pyarrow.float32()), null_values=["", "?"]
            ),
        )
        features = numpy.column_stack([column.to_numpy() for column in table.columns])
        found = pyarrow.table({"probability": BOOSTER.inplace_predict(features)})
        sink = io.BytesIO()
        csv.write_csv(found, sink, csv.WriteOptions(include_header=False))
        content = sink.getvalue()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(content))]})
    await send({"type": "http.response.body", "body": content})


def pandas() -> Any:
    """Return a Flask application in which pandas reads and XGBoost predicts."""
    import flask
    import pandas as pd

    application = flask.Flask("pandas")

    @application.get("/ping")
    def ping() -> str:
        return ""

    @application.post("/invocations")
    def invocations() -> str:
        rows = pd.read_csv(
            io.BytesIO(flask.request.get_data()), header=None, names=NAMES, na_values="?", dtype="float32"
        )
        return "\n".join(map(str, BOOSTER.inplace_predict(rows.to_numpy()).tolist())) + "\n"

    return application


def save() -> None:
    """Save the model as MLflow serves it."""
    import mlflow.xgboost

    mlflow.xgboost.save_model(BOOSTER, str(FOLDER / "mlflow"))


def polars() -> None:
    """Score a file as Polars streams it."""
    import polars as pl

    def predict(rows: pl.DataFrame) -> pl.DataFrame:
        return pl.DataFrame({"probability": BOOSTER.inplace_predict(rows.to_numpy(order="c"))})

    rows = pl.scan_csv(
        FOLDER / "rows.csv", has_header=False, schema=dict.fromkeys(NAMES, pl.Float32), null_values=["", "?"]
    )
    scored = rows.map_batches(predict, schema={"probability": pl.Float32}, streamable=True)
    scored.sink_csv(FOLDER / "polars.csv", include_header=False, engine="streaming")


if __name__ == "__main__":
    {"save": save, "polars": polars}[sys.argv[1]]()
