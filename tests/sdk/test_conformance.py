"""Pipelines that the SageMaker Python SDK emits, none of this project's own, run end to end."""

import json
import time

import boto3
import pytest
from sagemaker import image_uris
from sagemaker.drift_check_baselines import DriftCheckBaselines
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.lambda_helper import Lambda
from sagemaker.model import Model
from sagemaker.model_metrics import MetricsSource, ModelMetrics
from sagemaker.model_monitor import DatasetFormat
from sagemaker.parameter import ContinuousParameter
from sagemaker.processing import ProcessingInput, ProcessingOutput, ScriptProcessor
from sagemaker.tuner import HyperparameterTuner
from sagemaker.workflow.callback_step import CallbackOutput, CallbackOutputTypeEnum, CallbackStep
from sagemaker.workflow.check_job_config import CheckJobConfig
from sagemaker.workflow.condition_step import ConditionStep
from sagemaker.workflow.conditions import ConditionLessThanOrEqualTo
from sagemaker.workflow.execution_variables import ExecutionVariables
from sagemaker.workflow.fail_step import FailStep
from sagemaker.workflow.functions import Join, JsonGet
from sagemaker.workflow.lambda_step import LambdaOutput, LambdaOutputTypeEnum, LambdaStep
from sagemaker.workflow.model_step import ModelStep
from sagemaker.workflow.parameters import ParameterFloat, ParameterString
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.properties import PropertyFile
from sagemaker.workflow.quality_check_step import DataQualityCheckConfig, QualityCheckStep
from sagemaker.workflow.retry import SageMakerJobExceptionTypeEnum, SageMakerJobStepRetryPolicy
from sagemaker.workflow.steps import CacheConfig, ProcessingStep, TrainingStep, TuningStep

from tests.sdk.conftest import REGION, ROLE

XGBOOST = image_uris.retrieve("xgboost", REGION, "1.7-1")
SKLEARN = image_uris.retrieve("sklearn", REGION, "1.2-1")
OUTPUT = "/opt/ml/processing/output"

WRITE = f"""
import pathlib, sys
pathlib.Path("{OUTPUT}/out.txt").write_text(" ".join(sys.argv[1:]))
"""
# The rows are drawn at random, with a seed: so are the parts, and they are the same in every run.
SPLIT = """
import pathlib
lines = pathlib.Path("/opt/ml/processing/input/rows.csv").read_text().splitlines(True)
for name, part in (("train", lines[:200]), ("validation", lines[200:250]), ("test", lines[250:])):
    folder = pathlib.Path("/opt/ml/processing", name)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.csv").write_text("".join(part))
"""
EVALUATE = """
import json, pathlib, tarfile
import numpy, xgboost
with tarfile.open("/opt/ml/processing/model/model.tar.gz") as archive:
    archive.extract("xgboost-model", "/tmp")
booster = xgboost.Booster(model_file="/tmp/xgboost-model")
rows = numpy.genfromtxt("/opt/ml/processing/test/test.csv", delimiter=",")
probabilities = booster.inplace_predict(rows[:, 1:])
error = float((((probabilities > 0.5) != rows[:, 0])).mean())
report = {"binary_classification_metrics": {"error": {"value": error}}}
pathlib.Path("/opt/ml/processing/evaluation/evaluation.json").write_text(json.dumps(report))
"""


@pytest.fixture(scope="module")
def pipelines(session):
    """A session in which jobs become steps."""
    return PipelineSession(default_bucket=session.default_bucket())


def script(folder, text, name="script.py"):
    path = folder / name
    path.write_text(text)
    return str(path)


def processor(session):
    return ScriptProcessor(
        image_uri=SKLEARN, command=["python3"], role=ROLE, instance_count=1, instance_type="ml.m5.large",
        sagemaker_session=session,
    )  # fmt: skip


def processing(session, name, code, arguments=(), **more):
    output = ProcessingOutput(output_name="out", source=OUTPUT)
    made = processor(session).run(code=code, outputs=[output], arguments=list(arguments) or None)
    return ProcessingStep(name=name, step_args=made, **more)


def run(session, name, steps, parameters=(), **given):
    """Put a pipeline in place, run it to its end; return the execution and its steps by name."""
    pipeline = Pipeline(name, list(parameters), steps=list(steps), sagemaker_session=session)
    pipeline.upsert(ROLE)
    execution = pipeline.start(parameters=given or None)
    return ended(execution)


