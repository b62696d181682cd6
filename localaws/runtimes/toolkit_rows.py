"""Rows of requests and predictions in the forms that SageMaker's inference toolkit reads and writes by itself.

Copied into a container beside the toolkit.
"""

import io
import json

import toolkit_xgboost as image

CSV, JSON, JSON_LINES, NPY = "text/csv", "application/json", "application/jsonlines", "application/x-npy"


class Unsupported(Exception):
    """A content type or body that can't be read or written; the HTTP status is 415 or 406."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


def parsed(body, content_type):
    """A request's rows as an array, missing values as NaN."""
    if content_type not in (CSV, JSON, NPY):
        raise Unsupported(415, f"Content-Type {content_type}: the script has no input_fn for it.")
    import numpy

    if content_type == CSV and image.version():
        import xgboost

        try:
            return xgboost.DMatrix(image.rows(body))
        except image.NotRows as error:
            raise Unsupported(415, f"Loading csv data failed, please ensure data is in csv format: {error}.") from None
    if content_type == CSV:
        text = body.decode("utf-8-sig")
        return numpy.genfromtxt(io.StringIO(text), delimiter=",", ndmin=2)
    if content_type == JSON:
        return numpy.asarray(json.loads(body))
    return numpy.load(io.BytesIO(body), allow_pickle=False)


def formatted(prediction, accept):
    """A prediction as text: one row a line, or a JSON array."""
    rows = prediction.tolist() if hasattr(prediction, "tolist") else list(prediction)
    if accept == CSV:
        lines = (row if isinstance(row, list) else [row] for row in rows)
        return "".join(",".join(str(value) for value in line) + "\n" for line in lines)
    if accept == JSON:
        return json.dumps(rows)
    if accept == JSON_LINES:
        return "".join(json.dumps(row) + "\n" for row in rows)
    raise Unsupported(406, f"Accept {accept}: the script has no output_fn for it.")
