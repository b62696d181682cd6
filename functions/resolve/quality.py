"""By which labels the approved version is judged, and by which of its predictions."""

from __future__ import annotations

from collections.abc import Iterable

from functions.common import ledger, registry
from functions.common.batches import CANARY, GROUND_TRUTH, require_below
from functions.common.failures import (
    NoBaseline,
    NoGroundTruth,
    NothingToJudge,
    OnlyOlderScored,
)
from functions.common.objects import at_once, contents, list_objects, training_set
from functions.common.place import Place, put_json, split
from functions.resolve.champion import volume_key


def resolve_quality(event: dict) -> dict[str, str]:
    """Return where everything lies that the approved version is judged by.

    Labels arrive late, in parts and twice: every execution judges by all that lie there. Predictions are those that
    the approved version made: what an older one did says nothing of it.

    Args:
        event: {"ground_truth_url", "execution_arn"}.

    Raises:
        WrongInput, NoApprovedModel, NoBaseline, NoGroundTruth, NothingToJudge, OnlyOlderScored: as named.
    """
    place = Place.here()
    url = event["ground_truth_url"]
    require_below(place, "GroundTruthUrl", url, GROUND_TRUTH, "labels arrive")
    package = registry.approved(place)
    figures = registry.evaluation(package)
    if figures is None:
        raise NoBaseline(f"{package['ModelPackageArn']} carries no figures that labels could be held against.")
    labels = contents(url, empty=False)
    if not labels:
        raise NoGroundTruth(f"GroundTruthUrl {url}: no label has arrived there.")
    version = registry.version_of(package["ModelPackageArn"])
    predictions = _predictions(place, version)
    runs = f"runs/{place.pipeline('inference')}/"
    return {
        "ModelPackageArn": package["ModelPackageArn"],
        "Labels": identity(version, labels.values()),
        "Predictions": _manifest(place, event["execution_arn"], "predictions", runs, predictions),
        "GroundTruth": _manifest(place, event["execution_arn"], "ground-truth", GROUND_TRUTH, labels),
        "Statistics": figures,
        "VolumeKey": volume_key(place),
    }


def identity(version: int, contents: Iterable[str]) -> str:
    """Return the identity of labels as a reason: the same labels of the same version are one, however often they come.

    Args:
        version: the version that they judge.
        contents: what identifies the bytes of each object of labels.
    """
    return f"labels-v{version}-{training_set(set(contents))[:12]}"


def _predictions(place: Place, version: int) -> list[str]:
    """Return the keys of what a version predicted, and of what says which batches it scored.

    Canary batches don't count: they only try a release, and nobody labels them.
    """
    scored = [
        entry
        for entry in ledger.entries(place)
        if entry.state == ledger.SCORED and not split(entry.batch.url)[1].startswith(CANARY)
    ]
    own = [entry for entry in scored if entry.version == version]
    if not scored:
        raise NothingToJudge("No batch is scored yet: there is nothing that labels could judge.")
    if not own:
        raise OnlyOlderScored(
            f"Version {version} of {place.project} has scored no batch yet: the labels tell of older versions."
        )
    found = at_once(lambda entry: list_objects(f"{entry.predictions}/"), own)
    keys = [item.key for objects in found for item in objects]
    return keys + [place.run(entry.execution, ledger.BESIDE) for entry in own]


def _manifest(place: Place, execution: str, name: str, prefix: str, keys: Iterable[str]) -> str:
    """Write which objects a job reads, as SageMaker's manifest files say it; return the manifest's URL."""
    listed = [{"prefix": f"s3://{place.data_bucket}/{prefix}"}, *(key.removeprefix(prefix) for key in sorted(keys))]
    key = place.run(execution, f"{name}.manifest")
    put_json(place.data_bucket, key, listed)
    return f"s3://{place.data_bucket}/{key}"
