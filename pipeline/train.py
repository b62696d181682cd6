"""The train pipeline: from labelled rows to a version that waits for approval.

ResolveChampion → Preprocess → Train → Evaluate → Gate → Baseline → Seal → Register, or else MissedGate.
"""

from __future__ import annotations

import json

from functions.common import contract
from pipeline import language
from pipeline.jobs import CSV, EXECUTION_ARN, PROCESSING, Jobs, s3_input, s3_output
from pipeline.language import (
    Definition,
    Json,
    Parameter,
    Step,
    at_least,
    function_output,
    get,
    join,
    json_get,
    processing_output,
)
from pipeline.names import Names
from pipeline.release import Release
from pipeline.settings import Settings
from steps.common.schema import FILE as SCHEMA

CHAMPION = ("ModelDataUrl", contract.MODEL_PACKAGE, "TrainingSet", "TrainingSetUrl", "Reason", "VolumeKey")
"""What the resolve function says: the champion's archive (or the placeholder) and version; the identity of
this execution's training set and the object that lists it; why it was started; the volumes' key."""

SEALED = (
    "ModelDataUrl", "Evaluation", "Statistics", "Constraints", "TrainingSetUrl", "Record", "RecordDigest",
    "ArchiveDigest",
)  # fmt: skip
"""What the seal function says: where the copies lie that the version is registered with, the record of all of them,
and the SHA-256 of record and archive."""


def definition(settings: Settings, release: Release) -> Definition:
    """Return the train pipeline of an environment for a release."""
    names = Names(settings)
    data = Parameter("InputDataUrl", f"s3://{names.data_bucket}/data/labelled/")
    threshold = Parameter("AucScoreThreshold", settings.auc_score_threshold)
    processing_type = Parameter("ProcessingInstanceType", settings.instance_types.processing)
    processing_count = Parameter("ProcessingInstanceCount", settings.instance_counts.processing)
    training_type = Parameter("TrainingInstanceType", settings.instance_types.training)
    training_count = Parameter("TrainingInstanceCount", settings.instance_counts.training)

    champion = language.function(
        "ResolveChampion",
        names.function("resolve", release.function("resolve")),
        {"action": "champion", "input_data_url": data.ref, "execution_arn": EXECUTION_ARN},
        CHAMPION,
    )
    jobs = Jobs(settings, release, "train", function_output(champion, "VolumeKey"))
    preprocess = language.processing(
        "Preprocess",
        jobs.processing(
            "preprocess",
            processing_type,
            [s3_input("data", data.ref, "input/data", "ShardedByS3Key")],
            [
                s3_output(part, jobs.run("preprocess", part), f"output/{part}")
                for part in ("train", "validation", "test", "baseline", "report")
            ],
            names.data_key,
            processing_count.ref,
        ),
    )
    train = Step("Train", "Training", _training(jobs, preprocess, training_type, training_count))
    evaluate = language.processing(
        "Evaluate",
        jobs.processing(
            "evaluate",
            processing_type,
            [
                s3_input("model", train.property("ModelArtifacts.S3ModelArtifacts"), "input/model"),
                s3_input("champion", function_output(champion, "ModelDataUrl"), "input/champion"),
                s3_input("test", processing_output(preprocess, "test"), "input/test"),
            ],
            [s3_output("evaluation", jobs.evidence("evaluate"), "output/evaluation")],
            names.models_key,
        ),
        [("Evaluation", "evaluation", "evaluation.json")],
    )
    baseline = language.processing(
        "Baseline",
        jobs.processing(
            "monitor",
            processing_type,
            [s3_input("dataset", processing_output(preprocess, "baseline"), "input/dataset")],
            [s3_output("baseline", jobs.evidence("baseline"), "output")],
            names.models_key,
            environment={
                "dataset_format": json.dumps({"csv": {"header": True}}),
                "dataset_source": f"{PROCESSING}/input/dataset",
                "output_path": f"{PROCESSING}/output",
            },
        ),
    )
    specification = _specification(jobs)
    seal = language.function(
        "Seal",
        names.function("seal", release.function("seal")),
        {
            "archive": train.property("ModelArtifacts.S3ModelArtifacts"),
            "evaluation": processing_output(evaluate, "evaluation"),
            "baseline": processing_output(baseline, "baseline"),
            "training_set": function_output(champion, "TrainingSetUrl"),
            "inference_specification": specification,
            "execution_arn": EXECUTION_ARN,
        },
        SEALED,
    )
    gate = language.condition(
        "Gate",
        [
            at_least(json_get("Evaluate", "Evaluation", "binary_classification_metrics.auc.value"), threshold.ref),
            # Not worse than the champion: only a difference whose 95 % interval lies below zero is worse.
            at_least(json_get("Evaluate", "Evaluation", "champion_comparison.auc_difference.upper"), 0.0),
        ],
        then=[
            baseline,
            seal,
            Step("Register", "RegisterModel", _package(jobs, champion, seal, specification)),
        ],
        otherwise=[
            language.fail(
                "MissedGate",
                join(
                    "The model missed the gate: its AUC on the test rows is below ",
                    threshold.ref,
                    ", or it is significantly worse than the champion (",
                    function_output(champion, contract.MODEL_PACKAGE),
                    "). See ",
                    processing_output(evaluate, "evaluation"),
                    "/report.html.",
                ),
            )
        ],
    )
    return Definition(
        [data, threshold, processing_type, processing_count, training_type, training_count],
        [champion, preprocess, train, evaluate, gate],
    )