def ended(execution):
    while execution.describe()["PipelineExecutionStatus"] == "Executing":
        time.sleep(0.2)
    # The SDK's own list_steps gives the first page.
    pages = boto3.client("sagemaker").get_paginator("list_pipeline_execution_steps")
    found = pages.paginate(PipelineExecutionArn=execution.arn).search("PipelineExecutionSteps[]")
    return execution, {step["StepName"]: step for step in found}


def text(session, step, output=0):
    """Return what a Processing step wrote into out.txt."""
    name = step["Metadata"]["ProcessingJob"]["Arn"].rsplit("/", 1)[-1]
    described = session.sagemaker_client.describe_processing_job(ProcessingJobName=name)
    uri = described["ProcessingOutputConfig"]["Outputs"][output]["S3Output"]["S3Uri"]
    bucket, _, key = f"{uri}/out.txt".removeprefix("s3://").partition("/")
    return session.read_s3_file(bucket, key)


def abalone(session, rows, folder):
    """The example that SageMaker's own documentation builds: process, train, evaluate, decide, register."""
    most = ParameterFloat("MostErrors", default_value=0.3)
    source = ParameterString("Rows", default_value=rows["train"])
    step = ProcessingStep(
        name="Process",
        step_args=processor(session).run(
            code=script(folder, SPLIT, "split.py"),
            inputs=[ProcessingInput(source=source, destination="/opt/ml/processing/input")],
            outputs=[
                ProcessingOutput(output_name=name, source=f"/opt/ml/processing/{name}")
                for name in ("train", "validation", "test")
            ],
        ),
    )
    parts = step.properties.ProcessingOutputConfig.Outputs
    estimator = Estimator(
        XGBOOST, ROLE, 1, "ml.m5.large", sagemaker_session=session,
        hyperparameters={"objective": "binary:logistic", "num_round": 20, "seed": 0},
    )  # fmt: skip
    train = TrainingStep(
        name="Train",
        step_args=estimator.fit(
            {
                name: TrainingInput(parts[name].S3Output.S3Uri, content_type="text/csv")
                for name in ("train", "validation")
            }
        ),
    )
    report = PropertyFile(name="Report", output_name="evaluation", path="evaluation.json")
    archive = train.properties.ModelArtifacts.S3ModelArtifacts
    evaluate = ProcessingStep(
        name="Evaluate",
        step_args=ScriptProcessor(
            image_uri=XGBOOST, command=["python3"], role=ROLE, instance_count=1, instance_type="ml.m5.large",
            sagemaker_session=session,
        ).run(
            code=script(folder, EVALUATE, "evaluate.py"),
            inputs=[
                ProcessingInput(source=archive, destination="/opt/ml/processing/model"),
                ProcessingInput(source=parts["test"].S3Output.S3Uri, destination="/opt/ml/processing/test"),
            ],
            outputs=[ProcessingOutput(output_name="evaluation", source="/opt/ml/processing/evaluation")],
        ),
        property_files=[report],
    )  # fmt: skip
    evaluated = evaluate.properties.ProcessingOutputConfig.Outputs["evaluation"].S3Output.S3Uri
    metrics = ModelMetrics(
        model_statistics=MetricsSource(
            s3_uri=Join(on="/", values=[evaluated, "evaluation.json"]), content_type="application/json"
        )
    )
    register = ModelStep(
        name="Register",
        step_args=Model(XGBOOST, archive, ROLE, sagemaker_session=session).register(
            content_types=["text/csv"], response_types=["text/csv"], model_package_group_name="abalone",
            model_metrics=metrics, approval_status="PendingManualApproval",
        ),
    )  # fmt: skip
    create = ModelStep(name="Create", step_args=Model(XGBOOST, archive, ROLE, sagemaker_session=session).create())
    decide = ConditionStep(
        name="Judge",
        conditions=[
            ConditionLessThanOrEqualTo(
                left=JsonGet("Evaluate", report, "binary_classification_metrics.error.value"), right=most
            )
        ],
        if_steps=[register, create],
        else_steps=[FailStep(name="Worse", error_message=Join(on=" ", values=["More errors than", most]))],
    )
    return [step, train, evaluate, decide], [most, source]


