"""The inference pipeline: a batch is watched first, then scored, then recorded.

Resolve → Monitor → CheckVerdict → CreateModel → Transform → Record, or else the Fail step Drift.
"""

from __future__ import annotations

import json

from functions.common import contract
from functions.common.batches import NEWEST
from functions.common.recent import PREFIX as RECENT
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

MAX_PAYLOAD_MB = 6


def definition(settings: Settings, release: Release) -> Definition:
    """Return the inference pipeline of an environment for a release."""
    names = Names(settings)
    batch = Parameter("BatchDataUrl", NEWEST)
    processing_type = Parameter("ProcessingInstanceType", settings.instance_types.processing)
    processing_count = Parameter("ProcessingInstanceCount", settings.instance_counts.processing)
    transform_type = Parameter("TransformInstanceType", settings.instance_types.transform)

    resolve = language.function(
        contract.RESOLVE,
        names.function("resolve", release.function("resolve")),
        {"action": "batch", "batch_data_url": batch.ref, "execution_arn": EXECUTION_ARN},
        contract.batch_outputs(),
    )
    jobs = Jobs(settings, release, "inference", function_output(resolve, "VolumeKey"))
    monitor = language.processing(
        contract.MONITOR,
        jobs.processing(
            "monitor",
            processing_type,
            [
                s3_input("dataset", function_output(resolve, "BatchDataUrl"), "input/dataset"),
                s3_input("constraints", function_output(resolve, "Constraints"), "baseline/constraints"),
                s3_input("statistics", function_output(resolve, "Statistics"), "baseline/stats"),
                # Never empty: Resolve sees to it.
                s3_input("earlier", f"s3://{names.data_bucket}/{RECENT}", "input/earlier"),
            ],
            [s3_output(contract.MONITORING, jobs.run("monitor"), "output")],
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
        [(contract.VERDICT, contract.MONITORING, contract.VERDICT_FILE)],
    )
    model = Step("CreateModel", "Model", _model(jobs, resolve))
    transform = Step("Transform", "Transform", _transform(jobs, resolve, model, transform_type))
    record = language.function(
        "Record",
        names.function("record", release.function("record")),
        {
            "batch_id": function_output(resolve, contract.BATCH_ID),
            "execution_arn": EXECUTION_ARN,
            "model_package_arn": function_output(resolve, contract.MODEL_PACKAGE),
            "monitoring": processing_output(monitor, contract.MONITORING),
            "predictions": transform.property("TransformOutput.S3OutputPath"),
        },
        ("State",),
    )
    verdict = language.condition(
        "CheckVerdict",
        [
            equals(json_get(contract.MONITOR, contract.VERDICT, "drift"), True),
            # A batch that was refused before isn't held back again.
            equals(function_output(resolve, "Enforce"), "true"),
        ],
        then=[
            language.fail(
                contract.DRIFT,
                join(
                    "Batch ",
                    function_output(resolve, contract.BATCH_ID),
                    " is not like the baseline of ",
                    function_output(resolve, contract.MODEL_PACKAGE),
                    ". See ",
                    processing_output(monitor, contract.MONITORING),
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
