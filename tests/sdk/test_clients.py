"""The SageMaker Python SDK, the AWS CLI and boto3's waiters, unmodified, as clients of localaws."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import boto3
import pytest
from sagemaker import image_uris
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.model import Model
from sagemaker.processing import ProcessingInput, ProcessingOutput, ScriptProcessor
from sagemaker.sklearn.estimator import SKLearn
from sagemaker.sklearn.processing import SKLearnProcessor
from sagemaker.transformer import Transformer

from tests.sdk.conftest import REGION, ROLE

XGBOOST = image_uris.retrieve("xgboost", REGION, "1.7-1")
SKLEARN = image_uris.retrieve("sklearn", REGION, "1.2-1")
PARAMETERS = {"objective": "binary:logistic", "num_round": "20", "eval_metric": "logloss", "seed": "0"}


def read(session, uri):
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return session.read_s3_file(bucket, key)


@pytest.fixture(scope="module")
def estimator(session, rows):
    """A model of the built-in XGBoost, trained through the SDK."""
    made = Estimator(XGBOOST, ROLE, 1, "ml.m5.large", hyperparameters=PARAMETERS, sagemaker_session=session)
    made.fit(
        {name: TrainingInput(location, content_type="text/csv") for name, location in rows.items()},
        wait=True,
        logs="All",
    )
    return made


class TestEstimator:
    def test_the_built_in_xgboost_trains(self, session, estimator):
        described = estimator.latest_training_job.describe()
        assert described["TrainingJobStatus"] == "Completed"
        assert estimator.model_data == described["ModelArtifacts"]["S3ModelArtifacts"]
        assert session.s3_client.head_object(
            Bucket=session.default_bucket(), Key=estimator.model_data.split("/", 3)[3]
        )["ContentLength"]

    def test_a_job_attached_by_its_name_is_the_same(self, session, estimator):
        again = Estimator.attach(estimator.latest_training_job.name, sagemaker_session=session)
        assert again.model_data == estimator.model_data

    def test_a_failed_training_raises_with_its_reason(self, session, rows):
        broken = Estimator(
            XGBOOST, ROLE, 1, "ml.m5.large", sagemaker_session=session,
            hyperparameters={**PARAMETERS, "num_round": "many"},
        )  # fmt: skip
        with pytest.raises(Exception, match="num_round"):
            broken.fit({"train": TrainingInput(rows["train"], content_type="text/csv")}, logs=False)

    def test_a_model_scores_a_batch(self, session, estimator):
        bucket = session.default_bucket()
        session.upload_string_as_file_body(
            "\n".join([",".join([value] * 8) for value in (".9", ".1")]), bucket, "batches/two.csv"
        )
        transformer = estimator.transformer(
            1, "ml.m5.large", strategy="MultiRecord", assemble_with="Line", accept="text/csv",
            output_path=f"s3://{bucket}/scores",
        )  # fmt: skip
        transformer.transform(f"s3://{bucket}/batches/two.csv", content_type="text/csv", split_type="Line", wait=True)
        high, low = map(float, read(session, f"s3://{bucket}/scores/two.csv.out").split())
        assert high > 0.9 and low < 0.1
        again = Transformer.attach(transformer.latest_transform_job.name, sagemaker_session=session)
        assert again.output_path == f"s3://{bucket}/scores"

    def test_a_table_of_any_width_is_learnt_and_scored_with_another_objective(self, session):
        bucket, chance = session.default_bucket(), random.Random(1)
        table = [[chance.random() for _ in range(11)] for _ in range(300)]
        lines = [",".join(map(str, (10 * row[0] + row[1], *row))) for row in table]
        session.upload_string_as_file_body("\n".join(lines) + "\n", bucket, "wide/train/rows.csv")
        made = Estimator(
            XGBOOST, ROLE, 1, "ml.m5.large", sagemaker_session=session,
            hyperparameters={"objective": "reg:squarederror", "num_round": "50", "seed": "0"},
        )  # fmt: skip
        made.fit({"train": TrainingInput(f"s3://{bucket}/wide/train", content_type="text/csv")}, logs=False)
        # An empty cell is a missing value.
        batch = "\n".join(",".join(map(str, row[:10])) + "," for row in table[:20]) + "\n"
        session.upload_string_as_file_body(batch, bucket, "wide/batch.csv")
        transformer = made.transformer(
            1, "ml.m5.large", strategy="MultiRecord", assemble_with="Line", output_path=f"s3://{bucket}/wide/scores"
        )
        transformer.transform(f"s3://{bucket}/wide/batch.csv", content_type="text/csv", split_type="Line", wait=True)
        scores = [float(line) for line in read(session, f"s3://{bucket}/wide/scores/batch.csv.out").split()]
        assert all(abs(score - 10 * row[0] - row[1]) < 2 for score, row in zip(scores, table, strict=False))
        assert len(scores) == 20

    def test_a_model_is_registered_approved_and_deployed_from_the_registry(self, session, estimator):
        model = Model(XGBOOST, estimator.model_data, ROLE, sagemaker_session=session)
        package = model.register(
            content_types=["text/csv"], response_types=["text/csv"], model_package_group_name="clients",
            transform_instances=["ml.m5.large"], approval_status="PendingManualApproval",
        )  # fmt: skip
        client = session.sagemaker_client
        described = client.describe_model_package(ModelPackageName=package.model_package_arn)
        assert (described["ModelPackageVersion"], described["ModelApprovalStatus"]) == (1, "PendingManualApproval")
        package.update_approval_status("Approved", "It looks right")
        described = client.describe_model_package(ModelPackageName=package.model_package_arn)
        assert described["ModelApprovalStatus"] == "Approved"
        assert described["InferenceSpecification"]["Containers"][0]["ModelDataUrl"] == estimator.model_data


class TestScripts:
    def test_a_processor_runs_a_script_and_streams_its_log(self, session, tmp_path, capsys):
        script = tmp_path / "script.py"
        script.write_text(
            "import pathlib, sys\n"
            "text = pathlib.Path('/opt/ml/processing/input/text/in.txt').read_text()\n"
            "print('read', len(text), 'characters', sys.argv[1:])\n"
            "pathlib.Path('/opt/ml/processing/output/out.txt').write_text(text.upper())\n"
        )
        bucket = session.default_bucket()
        session.upload_string_as_file_body("hello\n", bucket, "texts/in.txt")
        processor = ScriptProcessor(
            image_uri=SKLEARN, command=["python3"], role=ROLE, instance_count=1, instance_type="ml.m5.large",
            sagemaker_session=session,
        )  # fmt: skip
        processor.run(
            code=str(script),
            inputs=[ProcessingInput(source=f"s3://{bucket}/texts", destination="/opt/ml/processing/input/text")],
            outputs=[ProcessingOutput(output_name="out", source="/opt/ml/processing/output")],
            arguments=["--mode", "loud"],
            wait=True,
            logs=True,
        )
        assert "read 6 characters ['--mode', 'loud']" in capsys.readouterr().out
        out = processor.latest_job.outputs[0].destination
        assert read(session, f"{out}/out.txt") == "HELLO\n"

    def test_a_failing_script_raises(self, session, tmp_path):
        script = tmp_path / "script.py"
        script.write_text("raise SystemExit(3)\n")
        processor = SKLearnProcessor(
            "1.2-1", ROLE, instance_type="ml.m5.large", instance_count=1, sagemaker_session=session
        )
        with pytest.raises(Exception, match="Failed"):
            processor.run(code=str(script), logs=False)

    def test_script_mode_trains_with_arguments_and_channels(self, session, rows, tmp_path):
        (tmp_path / "train.py").write_text(
            "import argparse, os, pathlib\n"
            "parser = argparse.ArgumentParser()\n"
            "parser.add_argument('--depth', type=int)\n"
            "options = parser.parse_args()\n"
            "rows = pathlib.Path(os.environ['SM_CHANNEL_TRAIN'], 'rows.csv').read_text().count('\\n')\n"
            "pathlib.Path(os.environ['SM_MODEL_DIR'], 'model.txt').write_text(f'{options.depth} {rows}')\n"
            "print(f'rows={rows};')\n"
        )
        estimator = SKLearn(
            entry_point="train.py", source_dir=str(tmp_path), framework_version="1.2-1", role=ROLE,
            instance_type="ml.m5.large", hyperparameters={"depth": 4}, sagemaker_session=session,
            metric_definitions=[{"Name": "rows", "Regex": "rows=([0-9]+);"}],
        )  # fmt: skip
        estimator.fit({"train": rows["train"]}, logs=False)
        (metric,) = estimator.latest_training_job.describe()["FinalMetricDataList"]
        assert (metric["MetricName"], metric["Value"]) == ("rows", 300)


class TestBoto3:
    def test_its_waiters_wait(self, session, estimator):
        client = boto3.client("sagemaker")
        client.get_waiter("training_job_completed_or_stopped").wait(
            TrainingJobName=estimator.latest_training_job.name, WaiterConfig={"Delay": 1}
        )

    def test_its_paginators_find_every_page(self, session):
        client = boto3.client("sagemaker")
        for number in range(5):
            client.create_model_package_group(ModelPackageGroupName=f"paged-{number}")
        pages = list(
            client.get_paginator("list_model_package_groups").paginate(
                NameContains="paged-", PaginationConfig={"PageSize": 2}
            )
        )
        assert [len(page["ModelPackageGroupSummaryList"]) for page in pages] == [2, 2, 1]


def aws_cli(*arguments):
    """Run the AWS CLI of this environment; return what it prints."""
    command = [Path(sys.executable).with_name("aws"), *arguments, "--output", "json"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout else None


class TestAwsCli:
    def test_it_makes_starts_and_reads_a_pipeline(self, aws, tmp_path):
        definition = {
            "Version": "2020-12-01",
            "Parameters": [{"Name": "Words", "Type": "String", "DefaultValue": "none"}],
            "Steps": [{"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": {"Get": "Parameters.Words"}}}],
        }
        (tmp_path / "definition.json").write_text(json.dumps(definition))
        aws_cli(
            "sagemaker", "create-pipeline", "--pipeline-name", "cli", "--role-arn", ROLE,
            "--client-request-token", "0" * 32, "--pipeline-definition", f"file://{tmp_path / 'definition.json'}",
        )  # fmt: skip
        assert "cli" in [p["PipelineName"] for p in aws_cli("sagemaker", "list-pipelines")["PipelineSummaries"]]
        started = aws_cli(
            "sagemaker", "start-pipeline-execution", "--pipeline-name", "cli",
            "--pipeline-parameters", "Name=Words,Value=enough",
        )["PipelineExecutionArn"]  # fmt: skip
        described = {"PipelineExecutionStatus": "Executing"}
        while described["PipelineExecutionStatus"] == "Executing":
            described = aws_cli("sagemaker", "describe-pipeline-execution", "--pipeline-execution-arn", started)
        assert described["PipelineExecutionStatus"] == "Failed"
        (step,) = aws_cli("sagemaker", "list-pipeline-execution-steps", "--pipeline-execution-arn", started)[
            "PipelineExecutionSteps"
        ]
        assert step["Metadata"]["Fail"]["ErrorMessage"] == "enough"

    def test_it_copies_files(self, session, tmp_path):
        (tmp_path / "a.txt").write_text("a")
        bucket = session.default_bucket()
        command = [Path(sys.executable).with_name("aws"), "s3", "cp", tmp_path / "a.txt", f"s3://{bucket}/cli/a.txt"]
        subprocess.run(command, check=True, capture_output=True)
        assert read(session, f"s3://{bucket}/cli/a.txt") == "a"

    def test_its_waiter_waits(self, estimator):
        name = estimator.latest_training_job.name
        aws_cli("sagemaker", "wait", "training-job-completed-or-stopped", "--training-job-name", name)
