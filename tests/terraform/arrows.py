"""Every permission that crosses from one account into another, and for each the neighbours that must not have it.

docs/accounts.md shows the same arrows by the same letters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

MODELS = "arn:aws:s3:::mammography-models-222222222222"
GROUP = "arn:aws:sagemaker:us-east-1:222222222222:model-package-group/mammography"
PACKAGE = "arn:aws:sagemaker:us-east-1:222222222222:model-package/mammography/1"
MODELS_KEY = "arn:aws:kms:us-east-1:222222222222:key/1234"
DEV_IMAGES = "arn:aws:ecr:us-east-1:111111111111:repository/mammography/train"
PROD_IMAGES = "arn:aws:ecr:us-east-1:333333333333:repository/mammography/train"
BUS = "arn:aws:events:us-east-1:333333333333:event-bus/mammography"
BY_MODELS_KEY = {"kms:ResourceAliases": ["alias/mammography-models"]}
BY_APPROVALS_KEY = {"kms:ResourceAliases": ["alias/mammography-approvals"]}
TLS = {"aws:SecureTransport": "true"}
ONCE = {"s3:if-none-match": "*", "s3:ObjectCreationOperation": "true"}
"""A write that says that the key is new."""


@dataclass(frozen=True)
class Ask:
    """One request across accounts.

    Attributes:
        account: dev, registry or prod: where it comes from.
        role: the role that makes it, without the project's name.
        action, resource: what is asked, of what.
        at: account that owns the resource.
        policy: the resource's policy in policies/.
        context: condition keys of the request.
        all_powerful: whether the role's own policies allow everything, instead of what policies/ gives it.
    """

    account: str
    role: str
    action: str
    resource: str
    at: str
    policy: str
    context: Mapping[str, Any] = field(default_factory=dict)
    all_powerful: bool = False

    def but(self, **changes: Any) -> Ask:
        """Return a neighbour: the same request but for something."""
        return replace(self, **changes)


@dataclass(frozen=True)
class Arrow:
    """What is allowed, and its neighbours that aren't."""

    letter: str
    allowed: tuple[Ask, ...]
    denied: tuple[Ask, ...]


def _models(account: str, role: str, action: str, key: str, **context: Any) -> Ask:
    return Ask(
        account, role, action, f"{MODELS}/{key}" if key else MODELS, "registry", "bucket-models", {**TLS, **context}
    )


def _key(account: str, role: str, action: str) -> Ask:
    return Ask(account, role, action, MODELS_KEY, "registry", "key-models", BY_MODELS_KEY)


def _group(account: str, role: str, action: str, resource: str = PACKAGE, **more: Any) -> Ask:
    return Ask(account, role, action, resource, "registry", "group", **more)


RUN = "mammography-train/abc123"
_write = _models("dev", "train", "s3:PutObject", f"dev/{RUN}/train/model.tar.gz")
_read = _models("prod", "infer", "s3:GetObject", f"sealed/dev/{RUN}/train/model.tar.gz")
_list = _models("prod", "infer", "s3:ListBucket", "", **{"s3:prefix": f"sealed/dev/{RUN}/train/"})
_encrypt = _key("dev", "train", "kms:GenerateDataKey")
_decrypt = _key("prod", "infer", "kms:Decrypt")
_seal = _write.but(role="seal", resource=f"{MODELS}/sealed/dev/{RUN}/train/model.tar.gz", context={**TLS, **ONCE})
_approved = _models("prod", "resolve", "s3:GetObject", "approvals/1.json")
_verify = Ask("prod", "resolve", "kms:Verify", MODELS_KEY, "registry", "key-approvals", BY_APPROVALS_KEY)
_register = _group("dev", "pipeline", "sagemaker:CreateModelPackage", GROUP)
_look = _group("prod", "resolve", "sagemaker:DescribeModelPackage")
_pull = Ask("prod", "ci", "ecr:BatchGetImage", DEV_IMAGES, "dev", "repository")
_registry_pull = Ask("registry", "ci", "ecr:BatchGetImage", DEV_IMAGES, "dev", "repository", all_powerful=True)
_tell = Ask("registry", "events", "events:PutEvents", BUS, "prod", "bus", {"events:source": "aws.sagemaker"})

