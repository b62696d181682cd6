"""Tuning jobs whose training jobs are real processes: each prints the score that its code computes."""

import functools
import json
import os
import signal
import sys
import time

import pytest
from botocore.exceptions import ClientError

from localaws.conftest import Account, ended, serving

SCORE = "x = float(parameters['x']); print(f'score={{{score}}};')"
METRICS = [{"Name": "score", "Regex": "score=([0-9.e+-]+);"}]


def request(account, name="tune", score="-(x - 3) ** 2", code=None, **config):
    bucket = f"bucket-{account.number}"
    limits = {"MaxNumberOfTrainingJobs": 4, "MaxParallelTrainingJobs": 2}
    ranges = {"ContinuousParameterRanges": [{"Name": "x", "MinValue": "0", "MaxValue": "10"}]}
    return {
        "HyperParameterTuningJobName": name,
        "HyperParameterTuningJobConfig": {
            "Strategy": "Random",
            "RandomSeed": 7,
            "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "score"},
            "ResourceLimits": limits | config.pop("limits", {}),
            "ParameterRanges": ranges,
            **config,
        },
        "TrainingJobDefinition": {
            "StaticHyperParameters": {"fixed": "1"},
            "Environment": {"CODE": code or SCORE.format(score=score)},
            "AlgorithmSpecification": {
                "TrainingImage": "python", "TrainingInputMode": "File", "MetricDefinitions": METRICS,
            },
            "RoleArn": f"arn:aws:iam::{account.number}:role/r",
            "OutputDataConfig": {"S3OutputPath": f"s3://{bucket}/out"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        },
    }  # fmt: skip


@pytest.fixture
def tuned(account):
    """An account that can tune."""
    account.role("r", {"Effect": "Allow", "Action": "*", "Resource": "*"})
    account.bucket()
    return account


def describe(account, name="tune"):
    return account.client("sagemaker").describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)


def run(account, asked):
    account.client("sagemaker").create_hyper_parameter_tuning_job(**asked)
    name = asked["HyperParameterTuningJobName"]
    return ended(lambda: describe(account, name), "HyperParameterTuningJobStatus")


def jobs(account, **asked):
    client = account.client("sagemaker")
    found = client.list_training_jobs_for_hyper_parameter_tuning_job(
        HyperParameterTuningJobName="tune", MaxResults=100, **asked
    )
    return found["TrainingJobSummaries"]


