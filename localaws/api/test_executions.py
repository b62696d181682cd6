import io
import json
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from localaws.conftest import ended

FAIL = {"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "enough"}}
GATE = {
    "Name": "Gate",
    "Type": "Condition",
    "Arguments": {
        "Conditions": [{"Type": "Equals", "LeftValue": {"Get": "Parameters.Go"}, "RightValue": "yes"}],
        "IfSteps": [],
        "ElseSteps": [FAIL],
    },
}
GO = {"Name": "Go", "Type": "String", "DefaultValue": "yes"}


class Pipeline:
    """A pipeline, and what can be done with its executions."""

    def __init__(self, account, *steps, parameters=(GO,)):
        self.client = account.client("sagemaker")
        self.account = account
        account.role("pipeline", {"Effect": "Allow", "Action": "*", "Resource": "*"})
        self.role = f"arn:aws:iam::{account.number}:role/pipeline"
        definition = {"Version": "2020-12-01", "Parameters": list(parameters), "Steps": list(steps)}
        self.client.create_pipeline(
            PipelineName="p", RoleArn=self.role, PipelineDefinition=json.dumps(definition), ClientRequestToken="c" * 32
        )

    def start(self, token=None, **more):
        named = {"ClientRequestToken": token} if token else {}
        return self.client.start_pipeline_execution(PipelineName="p", **named, **more)["PipelineExecutionArn"]

    def end(self, arn):
        return ended(
            lambda: self.client.describe_pipeline_execution(PipelineExecutionArn=arn), "PipelineExecutionStatus"
        )

    def statuses(self, arn):
        found = self.client.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
        return {step["StepName"]: step["StepStatus"] for step in found}

    def executions(self):
        return self.client.list_pipeline_executions(PipelineName="p")["PipelineExecutionSummaries"]


def value(go):
    return {"PipelineParameters": [{"Name": "Go", "Value": go}]}


def test_one_token_is_one_execution_however_often_and_at_once_it_comes(account):
    pipeline = Pipeline(account, GATE)
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: pipeline.start("t" * 32), range(24)))
    assert len(found) == 1
    assert pipeline.end(found.pop())["PipelineExecutionStatus"] == "Succeeded"
    assert pipeline.start("t" * 32) == pipeline.executions()[0]["PipelineExecutionArn"]
    assert len(pipeline.executions()) == 1


def test_a_token_with_another_request_is_a_conflict(account):
    pipeline = Pipeline(account, GATE)
    pipeline.start("t" * 32)
    with pytest.raises(ClientError) as raised:
        pipeline.start("t" * 32, **value("no"))
    assert raised.value.response["Error"]["Code"] == "ConflictException"
    assert len(pipeline.executions()) == 1


def test_tokens_are_an_account_s_own(account, other):
    first, second = Pipeline(account, GATE), Pipeline(other, GATE)
    assert first.start("t" * 32) != second.start("t" * 32)


def test_a_start_that_is_refused_leaves_nothing_and_its_token_free(account):
    pipeline = Pipeline(account, GATE)
    with pytest.raises(ClientError, match="isn't a parameter of this pipeline"):
        pipeline.start("t" * 32, PipelineParameters=[{"Name": "Other", "Value": "x"}])
    assert pipeline.executions() == []
    assert pipeline.end(pipeline.start("t" * 32))["PipelineExecutionStatus"] == "Succeeded"


def test_retry_is_refused_after_a_fail_step_and_after_success(account):
    pipeline = Pipeline(account, GATE)
    failed, succeeded = pipeline.start(**value("no")), pipeline.start()
    assert pipeline.end(failed)["PipelineExecutionStatus"] == "Failed"
    assert pipeline.end(succeeded)["PipelineExecutionStatus"] == "Succeeded"
    for arn in (failed, succeeded):
        with pytest.raises(ClientError) as raised:
            pipeline.client.retry_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken="r" * 32)
        assert raised.value.response["Error"]["Code"] == "ConflictException"


def callback(account, **more):
    queue = account.client("sqs").create_queue(QueueName="q")["QueueUrl"]
    outputs = [{"OutputName": "Answer", "OutputType": "Integer"}]
    return {
        "Name": "Ask",
        "Type": "Callback",
        "SqsQueueUrl": queue,
        "Arguments": {},
        "OutputParameters": outputs,
        **more,
    }


def token_of(account, status="Executing"):
    queue = account.client("sqs").get_queue_url(QueueName="q")["QueueUrl"]
    while True:
        for message in account.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages", []):
            body = json.loads(message["Body"])
            if body["status"] == status:
                return body["token"]


