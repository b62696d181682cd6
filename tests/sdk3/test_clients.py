"""The SageMaker Python SDK v3, unmodified, as a client of localaws."""

import boto3
import pytest
from sagemaker.core import image_uris
from sagemaker.core.processing import ScriptProcessor
from sagemaker.core.resources import ModelPackage, ModelPackageGroup, TrainingJob
from sagemaker.core.shapes import ProcessingOutput, ProcessingS3Output, StoppingCondition
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.steps import ProcessingStep, TrainingStep
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData, OutputDataConfig

from tests.sdk.conftest import REGION, ROLE

XGBOOST = image_uris.retrieve("xgboost", REGION, "1.7-1")
SKLEARN = image_uris.retrieve("sklearn", REGION, "1.2-1")
OUTPUT = "/opt/ml/processing/output"


def trainer(session, folder):
    return ModelTrainer(
        sagemaker_session=session,
        role=ROLE,
        training_image=XGBOOST,
        compute=Compute(instance_type="ml.m5.large", instance_count=1),
        stopping_condition=StoppingCondition(max_runtime_in_seconds=600),
        hyperparameters={"objective": "binary:logistic", "num_round": 5, "seed": 0},
        output_data_config=OutputDataConfig(s3_output_path=f"s3://{session.default_bucket()}/{folder}"),
        base_job_name="v3",
    )


def inputs(rows):
    return [
        InputData(channel_name=name, data_source=location, content_type="text/csv") for name, location in rows.items()
    ]


def processor(session):
    return ScriptProcessor(
        image_uri=SKLEARN, command=["python3"], role=ROLE, instance_count=1, instance_type="ml.m5.large",
        sagemaker_session=session,
    )  # fmt: skip


def output(session, prefix):
    location = ProcessingS3Output(
        s3_uri=f"s3://{session.default_bucket()}/{prefix}", local_path=OUTPUT, s3_upload_mode="EndOfJob"
    )
    return ProcessingOutput(output_name="out", s3_output=location)


@pytest.fixture
def script(tmp_path):
    file = tmp_path / "script.py"
    file.write_text(f"import pathlib, sys\npathlib.Path('{OUTPUT}/out.txt').write_text(' '.join(sys.argv[1:]))\n")
    return str(file)


def read(session, key):
    return boto3.client("s3").get_object(Bucket=session.default_bucket(), Key=key)["Body"].read().decode()


def test_the_built_in_xgboost_trains_and_is_registered(session, rows):
    made = trainer(session, "v3-models")
    made.train(input_data_config=inputs(rows), wait=True, logs=False)
    job = TrainingJob.get(made._latest_training_job.training_job_name)
    assert job.training_job_status == "Completed"
    ModelPackageGroup.create(model_package_group_name="v3")
    # ModelPackage.create reads a member that CreateModelPackage's answer doesn't have, in AWS either.
    made = boto3.client("sagemaker").create_model_package(
        ModelPackageGroupName="v3",
        ModelApprovalStatus="PendingManualApproval",
        InferenceSpecification={
            "Containers": [{"Image": XGBOOST, "ModelDataUrl": job.model_artifacts.s3_model_artifacts}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )
    package = ModelPackage.get(model_package_name=made["ModelPackageArn"])
    assert (package.model_package_version, package.model_approval_status) == (1, "PendingManualApproval")
    package.update(model_approval_status="Approved", approval_description="It looks right")
    assert ModelPackage.get(model_package_name=made["ModelPackageArn"]).model_approval_status == "Approved"


def test_a_processor_runs_a_script(session, script):
    processor(session).run(code=script, outputs=[output(session, "v3-out")], arguments=["hello"], logs=False)
    assert read(session, "v3-out/out.txt") == "hello"


def test_a_pipeline_of_both_runs_to_its_end(session, rows, script):
    steps = PipelineSession(default_bucket=session.default_bucket())
    write = ProcessingStep(
        name="Write",
        step_args=processor(steps).run(code=script, outputs=[output(steps, "v3-step")], arguments=["step"]),
    )
    train = TrainingStep(
        name="Train", step_args=trainer(steps, "v3-step-models").train(input_data_config=inputs(rows)),
        depends_on=[write],
    )  # fmt: skip
    pipeline = Pipeline(name="v3", steps=[write, train], sagemaker_session=steps)
    pipeline.upsert(ROLE)
    execution = pipeline.start()
    execution.wait(delay=1, max_attempts=300)
    assert {step["StepName"]: step["StepStatus"] for step in execution.list_steps()} == {
        "Write": "Succeeded",
        "Train": "Succeeded",
    }
    assert read(session, "v3-step/out.txt") == "step"
