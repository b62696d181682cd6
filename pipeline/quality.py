"""The quality pipeline: labels that have arrived are held against what the approved version predicted.

Resolve → Quality → CheckQuality, and nothing more while the model is as good as it was, or else the Fail step Drift:
a model that has become worse is the same event as a batch that has drifted.
"""

from __future__ import annotations

import json

from functions.common.batches import GROUND_TRUTH
from pipeline import language
from pipeline.jobs import EXECUTION_ARN, MANIFEST, PROCESSING, Jobs, s3_input, s3_output
from pipeline.language import Definition, Parameter, equals, function_output, join, json_get, processing_output
from pipeline.names import Names
from pipeline.release import Release
from pipeline.settings import Settings

QUALITY = ("ModelPackageArn", "Labels", "Predictions", "GroundTruth", "Statistics", "VolumeKey")
"""What the resolve function says: the approved version; the identity of its ground truth; manifests of its
predictions and of the ground truth; the metrics that it was registered with; the volumes' key."""


def definition(settings: Settings, release: Release) -> Definition:
    """Return the quality pipeline of an environment for a release."""
    names = Names(settings)
    labels = Parameter("GroundTruthUrl", f"s3://{names.data_bucket}/{GROUND_TRUTH}")
    processing_type = Parameter("ProcessingInstanceType", settings.instance_types.processing)
    processing_count = Parameter("ProcessingInstanceCount", settings.instance_counts.processing)

    resolve = language.function(
        "Resolve",
        names.function("resolve", release.function("resolve")),
        {"action": "quality", "ground_truth_url": labels.ref, "execution_arn": EXECUTION_ARN},
        QUALITY,
    )
    jobs = Jobs(settings, release, "quality", function_output(resolve, "VolumeKey"))
    quality = language.processing(
        "Quality",
        jobs.processing(
            "monitor",
            processing_type,
            [
                # Exactly the objects that Resolve has found: neither the whole history nor what arrives meanwhile.
                s3_input(
                    "predictions", function_output(resolve, "Predictions"), "input/predictions", data_type=MANIFEST
                ),
                s3_input(
                    "ground_truth", function_output(resolve, "GroundTruth"), "input/ground_truth", data_type=MANIFEST
                ),
                s3_input("statistics", function_output(resolve, "Statistics"), "baseline/stats"),
            ],
            [s3_output("monitoring", jobs.run("quality"), "output")],
            names.data_key,
            processing_count.ref,
            {
                "analysis_type": "MODEL_QUALITY",
                "problem_type": "BinaryClassification",
                "dataset_format": json.dumps({"csv": {"header": False}}),
                "dataset_source": f"{PROCESSING}/input/predictions",
                "ground_truth_source": f"{PROCESSING}/input/ground_truth",
                "output_path": f"{PROCESSING}/output",
                "baseline_statistics": f"{PROCESSING}/baseline/stats/evaluation.json",
            },
        ),
        [("Verdict", "monitoring", "verdict.json")],
    )
    check = language.condition(
        "CheckQuality",
        [equals(json_get("Quality", "Verdict", "drift"), True)],
        then=[
            language.fail(
                "Drift",
                join(
                    function_output(resolve, "ModelPackageArn"),
                    " has become worse than it was when it was registered. See ",
                    processing_output(quality, "monitoring"),
                    "/report.html.",
                ),
            )
        ],
        otherwise=[],
    )
    return Definition([labels, processing_type, processing_count], [resolve, quality, check])
