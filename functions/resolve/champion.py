"""Against which version a new one is measured, and what it is trained on."""

from __future__ import annotations

import re

from functions.common import contract, registry, seals
from functions.common.batches import LABELLED, require_below
from functions.common.context import AccountContext, client, pipeline_and_id, put_json
from functions.common.failures import NoLabelledData
from functions.common.objects import contents, training_set

NOT_IN_METADATA = re.compile(r"[^\w.:/=+\-@]+")
"""What CustomerMetadataProperties may not hold, and white space, of which they may hold only some."""


def resolve_champion(event: dict) -> dict[str, str]:
    """Return the approved version's archive, or the placeholder, with the identity of the training set.

    Args:
        event: {"input_data_url", "execution_arn"}.

    Raises:
        NoLabelledData: there is no object to train on.
        ModelNotSealed, ModelTampered: the approved version isn't what a person signed.
        WrongInput: the URL is none of labelled data.
    """
    context = AccountContext.here()
    require_below(context, "InputDataUrl", event["input_data_url"], LABELLED, "labelled data lies")
    found = contents(event["input_data_url"])
    if not found:
        raise NoLabelledData(f"{event['input_data_url']}: no object to train on.")
    package = registry.champion(context)
    archive = seals.opened(context, package).url(seals.ARCHIVE) if package else None
    identity = training_set(found.values())
    return {
        "ModelDataUrl": archive or f"s3://{context.data_bucket}/placeholders/none",
        contract.MODEL_PACKAGE: package["ModelPackageArn"] if package else "none",
        "TrainingSet": identity,
        "TrainingSetUrl": _write_list(context, event["execution_arn"], identity, found),
        "Reason": _reason(event["execution_arn"]),
        "VolumeKey": volume_key(context),
    }


def _write_list(context: AccountContext, execution: str, identity: str, found: dict[str, str]) -> str:
    """Write what the training set consists of beside the model to be; return its URL."""
    key = "/".join((context.environment, *pipeline_and_id(execution), "training-set.json"))
    listed = [{"key": key, "content": content} for key, content in found.items()]
    put_json(context.models_bucket, key, {"identity": identity, "objects": listed})
    return f"s3://{context.models_bucket}/{key}"


def _reason(execution: str) -> str:
    """Return why the execution was started, as far as metadata can hold it."""
    description = (
        client("sagemaker")
        .describe_pipeline_execution(PipelineExecutionArn=execution)
        .get("PipelineExecutionDescription", "")
    )
    return NOT_IN_METADATA.sub(" ", description).strip()[:256].strip() or "started without a reason"


def volume_key(context: AccountContext) -> str:
    """Return the ARN of the account's data key: training volumes take no alias."""
    return client("kms").describe_key(KeyId=f"alias/{context.project}-data")["KeyMetadata"]["Arn"]
