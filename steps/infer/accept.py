"""Which of several types a client wants most (RFC 9110, section 12.5.1)."""

import re
from collections.abc import Sequence

_RANGE = re.compile(r"\s*([\w!#$&^.+*-]+/[\w!#$&^.+*-]+)\s*((?:;[^;]*)*)$", re.ASCII)
_WEIGHT = re.compile(r";\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*$", re.ASCII | re.IGNORECASE)


def best(accept: str, offers: Sequence[str]) -> str | None:
    """Return the offer with the largest weight, of equals the first; None where the client wants none of them.

    Args:
        accept: the header's value; nothing means that everything is welcome.
        offers: types, the preferred first.
    """
    if not accept.strip():
        return offers[0]
    weights: dict[str, float] = {}
    for part in accept.split(","):
        if found := _RANGE.match(part):
            parameters = [f";{text}" for text in found[2].split(";")[1:]]
            given = [text for text in parameters if re.match(r";\s*q\s*=", text, re.IGNORECASE)]
            weight = _WEIGHT.match(given[0]) if given else None
            if not given or weight:
                weights.setdefault(found[1].lower(), float(weight[1]) if weight else 1.0)
    # Of the ranges that match an offer, the narrowest counts.
    rated = [
        next((weights[name] for name in (offer, offer.split("/")[0] + "/*", "*/*") if name in weights), 0.0)
        for offer in offers
    ]
    return offers[rated.index(max(rated))] if max(rated) > 0 else None
