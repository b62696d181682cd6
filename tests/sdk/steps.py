"""The steps that the pipelines consist of, in the words of the SageMaker Python SDK v2."""

from __future__ import annotations

import json
from typing import Any

import boto3
from sagemaker.inputs import TransformInput
from sagemaker.lambda_helper import Lambda
from sagemaker.network import NetworkConfig
from sagemaker.processing import ProcessingInput, ProcessingOutput, Processor
from sagemaker.transformer import Transformer
from sagemaker.workflow.execution_variables import ExecutionVariables
from sagemaker.workflow.functions import Join
from sagemaker.workflow.lambda_step import LambdaOutput, LambdaOutputTypeEnum, LambdaStep
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.properties import PropertyFile
from sagemaker.workflow.steps import ProcessingStep, TransformStep

from pipeline.inference import MAX_PAYLOAD_MB
from pipeline.names import Names
from pipeline.release import Release
from pipeline.settings import Settings

PROCESSING = "/opt/ml/processing"


class Steps:
    """The kinds of step of an environment for a release, each with what all jobs share."""

    def __init__(self, settings: Settings, release: Release) -> None:
        self.settings, self.release, self.names = settings, release, Names(settings)
        boto_session = boto3.Session(settings.account, "local", region_name=settings.region)
        self.session = PipelineSession(boto_session=boto_session, default_bucket=self.names.data_bucket)

    def _image(self, step: str) -> str:
        return self.names.image(step, self.release.digest(step))

    def _function(self, step: str, function: str, inputs: dict[str, Any], outputs: tuple[str, ...]) -> LambdaStep:
        arn = self.names.function(function, self.release.function(function))
        named = [LambdaOutput(output_name=output, output_type=LambdaOutputTypeEnum.String) for output in outputs]
        return LambdaStep(
            name=step, lambda_func=Lambda(function_arn=arn, session=self.session), inputs=inputs, outputs=named
        )

    def _run(self, bucket: str, prefix: str, *parts: str) -> Join:
        return Join(on="/", values=[f"s3://{bucket}/{prefix}", ExecutionVariables.PIPELINE_EXECUTION_ID, *parts])

    def _data(self, pipeline: str, *parts: str) -> Join:
        return self._run(self.names.data_bucket, f"runs/{self.names.name(pipeline)}", *parts)

    def _models(self, *parts: str) -> Join:
        return self._run(self.names.models_bucket, f"{self.settings.environment}/{self.names.name('train')}", *parts)

    def _processing(
        self, step: str, image: str, instance: tuple[Any, Any], volume_key: Any, key: str,
        inputs: list[ProcessingInput], outputs: list[tuple[str, Any, str]],
        files: list[PropertyFile] | None = None, env: dict[str, str] | None = None,
    ) -> ProcessingStep:  # fmt: skip
        kind, count = instance
        processor = Processor(
            role=self.names.role(image),
            image_uri=self._image(image),
            instance_type=kind,
            instance_count=count,
            volume_size_in_gb=self.settings.volume_gb,
            volume_kms_key=volume_key,
            output_kms_key=key,
            max_runtime_in_seconds=self.settings.max_runtime_seconds,
            env=env,
            network_config=NetworkConfig(
                enable_network_isolation=self.settings.network.isolation, encrypt_inter_container_traffic=True
            ),
            sagemaker_session=self.session,
        )
        named = [
            ProcessingOutput(output_name=name, destination=location, source=f"{PROCESSING}/{path}")
            for name, location, path in outputs
        ]
        return ProcessingStep(name=step, step_args=processor.run(inputs=inputs, outputs=named), property_files=files)

    def _pipeline(self, name: str, parameters: list[Any], steps: list[Any]) -> dict[str, Any]:
        pipeline = Pipeline(self.names.name(name), parameters, steps=steps, sagemaker_session=self.session)
        return json.loads(pipeline.definition())

    def _transform(self, model_name: Any, kind: Any, said: Any) -> TransformStep:
        transformer = Transformer(
            model_name=model_name,
            instance_type=kind,
            instance_count=1,
            strategy="MultiRecord",
            max_payload=MAX_PAYLOAD_MB,
            output_path=self._data("inference", "transform"),
            output_kms_key=self.names.data_key,
            accept="text/csv",
            assemble_with="Line",
            volume_kms_key=said["VolumeKey"],
            sagemaker_session=self.session,
        )
        given = TransformInput(
            data=said["BatchDataUrl"], content_type="text/csv", compression_type="None", split_type="Line"
        )
        arguments = transformer.transform(
            data=given.data,
            content_type=given.content_type,
            compression_type=given.compression_type,
            split_type=given.split_type,
        )
        return TransformStep(name="Transform", step_args=arguments)


def step_input(
    name: str, source: Any, path: str, distribution: str = "FullyReplicated", data_type: str = "S3Prefix"
) -> ProcessingInput:
    """Return an input of a processing job, which copies what an S3 URL names below /opt/ml/processing."""
    return ProcessingInput(
        input_name=name,
        source=source,
        destination=f"{PROCESSING}/{path}",
        s3_data_type=data_type,
        s3_data_distribution_type=distribution,
        s3_compression_type="None",
    )
