"""What AWS takes without a signature, each decided by itself; every other unsigned call is anonymous.

Sources: "AssumeRoleWithWebIdentity" (AWS STS), "Private registry authentication" (Amazon ECR), "Control access to
Lambda function URLs" (AWS Lambda).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from localaws.access import enforce, policies, requests, signatures
from localaws.access.identities import ANONYMOUS
from localaws.http import FORM, Refused, Request
from localaws.origins import host_name

if TYPE_CHECKING:
    from localaws.application import Application

REGION = "us-east-1"
"""Of what isn't signed for any region."""
_FUNCTION_PATH = "/_aws/lambda-url/"
_FUNCTION_HOST = re.compile(r"([a-z0-9-]{32,36})\.lambda-url\.([a-z0-9-]+)\.localhost")
_FUNCTION = re.compile(r"/_aws/lambda-url/([a-z0-9-]{32,36})(?:/|$)")
_AUTHORIZATION = re.compile(r"(Basic|Bearer) ([A-Za-z0-9+/=._~-]+)")
_ROLE = re.compile(r"arn:aws:iam::(\d{12}):(role/.+)")


def service(request: Request) -> str:
    """The service that an unsigned request means: STS' and others' forms, JSON for a target, else S3."""
    target = request.headers.get("x-amz-target")
    if target is not None:
        return requests.service_of_target(target)
    return "sts" if "Action" in request.query or request.content_type == FORM else "s3"


def refusal(request: Request, name: str) -> Refused:
    """What AWS says to whoever doesn't sign."""
    return signatures.error("anonymous", request, f"User: anonymous is not authorized: {name} answers signed requests.")


def require_web_identity(app: Application, params: Mapping[str, Any]) -> str:
    """The account of the role that a token of an identity provider opens. Raises Refused.

    The token's own signature isn't checked: nobody here has its issuer's keys.
    """
    refused = Refused(403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
    role = _ROLE.fullmatch(params.get("RoleArn", ""))
    claims = _claims(params.get("WebIdentityToken", ""))
    if role is None or claims is None:
        raise refused
    if claims.get("exp") is not None and not float(claims["exp"]) > app.clock.real():
        raise Refused(400, "ExpiredTokenException", "Token expired")
    issuer = str(claims.get("iss", "")).removeprefix("https://").rstrip("/")
    provider = f"arn:aws:iam::{role[1]}:oidc-provider/{issuer}"
    decides = enforce.access(app, REGION)
    try:
        decides.lookup("iam", role[1]).get_open_id_connect_provider(OpenIDConnectProviderArn=provider)
    except ClientError:
        raise refused from None
    context = {f"{issuer}:{name}": value for name, value in claims.items() if isinstance(value, (str, list))}
    trust = decides.identities.trust(role[1], role[2]) or {}
    action = "sts:AssumeRoleWithWebIdentity"
    if policies.decide_resource(trust, provider, action, params["RoleArn"], context) != "Allow":
        raise refused
    return role[1]


def require_registry(app: Application, request: Request) -> None:
    """Refuse a registry's request without the token that GetAuthorizationToken gives. Raises Refused."""
    if not app.settings.enforce:
        return
    found = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
    if signatures.in_query(request) or found is None or "authorization" in request.repeated or "%" in request.path:
        raise Refused(401, "UNAUTHORIZED", "A registry wants the token of GetAuthorizationToken, by Basic or Bearer.")
    answer = enforce.access(app, REGION).lookup("ecr", "000000000000").get_authorization_token()
    token = answer["authorizationData"][0]["authorizationToken"]
    if found[2] not in (token, _password(token)):
        raise Refused(401, "UNAUTHORIZED", "The token isn't one of GetAuthorizationToken.")


def is_function_url(request: Request) -> bool:
    """Whether a request is for the URL of a function."""
    host = host_name(request.headers.get("host", "")) or ""
    return _FUNCTION_HOST.fullmatch(host) is not None or request.path.startswith(_FUNCTION_PATH)


def require_function_url(app: Application, request: Request) -> None:
    """Refuse whom a function's URL isn't open to, by its kind of authorization and its policy. Raises Refused."""
    named = _FUNCTION_HOST.fullmatch(host_name(request.headers.get("host", "")) or "")
    found = named or _FUNCTION.match(request.path)
    if found is None:
        raise Refused(404, "ResourceNotFoundException", "There is no function of this URL.")
    signature = signatures.read(request, app.clock.real()) if app.settings.enforce else None
    region = named[2] if named else signature.region if signature else REGION
    decides = enforce.access(app, region)
    function = decides.resources.function_url(found[1])
    if function is None:
        raise Refused(404, "ResourceNotFoundException", "There is no function of this URL.")
    if not app.settings.enforce:
        return
    forbidden = Refused(403, "AccessDeniedException", "Forbidden")
    identity = ANONYMOUS
    if function.kind == "AWS_IAM":
        caller = app.emulator.caller(signature.key, signature.token) if signature else None
        if caller is None or signature is None or signature.service != "lambda":
            raise forbidden
        known = decides.identities.of(caller[1])
        if known is None:
            raise forbidden
        identity = known
    try:
        decides.require_function_url(identity, function)
    except enforce.Denied:
        raise forbidden from None


def _claims(token: str) -> dict[str, Any] | None:
    """What a JSON Web Token claims (RFC 7519); None if it isn't one."""
    parts = token.split(".")
    try:
        padded = parts[1] + "=" * (-len(parts[1]) % 4)
        claims = json.loads(base64.urlsafe_b64decode(padded))
        float(claims.get("exp", 0))
    except (IndexError, ValueError, TypeError, AttributeError):
        return None
    return claims if isinstance(claims, dict) else None


def _password(token: str) -> str:
    try:
        return base64.b64decode(token).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return token