def test_a_callback_is_answered_once(account):
    pipeline = Pipeline(account, callback(account))
    arn = pipeline.start()
    token = token_of(account)
    answer = {"CallbackToken": token, "OutputParameters": [{"Name": "Answer", "Value": "42"}]}
    with pytest.raises(ClientError, match="the output Answer as Integer"):
        pipeline.client.send_pipeline_execution_step_success(
            CallbackToken=token, OutputParameters=[{"Name": "Answer", "Value": "many"}]
        )
    for _ in range(3):
        sent = pipeline.client.send_pipeline_execution_step_success(**answer, ClientRequestToken="a" * 32)
        assert sent["PipelineExecutionArn"] == arn
    assert pipeline.end(arn)["PipelineExecutionStatus"] == "Succeeded"
    with pytest.raises(ClientError) as raised:
        pipeline.client.send_pipeline_execution_step_failure(CallbackToken=token)
    assert raised.value.response["Error"]["Code"] == "ResourceNotFound"


def test_stop_and_retry_carry_on_from_what_is_finished(account):
    pipeline = Pipeline(account, GATE, callback(account, DependsOn=["Gate"]))
    arn = pipeline.start()
    token = token_of(account)
    for _ in range(2):
        pipeline.client.stop_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken="s" * 32)
    # A callback hears of it once more, and ends with its answer, whatever that is.
    assert token_of(account, "Stopping") == token
    assert pipeline.statuses(arn) == {"Gate": "Succeeded", "Ask": "Stopping"}
    pipeline.client.send_pipeline_execution_step_success(CallbackToken=token)
    assert pipeline.end(arn)["PipelineExecutionStatus"] == "Stopped"
    assert pipeline.statuses(arn) == {"Gate": "Succeeded", "Ask": "Stopped"}
    with pytest.raises(ClientError) as raised:
        pipeline.client.stop_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken="z" * 32)
    assert raised.value.response["Error"]["Code"] == "ConflictException"
    account.client("sqs").purge_queue(QueueUrl=account.client("sqs").get_queue_url(QueueName="q")["QueueUrl"])
    for _ in range(2):
        pipeline.client.retry_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken="r" * 32)
    pipeline.client.send_pipeline_execution_step_success(
        CallbackToken=token_of(account), OutputParameters=[{"Name": "Answer", "Value": "1"}]
    )
    assert pipeline.end(arn)["PipelineExecutionStatus"] == "Succeeded"
    assert pipeline.statuses(arn) == {"Gate": "Succeeded", "Ask": "Succeeded"}


