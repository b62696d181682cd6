"""The pipelines as the SageMaker Python SDK v2 emits them: the same steps, said in its words."""

from __future__ import annotations

import json
from typing import Any

from sagemaker.drift_check_baselines import DriftCheckBaselines
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.model import Model
from sagemaker.model_metrics import MetricsSource, ModelMetrics
from sagemaker.workflow.condition_step import ConditionStep
from sagemaker.workflow.conditions import ConditionEquals, ConditionGreaterThanOrEqualTo
from sagemaker.workflow.execution_variables import ExecutionVariables
from sagemaker.workflow.fail_step import FailStep
from sagemaker.workflow.functions import Join, JsonGet
from sagemaker.workflow.model_step import ModelStep
from sagemaker.workflow.parameters import ParameterFloat, ParameterInteger, ParameterString
from sagemaker.workflow.properties import PropertyFile
from sagemaker.workflow.steps import TrainingStep

from functions.common.contract import batch_outputs, quality_outputs
from pipeline.train import CHAMPION, SEALED, monotone_constraints
from tests.sdk.steps import PROCESSING, Steps, step_input

TAKES, GIVES = ["text/csv"], ["text/csv", "application/jsonlines"]
ANSWERING, TRANSFORMING = ["ml.t2.medium", "ml.m5.large", "ml.m5.xlarge"], ["ml.m5.large", "ml.m5.xlarge"]
"""What the model reads and writes, and the instances that it may answer and transform on."""


