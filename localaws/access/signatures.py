"""Who signs a request, read from every form that AWS's clients sign in.

Signature Version 4 in the Authorization header or the query, for all services; Version 2 in either, for S3 alone. All
else is refused as AWS refuses it. Accounts' secrets are any text, so what is signed isn't compared: the form, the
scope, the time and the token are.

Sources: "Signature Version 4 for API requests" (IAM User Guide), "Authenticating Requests (AWS Signature Version 4)"
and "Signing and authenticating REST requests (Signature Version 2)" (Amazon S3).
"""

from __future__ import annotations

import calendar
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import unquote

from localaws.http import FORM, Refused, Request

SKEW_SECONDS = 15 * 60
LONGEST_SECONDS = 7 * 24 * 3600
_SCHEME = "AWS4-HMAC-SHA256"
_KEY = re.compile(r"\w{1,128}")
_SCOPE = re.compile(r"([^/]+)/(\d{8})/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request")
_PART = re.compile(r"(Credential|SignedHeaders|Signature)=([^\s,]+)")
_DATE = re.compile(r"\d{8}T\d{6}Z")
_SIGNATURE = re.compile(r"[0-9a-f]{64}")
_VERSION_2 = re.compile(r"AWS (\w{1,128}):([A-Za-z0-9+/]{27}=)")
_DATED = re.compile(r"/\d{4}-\d{2}-\d{2}/")
"""How the paths of Lambda and its like begin."""
_HASH = re.compile(
    r"[0-9a-f]{64}|UNSIGNED-PAYLOAD|STREAMING-(UNSIGNED-PAYLOAD-TRAILER|AWS4-HMAC-SHA256-PAYLOAD(-TRAILER)?)"
)
QUERY_4 = (
    "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature",
    "X-Amz-Security-Token",
)  # fmt: skip
QUERY_2 = ("AWSAccessKeyId", "Signature", "Expires", "x-amz-security-token")
_OF_A_SIGNATURE = {name.lower() for name in (*QUERY_4, *QUERY_2)} | {"signatureversion", "signaturemethod"}
_ONCE = {"authorization", "x-amz-security-token", "x-amz-date", "date", "x-amz-content-sha256", "x-amz-target"}

_ERRORS = {
    "incomplete": {
        "s3": (400, "AuthorizationHeaderMalformed"),
        "query": (400, "IncompleteSignature"),
        "json": (400, "IncompleteSignatureException"),
    },
    "unsupported": {
        "s3": (400, "InvalidArgument"),
        "query": (400, "IncompleteSignature"),
        "json": (400, "IncompleteSignatureException"),
    },
    "late": {
        "s3": (403, "AccessDenied"),
        "query": (403, "SignatureDoesNotMatch"),
        "json": (400, "InvalidSignatureException"),
    },
    "skewed": {
        "s3": (403, "RequestTimeTooSkewed"),
        "query": (403, "SignatureDoesNotMatch"),
        "json": (400, "InvalidSignatureException"),
    },
    "scope": {
        "s3": (400, "AuthorizationHeaderMalformed"),
        "query": (403, "SignatureDoesNotMatch"),
        "json": (400, "InvalidSignatureException"),
    },
    "unknown": {
        "s3": (403, "InvalidAccessKeyId"),
        "query": (403, "InvalidClientTokenId"),
        "json": (400, "UnrecognizedClientException"),
    },
    "anonymous": {
        "s3": (403, "AccessDenied"),
        "query": (403, "AccessDenied"),
        "json": (400, "MissingAuthenticationTokenException"),
    },
}


@dataclass(frozen=True)
class Signature:
    """The access key that signs, the token of its session, and what it signs for."""

    key: str
    token: str | None
    region: str
    service: str

    @property
    def temporary(self) -> bool:
        """Whether the key is a session's, which comes with a token."""
        return self.key.startswith("ASIA")


def style(request: Request) -> str:
    """How the clients of the service that a request seems to mean read errors: `s3`, `query` or `json`."""
    kinds = ("json", "cbor")
    if "x-amz-target" in request.headers or request.content_type.endswith(kinds) or _DATED.match(request.path):
        return "json"
    return "query" if "Action" in request.query or request.content_type == FORM else "s3"


def error(kind: str, request: Request, message: str) -> Refused:
    """AWS's refusal of a signature."""
    return Refused(*_ERRORS[kind][style(request)], message)