class TestAbalone:
    def test_a_model_is_made_evaluated_and_registered(self, session, pipelines, rows, tmp_path):
        steps, parameters = abalone(pipelines, rows, tmp_path)
        execution, ran = run(pipelines, "abalone", steps, parameters)
        assert execution.describe()["PipelineExecutionStatus"] == "Succeeded"
        assert {name: step["StepStatus"] for name, step in ran.items()} == dict.fromkeys(
            ("Process", "Train", "Evaluate", "Judge", "Register-RegisterModel", "Create-CreateModel"), "Succeeded"
        )
        arn = ran["Register-RegisterModel"]["Metadata"]["RegisterModel"]["Arn"]
        package = session.sagemaker_client.describe_model_package(ModelPackageName=arn)
        assert package["ModelApprovalStatus"] == "PendingManualApproval"
        evaluation = package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]
        bucket, _, key = evaluation.removeprefix("s3://").partition("/")
        report = json.loads(session.read_s3_file(bucket, key))
        assert report["binary_classification_metrics"]["error"]["value"] < 0.3

    def test_a_model_that_is_worse_ends_in_the_fail_step(self, pipelines, rows, tmp_path):
        steps, parameters = abalone(pipelines, rows, tmp_path)
        execution, ran = run(pipelines, "abalone-strict", steps, parameters, MostErrors=0.0)
        assert execution.describe()["PipelineExecutionStatus"] == "Failed"
        assert ran["Worse"]["Metadata"]["Fail"]["ErrorMessage"] == "More errors than 0.0"
        assert "Register-RegisterModel" not in ran


def test_a_callback_waits_for_its_answer(pipelines, tmp_path):
    queue = boto3.client("sqs").create_queue(QueueName="callbacks")["QueueUrl"]
    answer = CallbackOutput(output_name="answer", output_type=CallbackOutputTypeEnum.String)
    ask = CallbackStep(name="Ask", sqs_queue_url=queue, inputs={"question": "how much?"}, outputs=[answer])
    write = processing(pipelines, "Write", script(tmp_path, WRITE), [ask.properties.Outputs["answer"]])
    pipeline = Pipeline("callback", steps=[ask, write], sagemaker_session=pipelines)
    pipeline.upsert(ROLE)
    execution = pipeline.start()
    (message,) = boto3.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=20)["Messages"]
    body = json.loads(message["Body"])
    assert body["arguments"] == {"question": "how much?"} and body["pipelineExecutionArn"] == execution.arn
    boto3.client("sagemaker").send_pipeline_execution_step_success(
        CallbackToken=body["token"], OutputParameters=[{"Name": "answer", "Value": "seven"}]
    )
    _, ran = ended(execution)
    assert text(pipelines, ran["Write"]) == "seven"


def test_a_function_of_the_sdks_own_making_is_called(pipelines, tmp_path):
    source = "def handle(event, context):\n    return {'doubled': event['number'] * 2, 'id': event['id']}\n"
    helper = Lambda(
        function_name="double", execution_role_arn=ROLE, script=script(tmp_path, source, "double.py"),
        handler="double.handle", session=pipelines,
    )  # fmt: skip
    double = LambdaStep(
        name="Double",
        lambda_func=helper,
        inputs={"number": 21, "id": ExecutionVariables.PIPELINE_EXECUTION_ID},
        outputs=[
            LambdaOutput(output_name="doubled", output_type=LambdaOutputTypeEnum.Integer),
            LambdaOutput(output_name="id", output_type=LambdaOutputTypeEnum.String),
        ],
    )
    words = Join(on=":", values=[double.properties.Outputs["id"], double.properties.Outputs["doubled"]])
    write = processing(pipelines, "Write", script(tmp_path, WRITE), [words])
    execution, ran = run(pipelines, "function", [double, write])
    assert text(pipelines, ran["Write"]) == f"{execution.arn.rsplit('/', 1)[-1]}:42"


def test_a_second_run_takes_the_first_ones_result(pipelines, tmp_path):
    words = ParameterString("Words", default_value="same")
    step = processing(
        pipelines, "Write", script(tmp_path, WRITE), [words],
        cache_config=CacheConfig(enable_caching=True, expire_after="PT1H"),
    )  # fmt: skip
    _, first = run(pipelines, "cached", [step], [words])
    second, again = run(pipelines, "cached", [step], [words])
    assert again["Write"]["CacheHitResult"]["SourcePipelineExecutionArn"] != second.arn
    assert again["Write"]["Metadata"]["ProcessingJob"]["Arn"] == first["Write"]["Metadata"]["ProcessingJob"]["Arn"]
    _, other = run(pipelines, "cached", [step], [words], Words="other")
    assert "CacheHitResult" not in other["Write"]
    assert text(pipelines, other["Write"]) == "other"


