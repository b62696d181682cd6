"""The inference pipeline: a batch is watched first, then scored, then recorded.

Resolve → Monitor → CheckVerdict → CreateModel → Transform → Record, or else the Fail step Drift.
"""

from __future__ import annotations

import json

from pipeline import language
from pipeline.jobs import CSV, EXECUTION_ARN, PROCESSING, Jobs, s3_input, s3_output
from pipeline.language import (
    Definition,
    Json,
    Parameter,
    Step,
    equals,
    function_output,
    join,
    json_get,
    processing_output,
)
from pipeline.names import Names
from pipeline.release import Release
from pipeline.settings import Settings

NEWEST = "newest"
"""Value of BatchDataUrl that means the newest pending batch; a rule hands over the key of one that has arrived."""

BATCH = (
    "BatchId", "BatchDataUrl", "Enforce", "ModelPackageArn", "Image", "ModelDataUrl", "Statistics",
    "Constraints", "VolumeKey",
)  # fmt: skip
"""What the resolve function says: the batch and where it lies, whether drift refuses it, the approved version
with its image in this account, its archive and its baseline, the volumes' key."""

LEDGER = "ledger/"
"""Prefix of the ledger, which holds what was found of earlier batches."""

MAX_PAYLOAD_MB = 6


def definition(settings: Settings, release: Release) -> Definition:
    """Return the inference pipeline of an environment for a release."""
    names = Names(settings)
    batch = Parameter("BatchDataUrl", NEWEST)
    processing_type = Parameter("ProcessingInstanceType", settings.instance_types.processing)
    processing_count = Parameter("ProcessingInstanceCount", settings.instance_counts.processing)
    transform_type = Parameter("TransformInstanceType", settings.instance_types.transform)

    resolve = language.function(
        "Resolve",
        names.function("resolve", release.function("resolve")),
        {"action": "batch", "batch_data_url": batch.ref, "execution_arn": EXECUTION_ARN},
        BATCH,
    )
    jobs = Jobs(settings, release, "inference", function_output(resolve, "VolumeKey"))
    monitor = language.processing(
        "Monitor",
        jobs.processing(
            "monitor",
            processing_type,
            [
                s3_input("dataset", function_output(resolve, "BatchDataUrl"), "input/dataset"),
                s3_input("constraints", function_output(resolve, "Constraints"), "baseline/constraints"),
                s3_input("statistics", function_output(resolve, "Statistics"), "baseline/stats"),
                # Never empty: this execution's claim lies there.
                s3_input("earlier", f"s3://{names.data_bucket}/{LEDGER}", "input/earlier"),
            ],
            [s3_output("monitoring", jobs.run("monitor"), "output")],
            names.data_key,
            processing_count.ref,
            {
                "dataset_format": json.dumps({"csv": {"header": False}}),
                "dataset_source": f"{PROCESSING}/input/dataset",
                "output_path": f"{PROCESSING}/output",
                "baseline_constraints": f"{PROCESSING}/baseline/constraints/constraints.json",
                "baseline_statistics": f"{PROCESSING}/baseline/stats/statistics.json",
                "earlier_results": f"{PROCESSING}/input/earlier",
            },
        ),
        [("Verdict", "monitoring", "verdict.json")],
    )
    model = Step("CreateModel", "Model", _model(jobs, resolve))
    transform = Step("Transform", "Transform", _transform(jobs, resolve, model, transform_type))
    record = language.function(
        "Record",
        names.function("record", release.function("record")),
        {
            "batch_id": function_output(resolve, "BatchId"),
            "execution_arn": EXECUTION_ARN,
            "model_package_arn": function_output(resolve, "ModelPackageArn"),
            "monitoring": processing_output(monitor, "monitoring"),
            "predictions": transform.property("TransformOutput.S3OutputPath"),
        },
        ("State",),
    )
    verdict = language.condition(
        "CheckVerdict",
        [
            equals(json_get("Monitor", "Verdict", "drift"), True),
            # A batch that was refused before isn't held back again.
            equals(function_output(resolve, "Enforce"), "true"),
        ],
        then=[
            language.fail(
                "Drift",
                join(
                    "Batch ",
                    function_output(resolve, "BatchId"),
                    " is not like the baseline of ",
                    function_output(resolve, "ModelPackageArn"),
                    ". See ",
                    processing_output(monitor, "monitoring"),
                    "/report.html.",
                ),
            )
        ],
        otherwise=[model, transform, record],
    )
    return Definition([batch, processing_type, processing_count, transform_type], [resolve, monitor, verdict])


def _model(jobs: Jobs, resolve: Step) -> dict[str, Json]:
    """CreateModel's arguments: the approved archive in this account's own image."""
    return {
        "ExecutionRoleArn": jobs.names.role("infer"),
        "PrimaryContainer": {
            "Image": function_output(resolve, "Image"),
            "ModelDataUrl": function_output(resolve, "ModelDataUrl"),
        },
        "EnableNetworkIsolation": jobs.settings.network.isolation,
        **jobs.network(),
    }


def _transform(jobs: Jobs, resolve: Step, model: Step, instance_type: Parameter) -> dict[str, Json]:
    """CreateTransformJob's arguments: one line of output per line of input, in order."""
    source = {"S3DataType": "S3Prefix", "S3Uri": function_output(resolve, "BatchDataUrl")}
    return {
        "ModelName": model.property("ModelName"),
        "BatchStrategy": "MultiRecord",
        "MaxPayloadInMB": MAX_PAYLOAD_MB,
        "TransformInput": {
            "DataSource": {"S3DataSource": source},
            "ContentType": CSV,
            "CompressionType": "None",
            "SplitType": "Line",
        },
        "TransformOutput": {
            "S3OutputPath": jobs.run("transform"),
            "Accept": CSV,
            "AssembleWith": "Line",
            "KmsKeyId": jobs.names.data_key,
        },
        "TransformResources": {
            "InstanceType": instance_type.ref,
            "InstanceCount": 1,
            "VolumeKmsKeyId": jobs.volume_key,
        },
    }
