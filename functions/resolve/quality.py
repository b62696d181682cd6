"""By which labels the approved version is evaluated, and by which of its predictions."""

from __future__ import annotations

from collections.abc import Iterable

from functions.common import contract, ledger, pending, registry, seals
from functions.common.batches import GROUND_TRUTH, SMOKE_TESTS, require_below
from functions.common.context import AccountContext, put_json, split
from functions.common.failures import (
    NoBaseline,
    NoGroundTruth,
    NoPredictionsByChampion,
    NoScoredBatch,
)
from functions.common.objects import at_once, contents, list_objects, training_set
from functions.resolve.champion import volume_key


def resolve_quality(event: dict) -> dict[str, str]:
    """Return where everything lies that the approved version is evaluated on.

    Labels arrive late, in parts and twice: every execution reads all that lie there. Predictions are those that
    the approved version made: what an older one did says nothing of it.

    Args:
        event: {"ground_truth_url", "execution_arn"}.

    Raises:
        WrongInput, NoApprovedModel, ModelNotSealed, ModelTampered, NoBaseline, NoGroundTruth, NoScoredBatch,
        NoPredictionsByChampion: as named.
    """
    context = AccountContext.here()
    url = event["ground_truth_url"]
    require_below(context, "GroundTruthUrl", url, GROUND_TRUTH, "labels arrive")
    package = registry.approved(context)
    statistics = seals.opened(context, package).url(seals.EVALUATION)
    if statistics is None:
        raise NoBaseline(f"{package['ModelPackageArn']} carries no metrics to compare with.")
    labels = contents(url, empty=False)
    if not labels:
        raise NoGroundTruth(f"GroundTruthUrl {url}: no label has arrived there.")
    version = registry.version_of(package["ModelPackageArn"])
    predictions = _predictions(context, version)
    runs = f"runs/{context.pipeline('inference')}/"
    return {
        contract.MODEL_PACKAGE: package["ModelPackageArn"],
        contract.LABELS: identity(version, labels.values()),
        "Predictions": _manifest(context, event["execution_arn"], "predictions", runs, predictions),
        "GroundTruth": _manifest(context, event["execution_arn"], "ground-truth", GROUND_TRUTH, labels),
        "Statistics": statistics,
        "VolumeKey": volume_key(context),
    }


def identity(version: int, contents: Iterable[str]) -> str:
    """Return the identity of labels as a reason: the same labels of the same version are one, however often they come.

    Args:
        version: the version that is evaluated on them.
        contents: what identifies the bytes of each object of labels.
    """
    return f"labels-v{version}-{training_set(set(contents))[:12]}"


def _predictions(context: AccountContext, version: int) -> list[str]:
    """Return the keys of what a version predicted, and of what says which batches it scored.

    Smoke-test batches don't count: they only try a release, and nobody labels them.
    """
    own = _own(context, version)
    if not own and not any(pending.scored(context)):
        raise NoScoredBatch("No batch is scored yet: there are no predictions to evaluate.")
    if not own:
        raise NoPredictionsByChampion(
            f"Version {version} of {context.project} has scored no batch yet: the labels tell of older versions."
        )
    found = at_once(lambda entry: list_objects(f"{entry.predictions}/"), own)
    keys = [item.key for objects in found for item in objects]
    return keys + at_once(lambda entry: _provenance(context, entry), own)


def _own(context: AccountContext, version: int) -> list[ledger.Entry]:
    """Return the entries of what a version has scored: by the index, or all of the ledger while it is brought over."""
    if pending.bring_over(context):
        entries = at_once(lambda batch: ledger.read(context, batch)[0], pending.scored(context, version))
    else:
        entries = list(ledger.entries(context))
    return [
        entry
        for entry in entries
        if entry is not None
        and (entry.state, entry.version) == (ledger.SCORED, version)
        and not split(entry.batch.url)[1].startswith(SMOKE_TESTS)
    ]


def _provenance(context: AccountContext, entry: ledger.Entry) -> str:
    """Return the key of what says which model made an entry's predictions, under the name that it has there."""
    key = context.run(entry.execution, ledger.PROVENANCE)
    there = list_objects(f"s3://{context.data_bucket}/{key}")
    return key if there else context.run(entry.execution, ledger.OLDER_PROVENANCE)


def _manifest(context: AccountContext, execution: str, name: str, prefix: str, keys: Iterable[str]) -> str:
    """Write which objects a job reads, as SageMaker's manifest files say it; return the manifest's URL."""
    listed = [{"prefix": f"s3://{context.data_bucket}/{prefix}"}, *(key.removeprefix(prefix) for key in sorted(keys))]
    key = context.run(execution, f"{name}.manifest")
    put_json(context.data_bucket, key, listed)
    return f"s3://{context.data_bucket}/{key}"