def score(summary):
    return summary["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]


@pytest.mark.parametrize("strategy", ["Random", "Bayesian"])
def test_the_best_of_real_training_jobs_is_found(tuned, strategy):
    asked = request(tuned, Strategy=strategy)
    asked["Tags"] = [{"Key": "team", "Value": "ml"}]
    job = run(tuned, asked)
    assert job["HyperParameterTuningJobStatus"] == "Completed"
    assert job["TrainingJobStatusCounters"]["Completed"] == job["ObjectiveStatusCounters"]["Succeeded"] == 4
    found = jobs(tuned)
    assert len(found) == 4
    for summary in found:
        x = float(summary["TunedHyperParameters"]["x"])
        assert score(summary) == pytest.approx(-((x - 3) ** 2))
        assert summary["TuningJobName"] == "tune" and summary["ObjectiveStatus"] == "Succeeded"
    best = job["BestTrainingJob"]
    assert best["TrainingJobName"] == max(found, key=score)["TrainingJobName"]
    client = tuned.client("sagemaker")
    training = client.describe_training_job(TrainingJobName=best["TrainingJobName"])
    assert training["TuningJobArn"] == job["HyperParameterTuningJobArn"]
    assert training["HyperParameters"]["fixed"] == "1"
    assert training["HyperParameters"]["x"] == best["TunedHyperParameters"]["x"]
    assert training["HyperParameters"]["_tuning_objective_metric"] == "score"
    assert client.list_tags(ResourceArn=training["TrainingJobArn"])["Tags"] == asked["Tags"]
    assert training["ModelArtifacts"]["S3ModelArtifacts"].startswith(f"s3://bucket-{tuned.number}/out/tune-")


def test_no_more_training_jobs_run_at_once_than_allowed(tuned):
    run(tuned, request(tuned, code="import time; time.sleep(0.2); print('score=1;')"))
    spans = []
    for summary in jobs(tuned):
        spans += [(summary["CreationTime"], 1), (summary["TrainingEndTime"], -1)]
    running, most = 0, 0
    for _, change in sorted(spans, key=lambda span: (span[0], span[1])):
        running += change
        most = max(most, running)
    assert most == 2


def test_a_grid_tries_every_combination(tuned):
    asked = request(tuned, score="x", Strategy="Grid")
    config = asked["HyperParameterTuningJobConfig"]
    config["ResourceLimits"] = {"MaxParallelTrainingJobs": 3}
    config["ParameterRanges"] = {"CategoricalParameterRanges": [
        {"Name": "x", "Values": ["1", "2", "3"]}, {"Name": "y", "Values": ["a", "b"]}]}  # fmt: skip
    job = run(tuned, asked)
    points = {tuple(sorted(summary["TunedHyperParameters"].items())) for summary in jobs(tuned)}
    assert points == {(("x", x), ("y", y)) for x in "123" for y in "ab"}
    assert job["HyperParameterTuningJobConfig"]["ResourceLimits"]["MaxNumberOfTrainingJobs"] == 6
    assert score(job["BestTrainingJob"]) == 3


def test_several_definitions_take_turns(tuned):
    asked = request(tuned)
    definition, config = asked.pop("TrainingJobDefinition"), asked["HyperParameterTuningJobConfig"]
    goal, ranges = config.pop("HyperParameterTuningJobObjective"), config.pop("ParameterRanges")
    own = {"TuningObjective": goal, "HyperParameterRanges": ranges}
    asked["TrainingJobDefinitions"] = [definition | own | {"DefinitionName": name} for name in ("one", "two")]
    run(tuned, asked)
    names = [summary["TrainingJobDefinitionName"] for summary in jobs(tuned)]
    assert sorted(names) == ["one"] * 2 + ["two"] * 2


def test_training_jobs_are_listed_by_what_is_asked(tuned):
    code = "x = float(parameters['x'])\nif x < 4: print(f'score={x};')\nif x > 6: raise SystemExit(1)"
    run(tuned, request(tuned, code=code, limits={"MaxNumberOfTrainingJobs": 8, "MaxParallelTrainingJobs": 4}))
    everything = jobs(tuned)
    names = [summary["TrainingJobName"] for summary in everything]
    assert names == sorted(names) and len(names) == 8
    by_score = jobs(tuned, SortBy="FinalObjectiveMetricValue", SortOrder="Descending")
    scores = [score(summary) for summary in by_score]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == sum("FinalHyperParameterTuningJobObjectiveMetric" in summary for summary in everything)
    failed = jobs(tuned, StatusEquals="Failed")
    assert failed and all(float(summary["TunedHyperParameters"]["x"]) > 6 for summary in failed)
    assert all(summary["ObjectiveStatus"] == "Failed" and summary["FailureReason"] for summary in failed)
    client, paged, token = tuned.client("sagemaker"), [], {}
    while True:
        page = client.list_training_jobs_for_hyper_parameter_tuning_job(
            HyperParameterTuningJobName="tune", MaxResults=3, SortBy="CreationTime", SortOrder="Descending", **token
        )
        paged += [summary["TrainingJobName"] for summary in page["TrainingJobSummaries"]]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert len(paged) == len(set(paged)) == 8
    counters = describe(tuned)["TrainingJobStatusCounters"]
    assert counters["NonRetryableError"] == len(failed)


def test_it_ends_when_the_target_is_reached(tuned):
    many = {"MaxNumberOfTrainingJobs": 200, "MaxParallelTrainingJobs": 2}
    job = run(
        tuned, request(tuned, score="x", limits=many, TuningJobCompletionCriteria={"TargetObjectiveMetricValue": 5})
    )
    assert job["HyperParameterTuningJobStatus"] == "Completed"
    assert score(job["BestTrainingJob"]) >= 5
    assert sum(job["TrainingJobStatusCounters"].values()) < 30


def test_it_ends_when_nothing_gets_better(tuned):
    many = {"MaxNumberOfTrainingJobs": 200, "MaxParallelTrainingJobs": 1}
    patience = {"BestObjectiveNotImproving": {"MaxNumberOfTrainingJobsNotImproving": 3}}
    job = run(tuned, request(tuned, score="1", limits=many, TuningJobCompletionCriteria=patience))
    assert job["HyperParameterTuningJobStatus"] == "Completed"
    assert job["TrainingJobStatusCounters"]["Completed"] == 4
    assert job["TuningJobCompletionDetails"]["NumberOfTrainingJobsObjectiveNotImproving"] == 3


def test_it_fails_when_no_training_job_succeeds(tuned):
    job = run(tuned, request(tuned, code="raise SystemExit(1)", limits={"MaxNumberOfTrainingJobs": 50}))
    assert job["HyperParameterTuningJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("No training job succeeded after 5 attempts. Please take a look")
    assert job["TrainingJobStatusCounters"]["NonRetryableError"] in (5, 6)


def test_stopping_stops_what_runs_and_keeps_what_was_found(tuned):
    code = "import time\nx = float(parameters['x'])\nprint('score=1;', flush=True)\ntime.sleep(0 if x < 4 else 600)"
    client = tuned.client("sagemaker")
    client.create_hyper_parameter_tuning_job(**request(tuned, code=code, limits={"MaxNumberOfTrainingJobs": 50}))
    while describe(tuned)["TrainingJobStatusCounters"]["InProgress"] < 2 or not [
        job for job in jobs(tuned) if float(job["TunedHyperParameters"]["x"]) > 4 and "TrainingStartTime" in job
    ]:
        time.sleep(0.05)
    client.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="tune")
    with pytest.raises(ClientError, match="in progress"):
        client.delete_hyper_parameter_tuning_job(HyperParameterTuningJobName="tune")
    job = ended(lambda: describe(tuned), "HyperParameterTuningJobStatus")
    assert job["HyperParameterTuningJobStatus"] == "Stopped"
    assert job["TrainingJobStatusCounters"]["InProgress"] == 0
    assert job["TrainingJobStatusCounters"]["Stopped"] >= 1
    client.delete_hyper_parameter_tuning_job(HyperParameterTuningJobName="tune")
    with pytest.raises(ClientError) as raised:
        describe(tuned)
    assert raised.value.response["Error"]["Code"] == "ResourceNotFound"


def test_training_jobs_that_lag_behind_are_stopped_early(tuned):
    code = """
import time
x = float(parameters['x'])
for epoch in range(40):
    print(f'score={x + epoch / 100};', flush=True)
    time.sleep(0.02 if x > 3 else 0.1)
"""
    asked = request(tuned, code=code, TrainingJobEarlyStoppingType="Auto", Strategy="Grid")
    config = asked["HyperParameterTuningJobConfig"]
    config["ResourceLimits"] = {"MaxParallelTrainingJobs": 1}
    config["ParameterRanges"] = {"CategoricalParameterRanges": [{"Name": "x", "Values": ["7", "8", "9", "1", "10"]}]}
    job = run(tuned, asked)
    found = {summary["TunedHyperParameters"]["x"]: summary for summary in jobs(tuned)}
    assert {x: summary["TrainingJobStatus"] for x, summary in found.items()} == {
        "7": "Completed", "8": "Completed", "9": "Completed", "1": "Stopped", "10": "Completed",
    }  # fmt: skip
    assert found["1"]["ObjectiveStatus"] == "Succeeded"
    assert job["TrainingJobStatusCounters"]["Stopped"] == 1
    assert score(job["BestTrainingJob"]) == pytest.approx(10.39)


def test_a_killed_localaws_carries_on(tmp_path):
    (tmp_path / "step.py").write_text("import time; time.sleep(0.3); print('score=1;')")
    entry = {"pattern": "*", "directory": ".", "command": [sys.executable, "step.py"]}
    (tmp_path / "images.json").write_text(json.dumps({"images": [entry]}))
    options, account = ("--images", str(tmp_path / "images.json"), "--slots", "2"), None
    for done in (1, 3, None):
        with serving(tmp_path, *options) as address:
            account = Account(address, account and account.number)
            if done == 1:
                account.role("r", {"Effect": "Allow", "Action": "*", "Resource": "*"})
                account.bucket()
                asked = request(account, limits={"MaxNumberOfTrainingJobs": 6})
                account.client("sagemaker").create_hyper_parameter_tuning_job(**asked)
            if done is None:
                job = ended(functools.partial(describe, account), "HyperParameterTuningJobStatus")
                assert job["HyperParameterTuningJobStatus"] == "Completed"
                assert job["TrainingJobStatusCounters"]["Completed"] == len(jobs(account)) == 6
                break
            while describe(account)["TrainingJobStatusCounters"]["Completed"] < done:
                time.sleep(0.02)
            os.kill(json.loads((tmp_path / "server.json").read_text())["pid"], signal.SIGKILL)


def without(asked, *path):
    *way, last = path
    place = asked
    for part in way:
        place = place[part]
    del place[last]


CONFIG = "HyperParameterTuningJobConfig"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda a: a[CONFIG].update(Strategy="Hyperband"), "The strategy Hyperband is not supported"),
        (lambda a: a.update(WarmStartConfig={"WarmStartType": "TransferLearning", "ParentHyperParameterTuningJobs": [
            {"HyperParameterTuningJobName": "x"}]}), "WarmStartConfig is not supported"),
        (lambda a: a.update(Autotune={"Mode": "Enabled"}), "Autotune is not supported"),
        (lambda a: a[CONFIG].update(TuningJobCompletionCriteria={"ConvergenceDetected": {
            "CompleteOnConvergence": "Enabled"}}), "ConvergenceDetected is not supported"),
        (lambda a: without(a, "TrainingJobDefinition"), "either TrainingJobDefinition or TrainingJobDefinitions"),
        (lambda a: without(a, CONFIG, "HyperParameterTuningJobObjective"), "needs HyperParameterTuningJobObjective"),
        (lambda a: without(a, CONFIG, "ParameterRanges"), "the range of at least one hyperparameter"),
        (lambda a: without(a, CONFIG, "ResourceLimits", "MaxNumberOfTrainingJobs"), "needs MaxNumberOfTrainingJobs"),
        (lambda a: a[CONFIG]["ResourceLimits"].update(MaxParallelTrainingJobs=5), "can't be greater than"),
        (lambda a: a[CONFIG].update(Strategy="Grid"), "Grid takes CategoricalParameterRanges only"),
        (lambda a: a[CONFIG].update(ParameterRanges={"CategoricalParameterRanges": [{"Name": "x", "Values": ["1"]}]}),
         r"combinations for the provided ranges \[1.0\] must be equal or greater than .* \[4\]"),
        (lambda a: a["TrainingJobDefinition"]["StaticHyperParameters"].update(x="1"), "x is both static and tuned"),
        (lambda a: a["TrainingJobDefinition"]["AlgorithmSpecification"].update(MetricDefinitions=[]),
         "The objective metric score is not among the MetricDefinitions"),
        (lambda a: without(a, "TrainingJobDefinition", "ResourceConfig"), "either ResourceConfig or"),
        (lambda a: a["TrainingJobDefinition"].update(RoleArn="arn:aws:iam::999999999999:role/r"), "cross-account"),
        (lambda a: a["TrainingJobDefinition"].update(RoleArn=a["TrainingJobDefinition"]["RoleArn"] + "x"),
         "Could not assume role"),
    ],
)  # fmt: skip
def test_what_can_t_be_done_is_refused_by_name_and_leaves_nothing(tuned, change, sentence):
    asked = request(tuned)
    change(asked)
    client = tuned.client("sagemaker")
    with pytest.raises(ClientError, match=sentence) as raised:
        client.create_hyper_parameter_tuning_job(**asked)
    assert raised.value.response["Error"]["Code"] == "ValidationException"
    assert client.list_hyper_parameter_tuning_jobs()["HyperParameterTuningJobSummaries"] == []


