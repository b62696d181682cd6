"""What localaws offers of AWS: the services by the names that they are signed for, and nothing beside.

An emulator answers more than AWS's operations: paths of its own, consoles, health. What isn't an operation of one of
these services, a path of S3's or of a registry's never reaches it.
"""

from __future__ import annotations

import re

SERVICES: dict[str, tuple[str, ...]] = {
    **{
        name: (name,)
        for name in (
            "s3", "sqs", "sns", "lambda", "iam", "sts", "kms", "ecr", "events", "logs", "ec2", "secretsmanager", "ssm",
            "kinesis", "firehose", "scheduler", "glue", "athena", "cloudformation", "acm", "autoscaling", "rds", "ecs",
            "route53", "codebuild", "budgets", "cloudtrail", "organizations", "batch",
        )
    },
    "monitoring": ("cloudwatch",),
    "dynamodb": ("dynamodb", "dynamodbstreams"),
    "states": ("stepfunctions",),
    "tagging": ("resourcegroupstaggingapi",),
    "elasticloadbalancing": ("elbv2", "elb"),
}  # fmt: skip
"""Name in a signature's scope → names of botocore's models."""

UNOFFERED = frozenset({("s3", "WriteGetObjectResponse")})
"""Operations that reach what these services don't have here."""
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_TAKEN = frozenset(
    ("health", "login", "logout", "oauth2", "iceberg", "restapis", "restapi", "environments", "webtoken", "clitoken",
     "key-value-stores", "v20180820", "graphql", "event", "queue", "metrics", "v2", "v4", "latest", "2015-03-31")
)  # fmt: skip
"""Names that emulators take for paths of their own, and so no buckets here."""
_REGISTRY = re.compile(r"/v2/?|/v2/_catalog|/v2/(?!email(?:/|$)).+/(?:(?:blobs|manifests)/.*|tags/list)")


def is_bucket(name: str) -> bool:
    """Whether a bucket may have this name here.

    Source: "General purpose bucket naming rules" (Amazon S3).
    """
    return _BUCKET.fullmatch(name) is not None and name not in _TAKEN


def is_taken(name: str) -> bool:
    """Whether emulators have paths of their own below a name."""
    return name in _TAKEN or name.startswith("_")


def is_registry(path: str) -> bool:
    """Whether a path, as it was sent, is one of the OCI distribution API's."""
    return _REGISTRY.fullmatch(path) is not None and "%" not in path and "/../" not in path and "/./" not in path