def read(request: Request, now: float) -> Signature | None:
    """Who signs a request; None if nobody does.

    Args:
        request: as it has come.
        now: seconds since 1970, by the machine's clock, which its clients have too.

    Raises Refused for a signature in a form that AWS refuses.
    """
    if twice := _ONCE & request.repeated:
        raise error("incomplete", request, f"The header {min(twice)} must be given once.")
    header = request.headers.get("authorization")
    names = in_query(request)
    signs_2 = {"AWSAccessKeyId", "Signature"} & set(names)
    signs_4 = any(name.lower().startswith("x-amz-") and name != "x-amz-security-token" for name in names)
    if header is None and not names:
        return None
    if (header is not None) + bool(signs_2) + signs_4 > 1:
        raise error(
            "unsupported", request,
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string "
            "parameter or the Authorization header should be specified",
        )  # fmt: skip
    if header is None:
        return _in_query_2(request, now) if signs_2 else _in_query_4(request, names, now)
    if names:
        raise error("unsupported", request, f"The query's {names[0]} belongs to a signature in the query.")
    if header.startswith(f"{_SCHEME} "):
        return _in_header_4(request, header.removeprefix(f"{_SCHEME} "), now)
    if header.startswith("AWS "):
        return _in_header_2(request, header, now)
    raise error("unsupported", request, f"Unsupported Authorization Type. Use {_SCHEME}.")


def _in_header_4(request: Request, text: str, now: float) -> Signature:
    parts: dict[str, str] = {}
    for item in text.split(","):
        found = _PART.fullmatch(item.strip())
        if found is None or found[1] in parts:
            raise error("incomplete", request, "The authorization header is malformed.")
        parts[found[1]] = found[2]
    if len(parts) < 3:
        raise error(
            "incomplete", request,
            "The authorization header is malformed; the authorization header requires three components: "
            "Credential, SignedHeaders, and Signature.",
        )  # fmt: skip
    key, day, region, service = _scope(request, parts["Credential"], parts["Signature"])
    made = _made(request)
    if time.strftime("%Y%m%d", time.gmtime(made)) != day:
        raise error("scope", request, "The date in the credential scope isn't that of the request.")
    _in_time(request, made, now)
    content = request.headers.get("x-amz-content-sha256")
    if content is not None and not _HASH.fullmatch(content):
        raise error(
            "unsupported", request, "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, a STREAMING- form or a sha256."
        )
    return _signature(request, key, request.headers.get("x-amz-security-token"), region, service)


def _in_query_4(request: Request, names: list[str], now: float) -> Signature:
    wanted = [name for name in QUERY_4 if name != "X-Amz-Security-Token"]
    query = request.query
    # STS and others take a signature without X-Amz-Expires; it then holds for as long as one in a header.
    given = {"X-Amz-Expires": str(SKEW_SECONDS), **query} if style(request) != "s3" else query
    if not set(names) <= set(QUERY_4) or any(name not in given for name in wanted) or set(names) & request.repeated:
        raise Refused(
            400, "AuthorizationQueryParametersError",
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, "
            "X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
        )  # fmt: skip
    if query["X-Amz-Algorithm"] != _SCHEME:
        raise Refused(400, "AuthorizationQueryParametersError", f'X-Amz-Algorithm only supports "{_SCHEME}"')
    key, day, region, service = _scope(request, query["X-Amz-Credential"], query["X-Amz-Signature"])
    if not _DATE.fullmatch(query["X-Amz-Date"]) or query["X-Amz-Date"][:8] != day:
        raise Refused(
            400,
            "AuthorizationQueryParametersError",
            "X-Amz-Date must be in the ISO8601 Long Format and of the scope's day.",
        )
    text = given["X-Amz-Expires"]
    if not re.fullmatch(r"\d{1,6}", text, re.ASCII) or not 0 < int(text) <= LONGEST_SECONDS:
        raise Refused(400, "AuthorizationQueryParametersError", "X-Amz-Expires must be a number from 1 to 604800.")
    made = _seconds(request, query["X-Amz-Date"])
    if made > now + SKEW_SECONDS:
        raise error("late", request, "Request is not valid yet")
    if now > made + int(text):
        raise error("late", request, "Request has expired")
    return _signature(request, key, query.get("X-Amz-Security-Token"), region, service)


def _in_header_2(request: Request, header: str, now: float) -> Signature:
    found = _VERSION_2.fullmatch(header)
    if found is None or style(request) != "s3":
        raise error("unsupported", request, "The authorization header isn't one that this service takes.")
    made = _made(request)
    _in_time(request, made, now)
    return _signature(request, found[1], request.headers.get("x-amz-security-token"), "us-east-1", "s3")


