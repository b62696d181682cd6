"""What a person of the registry account does to a version, for tests of what reads it."""

from __future__ import annotations

from functions.common import dsse, registry, seals
from functions.common.context import AccountContext, client
from functions.common.seals import Record
from functions.seal import copies


def seal(context: AccountContext, arn: str) -> Record:
    """Seal a version by hand; return its record."""
    package = registry.describe(arn)
    baseline = registry.baseline(package) or (None, None)
    parts = {
        seals.ARCHIVE: registry.archive(package),
        seals.STATISTICS: baseline[0],
        seals.CONSTRAINTS: baseline[1],
        seals.EVALUATION: registry.evaluation(package),
    }
    named = {part: url for part, url in parts.items() if url}
    record = copies.seal(context, named, package["InferenceSpecification"])
    copies.keep(context, seals.by_hand(package["ModelPackageVersion"]), record)
    return record


def sign(context: AccountContext, arn: str) -> None:
    """Sign the approval of a sealed version."""
    package = registry.describe(arn)
    record = seals.recorded(context, package)
    assert record is not None
    content = seals.statement(context, package, record, by="a person", at="now", reason="It looks right")
    bundle = dsse.envelop(client("kms"), seals.key(context), content)
    key = seals.approval(package["ModelPackageVersion"])
    client("s3").put_object(Bucket=context.models_bucket, Key=key, Body=bundle)