class Emitted(Steps):
    """The pipelines of an environment for a release."""

    def train(self) -> dict[str, Any]:
        """Return the train pipeline's definition."""
        settings, names = self.settings, self.names
        data = ParameterString("InputDataUrl", default_value=f"s3://{names.data_bucket}/data/labelled/")
        threshold = ParameterFloat("AucScoreThreshold", default_value=settings.auc_score_threshold)
        processing_type = ParameterString("ProcessingInstanceType", default_value=settings.instance_types.processing)
        processing_count = ParameterInteger("ProcessingInstanceCount", settings.instance_counts.processing)
        training_type = ParameterString("TrainingInstanceType", default_value=settings.instance_types.training)
        training_count = ParameterInteger("TrainingInstanceCount", settings.instance_counts.training)
        champion = self._function(
            "ResolveChampion",
            "resolve",
            {
                "action": "champion",
                "input_data_url": data,
                "execution_arn": ExecutionVariables.PIPELINE_EXECUTION_ARN,
            },
            CHAMPION,
        )
        said = champion.properties.Outputs
        preprocess = self._processing(
            "Preprocess", "preprocess", (processing_type, processing_count), said["VolumeKey"], names.data_key,
            [step_input("data", data, "input/data", "ShardedByS3Key")],
            [
                (part, self._data("train", "preprocess", part), f"output/{part}")
                for part in ("train", "validation", "test", "baseline", "report")
            ],
        )  # fmt: skip
        split = preprocess.properties.ProcessingOutputConfig.Outputs
        train = self._training(training_type, training_count, said["VolumeKey"], split)
        archive = train.properties.ModelArtifacts.S3ModelArtifacts
        evaluation = PropertyFile(name="Evaluation", output_name="evaluation", path="evaluation.json")
        evaluate = self._processing(
            "Evaluate", "evaluate", (processing_type, 1), said["VolumeKey"], names.models_key,
            [
                step_input("model", archive, "input/model"),
                step_input("champion", said["ModelDataUrl"], "input/champion"),
                step_input("test", split["test"].S3Output.S3Uri, "input/test"),
            ],
            [("evaluation", self._models("evaluate"), "output/evaluation")],
            [evaluation],
        )  # fmt: skip
        baseline = self._processing(
            "Baseline", "monitor", (processing_type, 1), said["VolumeKey"], names.models_key,
            [step_input("dataset", split["baseline"].S3Output.S3Uri, "input/dataset")],
            [("baseline", self._models("baseline"), "output")],
            env={
                "dataset_format": json.dumps({"csv": {"header": True}}),
                "dataset_source": f"{PROCESSING}/input/dataset",
                "output_path": f"{PROCESSING}/output",
            },
        )  # fmt: skip
        evaluated = evaluate.properties.ProcessingOutputConfig.Outputs["evaluation"].S3Output.S3Uri
        seal = self._function(
            "Seal",
            "seal",
            {
                "archive": archive,
                "evaluation": evaluated,
                "baseline": baseline.properties.ProcessingOutputConfig.Outputs["baseline"].S3Output.S3Uri,
                "training_set": said["TrainingSetUrl"],
                # A function takes what CreateModelPackage takes, less the archive, which it is about to copy.
                "inference_specification": {
                    "Containers": [{"Image": self._image("infer")}],
                    "SupportedContentTypes": TAKES,
                    "SupportedResponseMIMETypes": GIVES,
                    "SupportedRealtimeInferenceInstanceTypes": ANSWERING,
                    "SupportedTransformInstanceTypes": TRANSFORMING,
                },
                "execution_arn": ExecutionVariables.PIPELINE_EXECUTION_ARN,
            },
            SEALED,
        )
        gate = ConditionStep(
            name="Gate",
            conditions=[
                ConditionGreaterThanOrEqualTo(
                    left=JsonGet("Evaluate", evaluation, "binary_classification_metrics.auc.value"), right=threshold
                ),
                ConditionGreaterThanOrEqualTo(
                    left=JsonGet("Evaluate", evaluation, "champion_comparison.auc_difference.upper"), right=0.0
                ),
            ],
            if_steps=[baseline, seal, self._register(said, seal.properties.Outputs)],
            else_steps=[
                FailStep(
                    name="MissedGate",
                    error_message=Join(
                        on="",
                        values=[
                            "The model missed the gate: its AUC on the test rows is below ", threshold,
                            ", or it is significantly worse than the champion (", said["ModelPackageArn"],
                            "). See ", evaluated, "/report.html.",
                        ],
                    ),
                )
            ],
        )  # fmt: skip
        parameters = [data, threshold, processing_type, processing_count, training_type, training_count]
        return self._pipeline("train", parameters, [champion, preprocess, train, evaluate, gate])

    def _training(self, kind: Any, count: Any, volume_key: Any, split: Any) -> TrainingStep:
        estimator = Estimator(
            image_uri=self._image("train"),
            role=self.names.role("train"),
            instance_type=kind,
            instance_count=count,
            volume_size=self.settings.volume_gb,
            volume_kms_key=volume_key,
            max_run=self.settings.max_runtime_seconds,
            output_path=self._models("train"),
            output_kms_key=self.names.models_key,
            hyperparameters={"monotone_constraints": monotone_constraints(), **self.settings.hyperparameters},
            enable_network_isolation=self.settings.network.isolation,
            encrypt_inter_container_traffic=True,
            sagemaker_session=self.session,
        )
        channels = {
            name: TrainingInput(split[name].S3Output.S3Uri, distribution=distribution, content_type="text/csv")
            for name, distribution in (("train", "ShardedByS3Key"), ("validation", "FullyReplicated"))
        }
        return TrainingStep(name="Train", step_args=estimator.fit(channels))

    def _register(self, said: Any, sealed: Any) -> ModelStep:
        def metrics(part: str) -> MetricsSource:
            return MetricsSource(content_type="application/json", s3_uri=sealed[part])

        quality, statistics, constraints = metrics("Evaluation"), metrics("Statistics"), metrics("Constraints")
        model = Model(
            image_uri=self._image("infer"),
            model_data=sealed["ModelDataUrl"],
            role=self.names.role("infer"),
            sagemaker_session=self.session,
        )
        arguments = model.register(
            content_types=TAKES,
            response_types=GIVES,
            inference_instances=ANSWERING,
            transform_instances=TRANSFORMING,
            model_package_group_name=self.names.group,
            approval_status="PendingManualApproval",
            model_metrics=ModelMetrics(
                model_statistics=quality,
                model_data_statistics=statistics,
                model_data_constraints=constraints,
            ),
            drift_check_baselines=DriftCheckBaselines(
                model_statistics=quality,
                model_data_statistics=statistics,
                model_data_constraints=constraints,
            ),
            customer_metadata_properties={
                "PipelineExecutionArn": ExecutionVariables.PIPELINE_EXECUTION_ARN,
                "Reason": said["Reason"],
                "Champion": said["ModelPackageArn"],
                "TrainingSet": said["TrainingSet"],
                "TrainingSetUrl": sealed["TrainingSetUrl"],
                "Record": sealed["Record"],
                "RecordDigest": sealed["RecordDigest"],
                "ArchiveDigest": sealed["ArchiveDigest"],
                "Release": self.release.version,
                "GitCommit": self.release.git_commit,
                "TrainImageDigest": self.release.digest("train"),
                "InferImageDigest": self.release.digest("infer"),
            },
        )
        return ModelStep(name="Register", step_args=arguments)

    def inference(self) -> dict[str, Any]:
        """Return the inference pipeline's definition."""
        settings, names = self.settings, self.names
        batch = ParameterString("BatchDataUrl", default_value="newest")
        processing_type = ParameterString("ProcessingInstanceType", default_value=settings.instance_types.processing)
        processing_count = ParameterInteger("ProcessingInstanceCount", settings.instance_counts.processing)
        transform_type = ParameterString("TransformInstanceType", default_value=settings.instance_types.transform)
        resolve = self._function(
            "Resolve",
            "resolve",
            {
                "action": "batch",
                "batch_data_url": batch,
                "execution_arn": ExecutionVariables.PIPELINE_EXECUTION_ARN,
            },
            batch_outputs(),
        )
        said = resolve.properties.Outputs
        verdict = PropertyFile(name="Verdict", output_name="monitoring", path="verdict.json")
        monitor = self._processing(
            "Monitor", "monitor", (processing_type, processing_count), said["VolumeKey"], names.data_key,
            [
                step_input("dataset", said["BatchDataUrl"], "input/dataset"),
                step_input("constraints", said["Constraints"], "baseline/constraints"),
                step_input("statistics", said["Statistics"], "baseline/stats"),
                step_input("earlier", f"s3://{names.data_bucket}/index/recent/", "input/earlier"),
            ],
            [("monitoring", self._data("inference", "monitor"), "output")],
            [verdict],
            {
                "dataset_format": json.dumps({"csv": {"header": False}}),
                "dataset_source": f"{PROCESSING}/input/dataset",
                "output_path": f"{PROCESSING}/output",
                "baseline_constraints": f"{PROCESSING}/baseline/constraints/constraints.json",
                "baseline_statistics": f"{PROCESSING}/baseline/stats/statistics.json",
                "earlier_results": f"{PROCESSING}/input/earlier",
            },
        )  # fmt: skip
        watched = monitor.properties.ProcessingOutputConfig.Outputs["monitoring"].S3Output.S3Uri
        model = Model(
            image_uri=said["Image"],
            model_data=said["ModelDataUrl"],
            role=names.role("infer"),
            enable_network_isolation=settings.network.isolation,
            sagemaker_session=self.session,
        )
        create = ModelStep(name="Create", step_args=model.create())
        transform = self._transform(create.properties.ModelName, transform_type, said)
        record = self._function(
            "Record",
            "record",
            {
                "batch_id": said["BatchId"],
                "execution_arn": ExecutionVariables.PIPELINE_EXECUTION_ARN,
                "model_package_arn": said["ModelPackageArn"],
                "monitoring": watched,
                "predictions": transform.properties.TransformOutput.S3OutputPath,
            },
            ("State",),
        )
        check = ConditionStep(
            name="CheckVerdict",
            conditions=[
                ConditionEquals(left=JsonGet("Monitor", verdict, "drift"), right=True),
                ConditionEquals(left=said["Enforce"], right="true"),
            ],
            if_steps=[
                FailStep(
                    name="Drift",
                    error_message=Join(
                        on="",
                        values=[
                            "Batch ", said["BatchId"], " is not like the baseline of ", said["ModelPackageArn"],
                            ". See ", watched, "/report.html.",
                        ],
                    ),
                )
            ],
            else_steps=[create, transform, record],
        )  # fmt: skip
        parameters = [batch, processing_type, processing_count, transform_type]
        return self._pipeline("inference", parameters, [resolve, monitor, check])

    def quality(self) -> dict[str, Any]:
        """Return the quality pipeline's definition."""
        settings, names = self.settings, self.names
        labels = ParameterString("GroundTruthUrl", default_value=f"s3://{names.data_bucket}/data/ground-truth/")
        processing_type = ParameterString("ProcessingInstanceType", default_value=settings.instance_types.processing)
        processing_count = ParameterInteger("ProcessingInstanceCount", settings.instance_counts.processing)
        asked = {"action": "quality", "ground_truth_url": labels}
        asked["execution_arn"] = ExecutionVariables.PIPELINE_EXECUTION_ARN
        resolve = self._function("Resolve", "resolve", asked, quality_outputs())
        said = resolve.properties.Outputs
        verdict = PropertyFile(name="Verdict", output_name="monitoring", path="verdict.json")
        quality = self._processing(
            "Quality", "monitor", (processing_type, processing_count), said["VolumeKey"], names.data_key,
            [
                step_input("predictions", said["Predictions"], "input/predictions", data_type="ManifestFile"),
                step_input("ground_truth", said["GroundTruth"], "input/ground_truth", data_type="ManifestFile"),
                step_input("statistics", said["Statistics"], "baseline/stats"),
            ],
            [("monitoring", self._data("quality", "quality"), "output")],
            [verdict],
            {
                "analysis_type": "MODEL_QUALITY",
                "problem_type": "BinaryClassification",
                "dataset_format": json.dumps({"csv": {"header": False}}),
                "dataset_source": f"{PROCESSING}/input/predictions",
                "ground_truth_source": f"{PROCESSING}/input/ground_truth",
                "output_path": f"{PROCESSING}/output",
                "baseline_statistics": f"{PROCESSING}/baseline/stats/evaluation.json",
            },
        )  # fmt: skip
        watched = quality.properties.ProcessingOutputConfig.Outputs["monitoring"].S3Output.S3Uri
        worse = " has become worse than it was when it was registered. See "
        message = Join(on="", values=[said["ModelPackageArn"], worse, watched, "/report.html."])
        check = ConditionStep(
            name="CheckQuality",
            conditions=[ConditionEquals(left=JsonGet("Quality", verdict, "drift"), right=True)],
            if_steps=[FailStep(name="Drift", error_message=message)],
            else_steps=[],
        )
        return self._pipeline("quality", [labels, processing_type, processing_count], [resolve, quality, check])