def _in_query_2(request: Request, now: float) -> Signature:
    query, names = request.query, {"AWSAccessKeyId", "Signature", "Expires"}
    if style(request) != "s3" or "SignatureVersion" in query:
        raise error("unsupported", request, f"Signature Version 2 isn't taken. Use {_SCHEME}.")
    if not names <= set(query) or (names | {"x-amz-security-token"}) & request.repeated:
        raise error(
            "anonymous", request,
            "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters",
        )  # fmt: skip
    if not re.fullmatch(r"\d{1,12}", query["Expires"], re.ASCII):
        raise error("anonymous", request, "Invalid date (should be seconds since epoch)")
    if now > int(query["Expires"]):
        raise error("late", request, "Request has expired")
    if not _KEY.fullmatch(query["AWSAccessKeyId"]) or not query["Signature"]:
        raise error("unknown", request, "The AWS Access Key Id you provided does not exist in our records.")
    return _signature(request, query["AWSAccessKeyId"], query.get("x-amz-security-token"), "us-east-1", "s3")


def of_form(request: Request, fields: Mapping[str, str], now: float) -> Signature | None:
    """Who signs a form that uploads to S3, by its fields (names in small letters); None if nobody does."""
    if fields.get("x-amz-algorithm", _SCHEME) != _SCHEME:
        raise error("unsupported", request, f'x-amz-algorithm only supports "{_SCHEME}"')
    token = fields.get("x-amz-security-token")
    if "x-amz-credential" in fields or "x-amz-signature" in fields:
        key, _, region, service = _scope(request, fields.get("x-amz-credential", ""), fields.get("x-amz-signature", ""))
        return _signature(request, key, token, region, service)
    if "awsaccesskeyid" in fields or "signature" in fields:
        if not _KEY.fullmatch(fields.get("awsaccesskeyid", "")) or not fields.get("signature"):
            raise error("unknown", request, "The AWS Access Key Id you provided does not exist in our records.")
        return _signature(request, fields["awsaccesskeyid"], token, "us-east-1", "s3")
    return None


def _scope(request: Request, credential: str, signature: str) -> tuple[str, str, str, str]:
    found = _SCOPE.fullmatch(credential)
    if found is None or not _KEY.fullmatch(found[1]):
        raise error(
            "incomplete", request,
            'The Credential is malformed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".',
        )  # fmt: skip
    if not _SIGNATURE.fullmatch(signature):
        raise error("incomplete", request, "The Signature isn't a signature of version 4.")
    return found[1], found[2], found[3], found[4]


def _signature(request: Request, key: str, token: str | None, region: str, service: str) -> Signature:
    signature = Signature(key, token or None, region, service)
    if signature.temporary and not token:
        raise error("unknown", request, "The security token included in the request is invalid.")
    return signature


def _in_time(request: Request, made: float, now: float) -> None:
    if abs(now - made) > SKEW_SECONDS:
        raise error("skewed", request, "The difference between the request time and the current time is too large.")


def _seconds(request: Request, text: str) -> float:
    made = _date_of(text)
    if made is None:
        raise error("incomplete", request, "AWS authentication requires a valid Date or x-amz-date header")
    return made


def _made(request: Request) -> float:
    return _seconds(request, request.headers.get("x-amz-date") or request.headers.get("date", ""))


def _date_of(text: str) -> float | None:
    """Seconds since 1970 of a date as AWS or HTTP writes it."""
    try:
        if _DATE.fullmatch(text):
            return calendar.timegm(time.strptime(text, "%Y%m%dT%H%M%SZ"))
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def in_query(request: Request) -> list[str]:
    """The names in a request's query that belong to a signature."""
    return [name for name in request.query if name.lower() in _OF_A_SIGNATURE]


def signed_by(scope: Any, signature: Signature) -> Any:
    """The request of an ASGI scope, signed in its header by a key, and by nobody else.

    Emulators look at the key, the region and the service of a signature, not at what is signed. This way they see
    what was read here, whatever else they would read in the request.
    """
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    credential = f"{signature.key}/{now[:8]}/{signature.region}/{signature.service}/aws4_request"
    added = {
        "authorization": f"{_SCHEME} Credential={credential}, SignedHeaders=host;x-amz-date, Signature={'0' * 64}",
        "x-amz-date": now,
        **({"x-amz-security-token": signature.token} if signature.token else {}),
    }
    dropped = {"authorization", "x-amz-date", "x-amz-security-token", "date"}
    headers = [(name, value) for name, value in scope["headers"] if name.lower().decode("latin-1") not in dropped]
    query = [
        item
        for item in scope["query_string"].decode("latin-1").split("&")
        if unquote(item.partition("=")[0].replace("+", " ")).lower() not in _OF_A_SIGNATURE
    ]
    return {
        **scope,
        "headers": [*headers, *((name.encode(), value.encode("latin-1")) for name, value in added.items())],
        "query_string": "&".join(query).encode("latin-1"),
    }
