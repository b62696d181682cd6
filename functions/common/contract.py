"""Names on which the pipelines' definitions and the functions agree: of steps, of their outputs, of files.

Both read them here, as attributes of this module, so that whoever renames one renames it for both.
"""

RESOLVE = "Resolve"
"""The Lambda step that says what an execution of the inference or quality pipeline is about."""

MONITOR, QUALITY = "Monitor", "Quality"
"""The steps whose job finds drift: in a batch, and in the model."""

DRIFT = "Drift"
"""The Fail step that refuses a batch, or says that a model has become worse."""

MONITORING = "monitoring"
"""The output of the steps that find drift."""

VERDICT, VERDICT_FILE = "Verdict", "verdict.json"
"""The property file in that output, and what it is called."""

BATCH_ID, LABELS, MODEL_PACKAGE = "BatchId", "Labels", "ModelPackageArn"
"""Outputs of Resolve that say what an execution is about: a batch or labels, under which version."""


def batch_outputs() -> tuple[str, ...]:
    """Return what Resolve says of a batch.

    That is the batch and where it lies, whether drift refuses it, the approved version with its image in this
    account, its archive and its baseline, the volumes' key.
    """
    return (
        BATCH_ID, "BatchDataUrl", "Enforce", MODEL_PACKAGE, "Image", "ModelDataUrl", "Statistics", "Constraints",
        "VolumeKey",
    )  # fmt: skip


def quality_outputs() -> tuple[str, ...]:
    """Return what Resolve says of ground truth.

    That is the approved version; the identity of its ground truth; manifests of its predictions and of the ground
    truth; the metrics that it was registered with; the volumes' key.
    """
    return (MODEL_PACKAGE, LABELS, "Predictions", "GroundTruth", "Statistics", "VolumeKey")
