"""Forms that upload an object to S3, with which a browser or a program uses somebody's permission (PostObject).

Source: "POST Object" and "Browser-Based Uploads Using POST" (Amazon S3).
"""

from __future__ import annotations

import base64
import datetime
import json
import re
from typing import Any
from urllib.parse import unquote

from localaws.access import requests, signatures
from localaws.access.signatures import Signature
from localaws.http import Refused, Request

_BOUNDARY = re.compile(r'boundary="?([\w\'()+,./:=? -]{1,70}?)"?\s*(?:;|$)')
_NAME = re.compile(r'form-data;.*?\bname="([^"]*)"(?:.*?\bfilename="([^"]*)")?', re.IGNORECASE | re.DOTALL)


def read(
    request: Request, signature: Signature | None, body: bytes, now: float
) -> tuple[Signature | None, str, dict[str, Any]]:
    """Who signs a form, and the PutObject that it asks for. Raises Refused."""
    bucket = requests.path_with_bucket(request).strip("/")
    if "/" in bucket or request.query:
        return signature, requests.UNKNOWN, {}
    if signature is not None:
        raise signatures.error("unsupported", request, "A form is signed by its fields, not by a header.")
    fields, name = _fields(request, body)
    if not fields.get("key"):
        raise Refused(400, "InvalidArgument", "Bucket POST must contain a field named 'key'.")
    _in_time(fields.get("policy"), now)
    key = fields["key"].replace("${filename}", name)
    params = {"Bucket": unquote(bucket), "Key": key}
    for field, member in (("acl", "ACL"), ("x-amz-storage-class", "StorageClass")):
        if field in fields:
            params[member] = fields[field]
    return signatures.of_form(request, fields, now), "PutObject", params


def _fields(request: Request, body: bytes) -> tuple[dict[str, str], str]:
    """The form's fields, and the name of its file. Raises Refused."""
    malformed = Refused(
        400, "MalformedPOSTRequest", "The body of your POST request is not well-formed multipart/form-data."
    )
    found = _BOUNDARY.search(request.headers["content-type"])
    if found is None:
        raise malformed
    fields: dict[str, str] = {}
    name = None
    for part in (b"\r\n" + body).split(b"\r\n--" + found[1].encode("latin-1"))[1:]:
        if part.startswith(b"--"):
            break
        head, separator, content = part.partition(b"\r\n\r\n")
        named = _NAME.search(head.decode("latin-1"))
        if named is None or not separator or named[1].lower() in fields or (named[1] == "file" and name is not None):
            raise malformed
        if named[1] == "file":
            name = named[2] or ""
        else:
            fields[named[1].lower()] = content.decode("utf-8", "replace")
    if name is None:
        raise Refused(400, "InvalidArgument", "POST requires exactly one file upload per request.")
    return fields, name


def _in_time(policy: str | None, now: float) -> None:
    if policy is None:
        return
    try:
        end = datetime.datetime.fromisoformat(json.loads(base64.b64decode(policy))["expiration"])
        ended = end.replace(tzinfo=end.tzinfo or datetime.UTC).timestamp() < now
    except (ValueError, KeyError, TypeError):
        raise Refused(400, "InvalidPolicyDocument", "Invalid Policy: it isn't JSON with an expiration.") from None
    if ended:
        raise Refused(403, "AccessDenied", "Invalid according to Policy: Policy expired.")