def test_a_name_is_taken_once(tuned):
    run(tuned, request(tuned))
    with pytest.raises(ClientError, match="with the name, tune, already exists") as raised:
        tuned.client("sagemaker").create_hyper_parameter_tuning_job(**request(tuned))
    assert raised.value.response["Error"]["Code"] == "ResourceInUse"
    listed = tuned.client("sagemaker").list_hyper_parameter_tuning_jobs()["HyperParameterTuningJobSummaries"]
    assert [(item["HyperParameterTuningJobName"], item["Strategy"]) for item in listed] == [("tune", "Random")]


def test_built_in_xgboost_brings_its_metrics(tuned):
    asked = request(tuned, code="x = parameters['x']\nprint(f'[0]#011train-auc:0.1#011validation-auc:{x}')")
    asked["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]["MetricName"] = "validation:auc"
    algorithm = asked["TrainingJobDefinition"]["AlgorithmSpecification"]
    algorithm["TrainingImage"] = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
    del algorithm["MetricDefinitions"]
    best = run(tuned, asked)["BestTrainingJob"]
    assert score(best) == pytest.approx(float(best["TunedHyperParameters"]["x"]), rel=1e-5)


def test_a_step_tunes_and_gives_its_best_job_to_the_next(tuned):
    asked = request(tuned)
    del asked["HyperParameterTuningJobName"]
    role = f"arn:aws:iam::{tuned.number}:role/r"
    best = {"Get": "Steps.Tune.BestTrainingJob.TrainingJobName"}
    definition = {
        "Version": "2020-12-01",
        "Steps": [
            {"Name": "Tune", "Type": "Tuning", "Arguments": asked},
            {"Name": "Say", "Type": "Fail", "Arguments": {"ErrorMessage": best}},
        ],
    }
    client = tuned.client("sagemaker")
    client.create_pipeline(PipelineName="p", RoleArn=role, PipelineDefinition=json.dumps(definition))
    arn = client.start_pipeline_execution(PipelineName="p")["PipelineExecutionArn"]
    ended(lambda: client.describe_pipeline_execution(PipelineExecutionArn=arn), "PipelineExecutionStatus")
    steps = client.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
    found = {step["StepName"]: step for step in steps}
    assert found["Tune"]["StepStatus"] == "Succeeded"
    job = found["Tune"]["Metadata"]["TuningJob"]["Arn"].rsplit("/", 1)[1]
    assert found["Say"]["FailureReason"] == describe(tuned, job)["BestTrainingJob"]["TrainingJobName"]