def _training(jobs: Jobs, preprocess: Step, instance_type: Parameter, instance_count: Parameter) -> dict[str, Json]:
    """CreateTrainingJob's arguments; hosts share the training rows, and each sees all validation rows."""

    def channel(name: str, distribution: str) -> dict[str, Json]:
        source = {
            "S3DataType": "S3Prefix",
            "S3Uri": processing_output(preprocess, name),
            "S3DataDistributionType": distribution,
        }
        return {"ChannelName": name, "ContentType": CSV, "DataSource": {"S3DataSource": source}}

    return {
        "AlgorithmSpecification": {"TrainingImage": jobs.image("train"), "TrainingInputMode": "File"},
        "RoleArn": jobs.names.role("train"),
        "HyperParameters": {"monotone_constraints": monotone_constraints(), **jobs.settings.hyperparameters},
        "InputDataConfig": [channel("train", "ShardedByS3Key"), channel("validation", "FullyReplicated")],
        "OutputDataConfig": {"S3OutputPath": jobs.evidence("train"), "KmsKeyId": jobs.names.models_key},
        "ResourceConfig": {
            "InstanceType": instance_type.ref,
            "InstanceCount": instance_count.ref,
            "VolumeSizeInGB": jobs.settings.volume_gb,
            "VolumeKmsKeyId": jobs.volume_key,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": jobs.settings.max_runtime_seconds},
        "EnableNetworkIsolation": jobs.settings.network.isolation,
        "EnableInterContainerTrafficEncryption": True,
        **jobs.network(),
    }


def monotone_constraints() -> str:
    """Return XGBoost's constraints in the schema's order of columns, such as (1,0,-1)."""
    columns = json.loads(SCHEMA.read_text())["columns"]
    return "(" + ",".join(str(column.get("monotone", 0)) for column in columns) + ")"


def _specification(jobs: Jobs) -> dict[str, Json]:
    """Return the InferenceSpecification of what is trained, whose archive isn't sealed yet."""
    return {
        "Containers": [{"Image": jobs.image("infer")}],
        "SupportedContentTypes": [CSV],
        "SupportedResponseMIMETypes": [CSV, "application/jsonlines"],
        "SupportedRealtimeInferenceInstanceTypes": ["ml.t2.medium", "ml.m5.large", "ml.m5.xlarge"],
        "SupportedTransformInstanceTypes": ["ml.m5.large", "ml.m5.xlarge"],
    }


def _package(jobs: Jobs, champion: Step, seal: Step, specification: dict[str, Json]) -> dict[str, Json]:
    """CreateModelPackage's arguments: a version consists of sealed objects, and nobody but a person approves it."""

    def sealed(part: str) -> dict[str, Json]:
        return {"ContentType": "application/json", "S3Uri": function_output(seal, part)}

    container = {"Image": jobs.image("infer"), "ModelDataUrl": function_output(seal, "ModelDataUrl")}
    quality = {"Statistics": sealed("Evaluation")}
    data_quality = {"Statistics": sealed("Statistics"), "Constraints": sealed("Constraints")}
    return {
        "ModelPackageGroupName": jobs.names.group,
        "ModelApprovalStatus": "PendingManualApproval",
        "InferenceSpecification": {**specification, "Containers": [container]},
        "ModelMetrics": {"ModelQuality": quality, "ModelDataQuality": data_quality},
        "DriftCheckBaselines": {"ModelQuality": quality, "ModelDataQuality": data_quality},
        "CustomerMetadataProperties": {
            "PipelineExecutionArn": get("Execution.PipelineExecutionArn"),
            "Reason": function_output(champion, "Reason"),
            "Champion": function_output(champion, contract.MODEL_PACKAGE),
            "TrainingSet": function_output(champion, "TrainingSet"),
            **{name: function_output(seal, name) for name in SEALED[-4:]},
            "Release": jobs.release.version,
            "GitCommit": jobs.release.git_commit,
            "TrainImageDigest": jobs.release.digest("train"),
            "InferImageDigest": jobs.release.digest("infer"),
        },
    }