def test_a_step_is_tried_again(session, pipelines, tmp_path):
    """Two objects of which one would have to be a file and a folder at once can't be brought to any disk."""
    bucket, client = session.default_bucket(), pipelines.sagemaker_client
    for key in ("conflict/a", "conflict/a/b"):
        session.upload_string_as_file_body("x", bucket, key)
    policy = SageMakerJobStepRetryPolicy(
        exception_types=[SageMakerJobExceptionTypeEnum.INTERNAL_ERROR], max_attempts=3, interval_seconds=1
    )
    arguments = processor(pipelines).run(
        code=script(tmp_path, WRITE),
        inputs=[ProcessingInput(source=f"s3://{bucket}/conflict", destination="/opt/ml/processing/input")],
        outputs=[ProcessingOutput(output_name="out", source=OUTPUT)],
        arguments=["done"],
    )
    pipeline = Pipeline("retried", steps=[ProcessingStep("Flaky", step_args=arguments, retry_policies=[policy])],
                        sagemaker_session=pipelines)  # fmt: skip
    pipeline.upsert(ROLE)
    execution = pipeline.start()
    while not client.list_processing_jobs(NameContains="Flaky", StatusEquals="Failed")["ProcessingJobSummaries"]:
        time.sleep(0.1)
    session.s3_client.delete_object(Bucket=bucket, Key="conflict/a/b")
    _, ran = ended(execution)
    assert execution.describe()["PipelineExecutionStatus"] == "Succeeded", ran["Flaky"].get("FailureReason")
    assert ran["Flaky"]["AttemptCount"] >= 2
    assert text(pipelines, ran["Flaky"]) == "done"


def test_twenty_steps_run_beside_each_other_and_are_joined(pipelines, tmp_path):
    code = script(tmp_path, WRITE)
    many = [processing(pipelines, f"Write{number:02}", code, [str(number)]) for number in range(20)]
    locations = [step.properties.ProcessingOutputConfig.Outputs["out"].S3Output.S3Uri for step in many]
    joined = processing(pipelines, "Join", code, locations)
    execution, ran = run(pipelines, "fan-out", [*many, joined])
    assert execution.describe()["PipelineExecutionStatus"] == "Succeeded"
    assert [text(pipelines, ran[step.name]) for step in many] == [str(number) for number in range(20)]
    assert len(text(pipelines, ran["Join"]).split()) == 20
    assert ran["Join"]["StartTime"] >= max(ran[step.name]["EndTime"] for step in many)


def test_a_tuning_step_finds_the_best_of_its_trainings(pipelines, rows):
    estimator = Estimator(
        XGBOOST, ROLE, 1, "ml.m5.large", sagemaker_session=pipelines,
        hyperparameters={"objective": "binary:logistic", "num_round": 5, "eval_metric": "logloss", "seed": 0},
    )  # fmt: skip
    tuner = HyperparameterTuner(
        estimator, "validation:logloss", {"eta": ContinuousParameter(0.01, 0.5)}, objective_type="Minimize",
        max_jobs=2, max_parallel_jobs=2,
    )  # fmt: skip
    channels = {name: TrainingInput(location, content_type="text/csv") for name, location in rows.items()}
    tune = TuningStep(name="Tune", step_args=tuner.fit(channels))
    model = Model(XGBOOST, tune.get_top_model_s3_uri(0, pipelines.default_bucket()), ROLE, sagemaker_session=pipelines)
    execution, ran = run(pipelines, "tuned", [tune, ModelStep(name="Best", step_args=model.create())])
    assert execution.describe()["PipelineExecutionStatus"] == "Succeeded", ran
    name = ran["Tune"]["Metadata"]["TuningJob"]["Arn"].rsplit("/", 1)[-1]
    job = pipelines.sagemaker_client.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    assert job["TrainingJobStatusCounters"]["Completed"] == 2
    made = ran["Best-CreateModel"]["Metadata"]["Model"]["Arn"].rsplit("/", 1)[-1]
    container = pipelines.sagemaker_client.describe_model(ModelName=made)["PrimaryContainer"]
    assert job["BestTrainingJob"]["TrainingJobName"] in container["ModelDataUrl"]