def function(account, code, **more):
    """Make a function of this code; its ARN."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("f.py", f"import time\ndef handle(event, context):\n    {code}\n    return {{}}\n")
    made = account.client("lambda").create_function(
        FunctionName="f", Runtime="python3.11", Handler="f.handle", Code={"ZipFile": content.getvalue()},
        Role=f"arn:aws:iam::{account.number}:role/pipeline", **more,
    )  # fmt: skip
    return made["FunctionArn"]


@pytest.mark.parametrize(("seconds", "limit", "status"), [(2, 30, "Stopped"), (20, 2, "Failed")])
def test_a_stop_waits_for_a_running_function(account, tmp_path, seconds, limit, status):
    begun = tmp_path / "begun"
    code = f"open({str(begun)!r}, 'w').close(); time.sleep({seconds})"
    arn_of_function = function(account, code, Timeout=limit)
    step = {"Name": "Call", "Type": "Lambda", "FunctionArn": arn_of_function, "Arguments": {}}
    pipeline = Pipeline(account, step)
    arn = pipeline.start()
    while not begun.exists():
        time.sleep(0.05)
    pipeline.client.stop_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken="s" * 32)
    while pipeline.statuses(arn)["Call"] == "Executing":
        time.sleep(0.05)
    assert pipeline.statuses(arn) == {"Call": "Stopping"}
    assert pipeline.end(arn)["PipelineExecutionStatus"] == "Stopped"
    assert pipeline.statuses(arn) == {"Call": status}


def test_a_pipeline_says_when_it_ran_last(account):
    pipeline = Pipeline(account, GATE)
    assert "LastRunTime" not in pipeline.client.describe_pipeline(PipelineName="p")
    arn = pipeline.start()
    begun = pipeline.client.describe_pipeline_execution(PipelineExecutionArn=arn)["CreationTime"]
    assert pipeline.client.describe_pipeline(PipelineName="p")["LastRunTime"] == begun
    assert pipeline.client.list_pipelines()["PipelineSummaries"][0]["LastExecutionTime"] == begun


def test_a_pipeline_with_a_running_execution_can_t_be_deleted(account):
    pipeline = Pipeline(account, callback(account))
    arn = pipeline.start()
    with pytest.raises(ClientError) as raised:
        pipeline.client.delete_pipeline(PipelineName="p", ClientRequestToken="d" * 32)
    assert raised.value.response["Error"]["Code"] == "ConflictException"
    token = token_of(account)
    pipeline.client.stop_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken="s" * 32)
    pipeline.client.send_pipeline_execution_step_failure(CallbackToken=token)
    pipeline.end(arn)
    for _ in range(2):
        pipeline.client.delete_pipeline(PipelineName="p", ClientRequestToken="e" * 32)
    with pytest.raises(ClientError) as raised:
        pipeline.client.describe_pipeline_execution(PipelineExecutionArn=arn)
    assert raised.value.response["Error"]["Code"] == "ResourceNotFound"


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:sagemaker:us-east-1:{account}:pipeline/p/execution/aaaaaaaaaaaa",
        "arn:aws:sagemaker:us-east-1:{account}:pipeline/other/execution/{execution}",
        "arn:aws:sagemaker:us-east-1:999999999999:pipeline/p/execution/{execution}",
        "arn:aws:sagemaker:eu-west-1:{account}:pipeline/p/execution/{execution}",
        "arn:aws:sagemaker:us-east-1:{account}:pipeline/p",
    ],
)
def test_an_execution_is_found_by_its_whole_arn_only(account, arn):
    pipeline = Pipeline(account, GATE)
    execution = pipeline.start().rsplit("/", 1)[1]
    with pytest.raises(ClientError):
        pipeline.client.describe_pipeline_execution(
            PipelineExecutionArn=arn.format(account=account.number, execution=execution)
        )


def processing(role, name, code="pass", **more):
    cluster = {"ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}}
    arguments = {
        "RoleArn": role, "AppSpecification": {"ImageUri": "python"}, "ProcessingResources": cluster,
        "Environment": {"CODE": code},
    }  # fmt: skip
    return {"Name": name, "Type": "Processing", "Arguments": arguments, **more}


def of(step, member):
    return {"Get": f"Steps.{step}.{member}"}


def test_a_selective_execution_takes_the_others_results_from_its_source(account):
    role = f"arn:aws:iam::{account.number}:role/pipeline"
    first = processing(role, "First")
    second = processing(role, "Second")
    second["Arguments"]["Environment"]["FROM"] = of("First", "ProcessingJobName")
    third = processing(role, "Third", DependsOn=["Second"])
    third["Arguments"]["Environment"]["FROM"] = of("First", "ProcessingJobName")
    pipeline = Pipeline(account, first, second, third)
    source = pipeline.start()
    assert pipeline.end(source)["PipelineExecutionStatus"] == "Succeeded"
    job = next(
        step["Metadata"]["ProcessingJob"]["Arn"].rsplit("/", 1)[1]
        for step in pipeline.client.list_pipeline_execution_steps(PipelineExecutionArn=source)["PipelineExecutionSteps"]
        if step["StepName"] == "First"
    )

    def selective(*names, source=source):
        config = {"SelectedSteps": [{"StepName": name} for name in names]}
        return {"SelectiveExecutionConfig": config | ({"SourcePipelineExecutionArn": source} if source else {})}

    again = pipeline.start(**selective("Second", "Third"))
    assert pipeline.end(again)["PipelineExecutionStatus"] == "Succeeded"
    assert pipeline.statuses(again) == {"Second": "Succeeded", "Third": "Succeeded"}
    steps = pipeline.client.list_pipeline_execution_steps(PipelineExecutionArn=again)["PipelineExecutionSteps"]
    for step in steps:
        described = pipeline.client.describe_processing_job(
            ProcessingJobName=step["Metadata"]["ProcessingJob"]["Arn"].rsplit("/", 1)[1]
        )
        assert described["Environment"]["FROM"] == job
    # One that builds on a selective one finds what that one had taken.
    once_more = pipeline.start(**selective("Third", source=again))
    assert pipeline.end(once_more)["PipelineExecutionStatus"] == "Succeeded"
    assert pipeline.statuses(once_more) == {"Third": "Succeeded"}
    alone = pipeline.start(**selective("First", source=None))
    assert pipeline.end(alone)["PipelineExecutionStatus"] == "Succeeded"
    assert pipeline.statuses(alone) == {"First": "Succeeded"}

    for config, sentence in (
        (selective("Fourth"), "names Fourth, which the pipeline doesn't have"),
        (selective("First", "Third"), "Second is missing"),
        (selective("Third", source=None), "Third takes results of First, which isn't selected"),
        (selective("Third", source=alone.replace("/p/", "/q/")), "does not exist"),
    ):
        with pytest.raises(ClientError, match=sentence):
            pipeline.start(**config)


def test_a_property_file_is_read_also_after_policies_have_changed(account):
    role = f"arn:aws:iam::{account.number}:role/pipeline"
    bucket = account.bucket()
    code = "out = base / 'processing/out'; out.mkdir(parents=True, exist_ok=True); "
    first = processing(role, "First", code + "(out / 'report.json').write_text('{\"a\": {\"b\": 7}}')")
    place = {"S3Uri": f"s3://{bucket}/out", "LocalPath": "/opt/ml/processing/out", "S3UploadMode": "EndOfJob"}
    first["Arguments"]["ProcessingOutputConfig"] = {"Outputs": [{"OutputName": "out", "S3Output": place}]}
    first["PropertyFiles"] = [{"PropertyFileName": "Report", "OutputName": "out", "FilePath": "report.json"}]
    queue = account.client("sqs").create_queue(QueueName="asked")["QueueUrl"]
    ask = {"Name": "Ask", "Type": "Callback", "SqsQueueUrl": queue, "Arguments": {}, "DependsOn": ["First"]}
    second = processing(role, "Second", DependsOn=["Ask"])
    found = {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.First.PropertyFiles.Report"}, "Path": "a.b"}}
    second["Arguments"]["Environment"]["FOUND"] = {"Std:Join": {"On": "", "Values": [found, "!"]}}
    pipeline = Pipeline(account, first, ask, second)
    execution = pipeline.start()
    while not (asked := account.client("sqs").receive_message(QueueUrl=queue).get("Messages")):
        pass
    # Nothing that is known of roles and buckets counts any more.
    account.allow("pipeline", {"Effect": "Allow", "Action": "*", "Resource": "*"})
    token = json.loads(asked[0]["Body"])["token"]
    pipeline.client.send_pipeline_execution_step_success(CallbackToken=token)
    assert pipeline.end(execution)["PipelineExecutionStatus"] == "Succeeded"
    steps = pipeline.client.list_pipeline_execution_steps(PipelineExecutionArn=execution)["PipelineExecutionSteps"]
    (job,) = [step["Metadata"]["ProcessingJob"]["Arn"] for step in steps if step["StepName"] == "Second"]
    described = pipeline.client.describe_processing_job(ProcessingJobName=job.rsplit("/", 1)[1])
    assert described["Environment"]["FOUND"] == "7!"


def test_what_didn_t_succeed_in_the_source_can_t_be_taken(account):
    role = f"arn:aws:iam::{account.number}:role/pipeline"
    first, second = processing(role, "First", "raise SystemExit(1)"), processing(role, "Second")
    second["Arguments"]["Environment"]["FROM"] = of("First", "ProcessingJobName")
    pipeline = Pipeline(account, first, second)
    source = pipeline.start()
    assert pipeline.end(source)["PipelineExecutionStatus"] == "Failed"
    config = {"SelectedSteps": [{"StepName": "Second"}], "SourcePipelineExecutionArn": source}
    with pytest.raises(ClientError, match="takes results of First, which didn't succeed"):
        pipeline.start(SelectiveExecutionConfig=config)


def test_a_refused_job_leaves_nothing_of_itself(account):
    role = f"arn:aws:iam::{account.number}:role/pipeline"
    step = processing(role, "Step")
    step["Arguments"]["Tags"] = [{"Key": f"k{number}", "Value": "v"} for number in range(50)]
    pipeline = Pipeline(account, step)
    execution = pipeline.start()
    assert pipeline.end(execution)["PipelineExecutionStatus"] == "Succeeded"
    arn = pipeline.client.list_processing_jobs()["ProcessingJobSummaries"][0]["ProcessingJobArn"]
    with pytest.raises(ClientError, match="at most 50 tags"):
        pipeline.client.add_tags(ResourceArn=arn, Tags=[{"Key": "one", "Value": "more"}])
    assert len(pipeline.client.list_tags(ResourceArn=arn)["Tags"]) == 50
