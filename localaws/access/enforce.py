"""Where access is decided: for calls of SageMaker, for images, and for the emulator's (`.authorization`)."""

from __future__ import annotations

import re
import weakref
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from localaws.access import sagemaker
from localaws.access.actions import needs, through_s3
from localaws.access.identities import Identities, Identity, Unassumable
from localaws.access.needs import Asked, Need
from localaws.access.resources import FunctionUrl, NoSuchBucket, Resources
from localaws.access.verdicts import refusal, request_context
from localaws.errors import AccessDenied, Invalid

if TYPE_CHECKING:
    from localaws.api.call import Call
    from localaws.application import Application

_CODES = {
    **dict.fromkeys(("s3", "sqs", "sts", "iam", "monitoring"), "AccessDenied"),
    "sns": "AuthorizationError",
    "ec2": "UnauthorizedOperation",
}
_IMAGE = re.compile(r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/([^:@]+)")
_ANSWERED_BY_OWNER = {"s3", "kms", "ecr", "sqs", "sns", "lambda"}
_PULL = ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")


class Denied(Exception):
    """A call that isn't allowed; the text is AWS's sentence."""


class Access:
    """Decides for one application in one region."""

    def __init__(self, app: Application, region: str) -> None:
        self._app, self._region = weakref.proxy(app), region

        self.identities = Identities(self.lookup, region)
        self.resources = Resources(self.lookup, self._accounts)

    def lookup(self, service: str, account: str) -> Any:
        """A client of an account's root that decisions are read with, and so isn't decided about."""
        return self._app.lookup_client(service, account, self._region)

    def forget(self) -> None:
        """Read all policies anew."""
        self.identities.forget()
        self.resources.forget()

    def within(self, account: str, service: str, operation: str, params: Mapping[str, Any]) -> bool:
        """Whether a call of an account's root plainly names nothing of another account's."""
        if any(found != account for text in _texts(params) for found in _ACCOUNT.findall(text)):
            return False
        if service != "s3" or operation == "CreateBucket":
            return True
        buckets = {params.get("Bucket"), str(params.get("CopySource", "")).lstrip("/").partition("/")[0]}
        try:
            return all(self.resources.bucket_owner(name, account) == account for name in buckets if name)
        except NoSuchBucket:
            return False

    def require_function_url(self, identity: Identity, function: FunctionUrl) -> None:
        """Raise Denied unless a function's URL may be called."""
        need = Need("lambda:InvokeFunctionUrl", function.arn, {"lambda:FunctionUrlAuthType": function.kind})
        context = request_context(self._region, self._app.clock.now())
        sentence = refusal(identity, need, function.owner, function.policy, context)
        if sentence is not None:
            raise Denied(sentence)

    def require(self, identity: Identity, service: str, operation: str, params: Mapping[str, Any]) -> str:
        """The account in which the call is to be answered. Raises Denied or NoSuchKey."""
        asked = Asked(service, operation, params, identity.account, self._region, self.resources)
        answering = identity.account
        for need in needs(asked):
            owner = self._permit(identity, need, params)
            # What KMS must allow to S3 is checked here; the call itself still goes to the bucket's account.
            if need.action.partition(":")[0] == service and service in _ANSWERED_BY_OWNER:
                answering = owner
        return answering

    def require_decrypt(self, identity: Identity, params: Mapping[str, Any], key: str) -> None:
        """Raise Denied unless an object's key may be used; a key that is gone, or AWS's own, isn't asked."""
        found = self.resources.key(key, identity.account)
        if found is None or (found.managed and found.owner == identity.account):
            return
        asked = Asked("s3", "GetObject", params, identity.account, self._region, self.resources)
        self._permit(identity, through_s3(asked, key, "kms:Decrypt", _object_arn(params)), params)

    def _permit(self, identity: Identity, need: Need, params: Mapping[str, Any]) -> str:
        owner, policy = self._owner(identity, need, params)
        context = request_context(self._region, self._app.clock.now())
        sentence = refusal(identity, need, owner, policy, context)
        if sentence is not None:
            raise Denied(sentence)
        return owner

    def _owner(self, identity: Identity, need: Need, params: Mapping[str, Any]) -> tuple[str, Mapping[str, Any] | None]:
        """The account that a resource belongs to, and the resource's policy."""
        here, resources = identity.account, self.resources
        if need.resource == "*":
            return here, None
        _, _, service, _, account, name = need.resource.split(":", 5)
        account = account or here
        if service == "s3":
            bucket = resources.bucket(name.split("/", 1)[0], here)
            return (bucket.owner, bucket.policy) if bucket else (here, None)
        if service == "kms" and name.startswith("key/"):
            key = resources.key(need.resource, here)
            return account, key.policy if key else None
        if service == "iam":
            trust = need.action == "sts:AssumeRole"
            return account, self.identities.trust(account, name) if trust else None
        if service == "ecr":
            return account, resources.repository_policy(account, name.split("/", 1)[1])
        if service == "sqs":
            url = params.get("QueueUrl") or f"{self._app.settings.address}/{account}/{name}"
            return account, resources.queue_policy(account, url)
        if service == "sns":
            return account, resources.topic_policy(account, need.resource)
        if service == "lambda":
            return account, resources.function_policy(account, need.resource)
        if service == "events" and name.startswith("event-bus/"):
            return account, resources.bus_policy(account, name.split("/", 1)[1])
        return account, None

    def _accounts(self) -> list[str]:
        """The accounts that are known to have something."""
        found = [row[0] for row in self._app.store.rows("SELECT DISTINCT account FROM records")]
        return list(dict.fromkeys([*self._app.emulator.accounts(), *found]))


def _texts(value: Any) -> Iterator[str]:
    """The texts within a value that may name a resource; long ones are contents."""
    if isinstance(value, str):
        if len(value) <= _LONGEST_NAME:
            yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


_LONGEST_NAME = 2048
_ACCOUNT = re.compile(r"(?<!\d)\d{12}(?!\d)")
_known: weakref.WeakKeyDictionary[Any, dict[str, Access]] = weakref.WeakKeyDictionary()


def access(app: Application, region: str) -> Access:
    """The application's access in a region."""
    regions = _known.setdefault(app, {})
    if region not in regions:
        regions[region] = Access(app, region)
    return regions[region]


def guard(app: Application, client: Any, account: str, role: str, session: str) -> None:
    """Raise ClientError unless SageMaker can assume a role of the account.

    What the role may do is decided at the port (`localaws.access.authorization`), where the client's calls arrive.
    """
    try:
        identity = access(app, client.meta.region_name).identities.assumed(role, session)
        if identity.account != account:
            raise Unassumable(role)
    except Unassumable as error:
        raise _client_error("ValidationException", str(error), "AssumeRole", 400) from None


def authorize(call: Call) -> None:
    """Refuse a call of SageMaker that the caller's policies don't allow.

    Accounts' roots and AWS's services may call everything; roles and users need the action, and
    iam:PassRole for every role that they hand on. Raises AccessDenied, or Invalid for a role that SageMaker
    can't assume.
    """
    decides = access(call.app, call.region)
    try:
        identity = decides.identities.of(call.principal)
    except Unassumable as error:
        raise AccessDenied(str(error)) from None
    context = request_context(call.region, call.app.clock.now())
    if identity is not None and not identity.root:
        for need, owner, policy in sagemaker.needs(call):
            sentence = refusal(identity, need, owner, policy, context)
            if sentence is not None:
                raise AccessDenied(sentence)
    for role in sagemaker.assumed_at_once(call):
        if role.split(":")[4:5] != [call.account]:
            continue  # the operation says what is wrong with it
        try:
            decides.identities.assumed(role, "SageMaker")
        except Unassumable as error:
            raise Invalid(str(error)) from None


def user_context(call: Call) -> dict[str, Any]:
    """Who calls, as SageMaker notes it on model packages and their groups (botocore's UserContext)."""
    try:
        identity = access(call.app, call.region).identities.of(call.principal)
    except Unassumable:
        identity = None
    more = {"PrincipalId": identity.user_id} if identity else {}
    return {"IamIdentity": {"Arn": call.principal, **more}}


def require_image(app: Application, account: str, region: str, role: str, session: str, image: str) -> None:
    """Raise ClientError unless a role may pull an image from ECR.

    Images of registries that no account here has are AWS's own, which AWS opens to everybody.
    """
    found = _IMAGE.match(image)
    if found is None or not app.settings.enforce:
        return
    owner, place, repository = found.groups()
    decides = access(app, place)
    try:
        identity = access(app, region).identities.assumed(role, session)
    except Unassumable as error:
        raise _client_error("ValidationException", str(error), "AssumeRole", 400) from None
    policy = decides.resources.repository_policy(owner, repository)
    if policy is None and owner != account:
        return
    context = request_context(place, app.clock.now())
    arn = f"arn:aws:ecr:{place}:{owner}:repository/{repository}"
    wanted = [(Need("ecr:GetAuthorizationToken", "*"), account, None)]
    wanted += [(Need(action, arn), owner, policy) for action in _PULL]
    for need, whose, said in wanted:
        sentence = refusal(identity, need, whose, said, context)
        if sentence is not None:
            raise _client_error("AccessDeniedException", sentence, need.action.partition(":")[2], 400)


def require_put_events(
    app: Application, region: str, principal: str, bus: str, policy: Mapping[str, Any], event: Mapping[str, Any]
) -> None:
    """Raise Denied unless a rule's role (or its account) may put an event on a bus, and the bus's policy agrees."""
    if not app.settings.enforce:
        return
    try:
        identity = access(app, region).identities.of(principal)
    except Unassumable as error:
        raise Denied(str(error)) from None
    keys = {"events:source": event["source"], "events:detail-type": event["detail-type"]}
    need, owner = Need("events:PutEvents", bus, keys), bus.split(":")[4]
    sentence = identity and refusal(identity, need, owner, policy, request_context(region, app.clock.now()))
    if sentence:
        raise Denied(sentence)


def forget(app: Application) -> None:
    """Read all policies anew: something has changed them."""
    for decides in _known.get(app, {}).values():
        decides.forget()


def _object_arn(params: Mapping[str, Any]) -> str:
    return f"arn:aws:s3:::{params['Bucket']}/{params['Key']}"


def refusal_of(service: str) -> tuple[int, str]:
    """HTTP status and error code with which a service says that something isn't allowed."""
    return (403 if service in _CODES else 400), _CODES.get(service, "AccessDeniedException")


def _client_error(code: str, message: str, operation: str, status: int) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, operation)
