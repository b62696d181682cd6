"""The quality pipeline: labels that have arrived are held against what the approved version predicted.

Resolve → Quality → CheckQuality, and nothing more while the model is as good as it was, or else the Fail step Drift:
a model that has become worse is the same event as a batch that has drifted.
"""

from __future__ import annotations

import json

from functions.common import contract
from functions.common.batches import GROUND_TRUTH
from pipeline import language
from pipeline.jobs import EXECUTION_ARN, MANIFEST, PROCESSING, Jobs, s3_input, s3_output
from pipeline.language import Definition, Parameter, equals, function_output, join, json_get, processing_output
from pipeline.names import Names
from pipeline.release import Release
from pipeline.settings import Settings


def definition(settings: Settings, release: Release) -> Definition:
    """Return the quality pipeline of an environment for a release."""
    names = Names(settings)
    labels = Parameter("GroundTruthUrl", f"s3://{names.data_bucket}/{GROUND_TRUTH}")
    processing_type = Parameter("ProcessingInstanceType", settings.instance_types.processing)
    processing_count = Parameter("ProcessingInstanceCount", settings.instance_counts.processing)

    resolve = language.function(
        contract.RESOLVE,
        names.function("resolve", release.function("resolve")),
        {"action": "quality", "ground_truth_url": labels.ref, "execution_arn": EXECUTION_ARN},
        contract.quality_outputs(),
    )
    jobs = Jobs(settings, release, "quality", function_output(resolve, "VolumeKey"))
    quality = language.processing(
        contract.QUALITY,
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
            [s3_output(contract.MONITORING, jobs.run("quality"), "output")],
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
        [(contract.VERDICT, contract.MONITORING, contract.VERDICT_FILE)],
    )
    check = language.condition(
        "CheckQuality",
        [equals(json_get(contract.QUALITY, contract.VERDICT, "drift"), True)],
        then=[
            language.fail(
                contract.DRIFT,
                join(
                    function_output(resolve, contract.MODEL_PACKAGE),
                    " has become worse than it was when it was registered. See ",
                    processing_output(quality, contract.MONITORING),
                    "/report.html.",
                ),
            )
        ],
        otherwise=[],
    )
    return Definition([labels, processing_type, processing_count], [resolve, quality, check])