def quality(session, name, rows, where, **more):
    """A check of data's quality, as the SDK emits it for Model Monitor's own image."""
    job = CheckJobConfig(role=ROLE, instance_count=1, instance_type="ml.m5.large", sagemaker_session=session)
    config = DataQualityCheckConfig(
        baseline_dataset=rows, dataset_format=DatasetFormat.csv(header=False), output_s3_uri=where
    )
    return QualityCheckStep(name=name, quality_check_config=config, check_job_config=job, **more)


def test_the_quality_of_data_is_checked_against_an_approved_models_baseline(session, pipelines, rows):
    bucket, client = session.default_bucket(), session.sagemaker_client
    first = quality(pipelines, "First", rows["train"], f"s3://{bucket}/quality/first", skip_check=True,
                    register_new_baseline=True)  # fmt: skip
    used = first.properties
    baselines = DriftCheckBaselines(
        model_data_statistics=MetricsSource("application/json", used.BaselineUsedForDriftCheckStatistics),
        model_data_constraints=MetricsSource("application/json", used.BaselineUsedForDriftCheckConstraints),
    )
    register = ModelStep(
        name="Register",
        step_args=Model(XGBOOST, f"s3://{bucket}/model.tar.gz", ROLE, sagemaker_session=pipelines).register(
            content_types=["text/csv"], response_types=["text/csv"], model_package_group_name="checked",
            drift_check_baselines=baselines, approval_status="Approved",
        ),
    )  # fmt: skip
    execution, ran = run(pipelines, "quality-first", [first, register])
    assert execution.describe()["PipelineExecutionStatus"] == "Succeeded", ran

    shifted = "".join(",".join(["1", *[str(7 + number / 100)] * 8]) + "\n" for number in range(100))
    session.upload_string_as_file_body(shifted, bucket, "quality/shifted/rows.csv")
    source = ParameterString("Source", default_value=rows["validation"])
    again = quality(pipelines, "Again", source, f"s3://{bucket}/quality/again", model_package_group_name="checked")
    _, ran = run(pipelines, "quality-again", [again], [source])
    metadata = ran["Again"]["Metadata"]["QualityCheck"]
    assert ran["Again"]["StepStatus"] == "Succeeded", ran["Again"]
    assert metadata["BaselineUsedForDriftCheckConstraints"] == f"s3://{bucket}/quality/first/constraints.json"
    _, ran = run(pipelines, "quality-again", [again], [source], Source=f"s3://{bucket}/quality/shifted")
    assert ran["Again"]["StepStatus"] == "Failed" and "violations of the baseline" in ran["Again"]["FailureReason"]
    report = ran["Again"]["Metadata"]["QualityCheck"]["ViolationReport"]
    found = json.loads(session.read_s3_file(bucket, report.removeprefix(f"s3://{bucket}/")))["violations"]
    assert len({violation["feature_name"] for violation in found}) >= 8
    assert client.list_model_packages(ModelPackageGroupName="checked")["ModelPackageSummaryList"]


def test_a_step_that_cannot_run_here_is_refused_by_its_name_when_the_pipeline_is_made(pipelines):
    definition = {
        "Version": "2020-12-01",
        "Steps": [{"Name": "Spark", "Type": "EMR", "Arguments": {"ClusterId": "j-1"}}],
    }
    with pytest.raises(Exception, match="steps of type EMR can't run here"):
        pipelines.sagemaker_client.create_pipeline(
            PipelineName="emr", PipelineDefinition=json.dumps(definition), RoleArn=ROLE
        )


def test_an_execution_is_waited_for_as_the_sdk_does(pipelines, tmp_path):
    pipeline = Pipeline("waited", steps=[processing(pipelines, "Write", script(tmp_path, WRITE), ["x"])],
                        sagemaker_session=pipelines)  # fmt: skip
    pipeline.upsert(ROLE)
    execution = pipeline.start(execution_display_name="once")
    execution.wait(delay=1, max_attempts=120)
    assert execution.describe()["PipelineExecutionDisplayName"] == "once"
    assert json.loads(pipeline.describe()["PipelineDefinition"])["Version"] == "2020-12-01"
    pipeline.delete()
    with pytest.raises(Exception, match=r"ResourceNotFound|does not exist"):
        pipeline.describe()