ARROWS = (
    Arrow(
        "A",
        (
            _write,
            _write.but(role="evaluate", resource=f"{MODELS}/dev/{RUN}/evaluate/evaluation.json"),
            _write.but(role="monitor", resource=f"{MODELS}/dev/{RUN}/baseline/statistics.json"),
            _write.but(role="resolve", resource=f"{MODELS}/dev/{RUN}/training-set.json"),
            _write.but(account="prod", resource=f"{MODELS}/prod/{RUN}/train/model.tar.gz"),
            _seal,
            _seal.but(account="prod", resource=f"{MODELS}/sealed/prod/{RUN}/record.json"),
        ),
        (
            _write.but(resource=f"{MODELS}/prod/{RUN}/train/model.tar.gz"),
            _write.but(resource=f"{MODELS}/dev/{RUN}/evaluate/evaluation.json"),
            _write.but(resource=f"{MODELS}/releases/versions/1/manifest.json", all_powerful=True),
            _write.but(role="preprocess", all_powerful=True),
            _write.but(role="infer", all_powerful=True),
            _write.but(action="s3:DeleteObject", all_powerful=True),
            _write.but(context={"aws:SecureTransport": "false"}),
            _write.but(context={**TLS, "s3:x-amz-server-side-encryption": "AES256"}),
            _write.but(account="prod"),
            _seal.but(account="prod"),
            _seal.but(resource=f"{MODELS}/dev/{RUN}/train/model.tar.gz", all_powerful=True),
            _seal.but(resource=f"{MODELS}/approvals/1.json", all_powerful=True),
            _seal.but(context={**TLS, "s3:ObjectCreationOperation": "true"}, all_powerful=True),
            _seal.but(action="s3:DeleteObject", all_powerful=True),
            *(_seal.but(role=role, all_powerful=True) for role in ("train", "evaluate", "monitor", "resolve", "ci")),
            *(_seal.but(role=role, all_powerful=True, account="registry") for role in ("ci", "events")),
        ),
    ),
    Arrow(
        "B",
        (
            _read,
            _read.but(role="evaluate"),
            _read.but(role="monitor", resource=f"{MODELS}/dev/{RUN}/baseline/constraints.json"),
            _read.but(role="on-failure", resource=f"{MODELS}/dev/{RUN}/training-set.json"),
            _read.but(account="dev", role="pipeline", resource=f"{MODELS}/dev/{RUN}/evaluate/evaluation.json"),
            _read.but(account="dev", role="pipeline"),
            _list,
            _approved,
            _approved.but(account="dev", resource=f"{MODELS}/sealed/prod/{RUN}/record.json"),
            _read.but(account="dev", role="seal", resource=f"{MODELS}/dev/{RUN}/evaluate/report.html"),
        ),
        (
            _read.but(role="train", all_powerful=True),
            _read.but(role="monitor"),
            _read.but(resource=f"{MODELS}/dev/{RUN}/train/model.tar.gz"),
            _read.but(role="pipeline"),
            _approved.but(role="infer"),
            _approved.but(role="train", all_powerful=True),
            _read.but(role="preprocess", all_powerful=True),
            _read.but(resource=f"{MODELS}/releases/versions/1/manifest.json", all_powerful=True),
            _read.but(resource=f"{MODELS}/dev/{RUN}/evaluate/evaluation.json"),
            _list.but(role="train", all_powerful=True),
            _list.but(context={**TLS, "s3:prefix": "releases/"}),
        ),
    ),
    Arrow(
        "C",
        (
            _encrypt,
            _encrypt.but(role="evaluate"),
            _encrypt.but(account="prod", role="monitor"),
            _encrypt.but(role="resolve"),
            _decrypt,
            _decrypt.but(role="pipeline"),
            _decrypt.but(account="dev", role="on-failure"),
            _verify,
            _verify.but(account="dev"),
        ),
        (
            _encrypt.but(role="infer", all_powerful=True),
            _encrypt.but(role="pipeline", all_powerful=True),
            _encrypt.but(role="preprocess", all_powerful=True),
            _encrypt.but(action="kms:ScheduleKeyDeletion", all_powerful=True),
            _encrypt.but(context={"kms:ResourceAliases": ["alias/mammography-releases"]}),
            _decrypt.but(role="record", all_powerful=True),
            _decrypt.but(policy="key-releases", all_powerful=True),
            _decrypt.but(action="kms:Sign", policy="key-releases", all_powerful=True),
            _verify.but(role="infer", all_powerful=True),
            *(_verify.but(action="kms:Sign", role=role, all_powerful=True) for role in ("resolve", "seal", "ci")),
            *(
                _verify.but(action="kms:Sign", role=role, account="registry", all_powerful=True)
                for role in ("ci", "events")
            ),
            _verify.but(action="kms:ScheduleKeyDeletion", all_powerful=True),
        ),
    ),
    Arrow(
        "D",
        (_register, _register.but(account="prod"), _register.but(resource=PACKAGE)),
        (
            _register.but(role="train", all_powerful=True),
            _register.but(role="resolve", all_powerful=True),
            _register.but(action="sagemaker:UpdateModelPackage", resource=PACKAGE),
            _register.but(action="sagemaker:UpdateModelPackage", resource=PACKAGE, all_powerful=True),
            _register.but(action="sagemaker:DeleteModelPackage", resource=PACKAGE, all_powerful=True),
            _register.but(action="sagemaker:DeleteModelPackageGroup", all_powerful=True),
            _register.but(account="prod", role="ci", action="sagemaker:UpdateModelPackage", resource=PACKAGE),
            _register.but(resource=GROUP.replace("group/mammography", "group/other"), all_powerful=True),
        ),
    ),
    Arrow(
        "E",
        (_look, _look.but(account="dev"), _look.but(action="sagemaker:ListModelPackages", resource=GROUP)),
        (
            _look.but(role="infer"),
            _look.but(action="sagemaker:UpdateModelPackage"),
            _look.but(resource=PACKAGE.replace("/mammography/", "/other/"), all_powerful=True),
        ),
    ),
    Arrow(
        "F",
        (
            _pull,
            _pull.but(action="ecr:GetDownloadUrlForLayer"),
            _registry_pull,
            _registry_pull.but(resource=PROD_IMAGES, at="prod"),
        ),
        (
            _pull.but(role="train", all_powerful=True),
            _pull.but(role="pipeline", all_powerful=True),
            _pull.but(action="ecr:PutImage", all_powerful=True),
            _pull.but(account="dev", resource=PROD_IMAGES, at="prod", all_powerful=True),
            _registry_pull.but(action="ecr:PutImage"),
            _registry_pull.but(action="ecr:BatchDeleteImage"),
        ),
    ),
    Arrow(
        "G",
        (_tell,),
        (
            _tell.but(role="ci", all_powerful=True),
            _tell.but(account="dev", role="on-failure", all_powerful=True),
            _tell.but(context={"events:source": "my.own"}),
            _tell.but(action="events:PutRule", all_powerful=True),
            _tell.but(resource=BUS.replace("event-bus/mammography", "event-bus/default"), all_powerful=True),
        ),
    ),
)
