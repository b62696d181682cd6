"""Entry point of `mammography-seal`: what a version is to consist of is copied to where no job may write."""

from __future__ import annotations

from functions.common.context import AccountContext, pipeline_and_id
from functions.common.failures import remembered
from functions.common.seals import ARCHIVE, CONSTRAINTS, EVALUATION, PREFIX, STATISTICS, TRAINING_SET
from functions.seal.copies import keep, seal

RECORD = "record.json"


@remembered
def handle(event: dict) -> dict[str, str]:
    """Seal what an execution made and return what its version is registered with.

    Args:
        event: {"archive", "evaluation", "baseline", "training_set", "inference_specification", "execution_arn"}:
            S3 URLs of the archive, of two steps' outputs and of the list of training objects; the specification's
            container names no archive yet.

    Raises:
        NothingToSeal, ModelTampered: as `functions.seal.copies.seal` says.
    """
    context = AccountContext.here()
    parts = {
        ARCHIVE: event["archive"],
        EVALUATION: f"{event['evaluation']}/evaluation.json",
        STATISTICS: f"{event['baseline']}/statistics.json",
        CONSTRAINTS: f"{event['baseline']}/constraints.json",
        TRAINING_SET: event["training_set"],
    }
    record = seal(context, parts, event["inference_specification"])
    beside = "/".join((context.environment, *pipeline_and_id(event["execution_arn"]), RECORD))
    url, digest = keep(context, PREFIX + beside, record)
    urls = {name: record.url(part) or "" for name, part in OUTPUTS.items()}
    archive = record.sealed(ARCHIVE)
    return {**urls, "Record": url, "RecordDigest": digest, "ArchiveDigest": archive.sha256 if archive else ""}


OUTPUTS = {
    "ModelDataUrl": ARCHIVE,
    "Evaluation": EVALUATION,
    "Statistics": STATISTICS,
    "Constraints": CONSTRAINTS,
    "TrainingSetUrl": TRAINING_SET,
}
"""Output → the part whose copy's URL it is."""
