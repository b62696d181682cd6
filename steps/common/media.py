"""Content-Type and Accept as RFC 9110 has them (sections 8.3, 12.4.2 and 12.5.1), and the short names of SageMaker."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from steps.common import files

CSV_TYPE, JSON_LINES, JSON_TYPE = "text/csv", "application/jsonlines", "application/json"

SHORT = {
    "csv": CSV_TYPE,
    "json": JSON_TYPE,
    "jsonlines": JSON_LINES,
    "libsvm": "text/libsvm",
    "parquet": "application/x-parquet",
}
"""Names without a slash, as the channels of SageMaker's built-in algorithms take them."""

FORMATS = {
    CSV_TYPE: files.CSV,
    "application/csv": files.CSV,
    JSON_TYPE: files.JSON,
    JSON_LINES: files.JSON,
    "application/x-jsonlines": files.JSON,
    "application/x-ndjson": files.JSON,
    "application/x-parquet": files.PARQUET,
    "application/vnd.apache.parquet": files.PARQUET,
    "text/libsvm": files.LIBSVM,
    "text/x-libsvm": files.LIBSVM,
}

TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
QUOTED = r'"(?:[^"\\]|\\.)*"'
TYPE = re.compile(rf"({TOKEN})(?:/({TOKEN}))?")
PARAMETER = re.compile(rf"[ \t]*;[ \t]*(?:({TOKEN})[ \t]*=[ \t]*({TOKEN}|{QUOTED}))?")
WEIGHT = re.compile(r"0(\.\d{0,3})?|1(\.0{0,3})?")


class NotAMediaType(ValueError):
    """A header field isn't what RFC 9110 allows in it."""


@dataclass(frozen=True)
class Media:
    """A media type or range in lower case, its parameters, and its weight from 0 to 1."""

    name: str
    parameters: dict[str, str] = field(default_factory=dict)
    weight: float = 1.0


def content_type(text: str) -> Media:
    """Read a Content-Type.

    Raises:
        NotAMediaType: it isn't one media type.
    """
    found = list(_parsed(text))
    if len(found) != 1 or "*" in found[0].name:
        raise NotAMediaType("not one media type")
    return found[0]


def accepted(text: str, offered: Sequence[str]) -> str | None:
    """Return which of the offered types an Accept asks for first, or None where it takes none of them.

    The most specific range that fits a type gives its weight. Of equal weights the one named earlier wins, then the
    one offered earlier.

    Raises:
        NotAMediaType: it isn't a list of media ranges.
    """
    ranges = list(_parsed(text, weighted=True))
    if not ranges:
        return offered[0]
    best: tuple[float, int, int] | None = None
    chosen = None
    for place, kind in enumerate(offered):
        fits = [(_precision(each.name), -at, each) for at, each in enumerate(ranges) if _fits(each.name, kind)]
        if not fits:
            continue
        _, at, each = max(fits, key=lambda fit: fit[:2])
        rank = (each.weight, at, -place)
        if each.weight > 0 and (best is None or rank > best):
            best, chosen = rank, kind
    return chosen


def _parsed(text: str, weighted: bool = False) -> Iterator[Media]:
    at = 0
    while at < len(text):
        # A list may have empty elements (section 5.6.1.2).
        at += len(text[at:]) - len(text[at:].lstrip(" \t,"))
        if at == len(text):
            return
        found = TYPE.match(text, at)
        if not found:
            raise NotAMediaType("not a list of media types")
        name = found[0].lower()
        at, parameters = found.end(), {}
        while part := PARAMETER.match(text, at):
            at = part.end()
            if part[1]:
                value = re.sub(r"\\(.)", r"\1", part[2][1:-1]) if part[2].startswith('"') else part[2]
                parameters[part[1].lower()] = value
        rest = text[at:].lstrip(" \t")
        if rest and not rest.startswith(","):
            raise NotAMediaType("not a list of media types")
        weight = 1.0
        if weighted and "q" in parameters:
            given = parameters.pop("q")
            if not WEIGHT.fullmatch(given):
                raise NotAMediaType("a weight q that isn't between 0 and 1")
            weight = float(given)
        yield Media(SHORT.get(name, name), parameters, weight)


def _fits(wanted: str, kind: str) -> bool:
    return wanted in (kind, "*/*", "*") or (wanted.endswith("/*") and kind.startswith(wanted[:-1]))


def _precision(wanted: str) -> int:
    return 0 if wanted in ("*/*", "*") else 1 if wanted.endswith("/*") else 2
