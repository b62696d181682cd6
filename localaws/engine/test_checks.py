"""QualityCheck and ClarifyCheck steps, run with an analyzer that finds as many violations as it is told to."""

import json
import time

import pytest

from localaws.conftest import allow

ANALYZER = """
given = {name: os.environ.get(name) for name in ("baseline_constraints", "baseline_statistics")}
def read(path):
    return path and json.loads(pathlib.Path(str(base) + path.removeprefix("/opt/ml")).read_text())
before = {name: read(path) for name, path in given.items()}
out = base / "processing/output"
for name in ("statistics", "constraints", "analysis"):
    (out / f"{name}.json").write_text(json.dumps({"made": name}))
(out / "seen.json").write_text(json.dumps(before))
found = int(os.environ["VIOLATIONS"]) if before["baseline_constraints"] else 0
(out / "constraint_violations.json").write_text(json.dumps({"violations": [{"feature_name": "age"}] * found}))
"""
CONTAINER = {
    "Containers": [{"Image": "image"}],
    "SupportedContentTypes": ["text/csv"],
    "SupportedResponseMIMETypes": ["text/csv"],
}


@pytest.fixture
def check(account):
    """Runs one check step; gives the execution's status, the step, and what lies in the output."""
    bucket = account.bucket()
    role = account.role("checks", allow(["s3:*", "sagemaker:*", "iam:PassRole", "logs:*"]))
    sagemaker, s3 = account.client("sagemaker"), account.client("s3")
    place = f"s3://{bucket}/out"

    def run(kind="QualityCheck", check_type="DATA_QUALITY", violations=0, **settings):
        arguments = {
            "RoleArn": role,
            "AppSpecification": {"ImageUri": "analyzer"},
            "ProcessingResources": {
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
            },
            # A variable of a job holds at most 256 characters.
            "Environment": {"VIOLATIONS": str(violations), "CODE": "exec((base / 'processing/code/run').read_text())"},
            "ProcessingInputs": [
                {
                    "InputName": "code",
                    "S3Input": {
                        "S3Uri": f"s3://{bucket}/code",
                        "LocalPath": "/opt/ml/processing/code",
                        "S3DataType": "S3Prefix",
                        "S3InputMode": "File",
                    },
                }
            ],
            "ProcessingOutputConfig": {
                "Outputs": [
                    {
                        "OutputName": "quality_check_output",
                        "S3Output": {
                            "S3Uri": place,
                            "LocalPath": "/opt/ml/processing/output",
                            "S3UploadMode": "EndOfJob",
                        },
                    }
                ]
            },
        }
        s3.put_object(Bucket=bucket, Key="code/run", Body=ANALYZER.encode())
        step = {"Name": "Check", "Type": kind, "CheckType": check_type, "Arguments": arguments, **settings}
        # Another step proves what the properties say.
        tell = {
            "Name": "Tell",
            "Type": "Fail",
            "DependsOn": ["Check"],
            "Arguments": {"ErrorMessage": {"Get": "Steps.Check.BaselineUsedForDriftCheckConstraints"}},
        }
        definition = json.dumps({"Version": "2020-12-01", "Steps": [step, tell]})
        name = f"checks-{time.time_ns()}"
        sagemaker.create_pipeline(
            PipelineName=name, RoleArn=role, PipelineDefinition=definition, ClientRequestToken=f"{name:x<36}"
        )
        arn = sagemaker.start_pipeline_execution(PipelineName=name)["PipelineExecutionArn"]
        while sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"] == "Executing":
            time.sleep(0.05)
        steps = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
        return {step["StepName"]: step for step in steps}

    def seen():
        return json.loads(s3.get_object(Bucket=bucket, Key="out/seen.json")["Body"].read())

    def put(name):
        s3.put_object(Bucket=bucket, Key=name, Body=json.dumps({"kept": name}).encode())
        return f"s3://{bucket}/{name}"

    run.place, run.seen, run.put, run.sagemaker = place, seen, put, sagemaker
    return run


FIRST = {"SkipCheck": True, "RegisterNewBaseline": True}


def supplied(check):
    return {
        "SuppliedBaselineStatistics": check.put("before/statistics.json"),
        "SuppliedBaselineConstraints": check.put("before/constraints.json"),
    }


def test_a_first_baseline_is_made_and_used_without_a_check(check):
    steps = check(violations=3, **FIRST)
    step = steps["Check"]
    assert step["StepStatus"] == "Succeeded"
    told = step["Metadata"]["QualityCheck"]
    assert told["CheckJobArn"].split(":")[5].startswith("processing-job/") and "ViolationReport" not in told
    made = {part: f"{check.place}/{part.lower()}.json" for part in ("Statistics", "Constraints")}
    for part, uri in made.items():
        assert told[f"CalculatedBaseline{part}"] == told[f"BaselineUsedForDriftCheck{part}"] == uri
    assert check.seen() == {"baseline_constraints": None, "baseline_statistics": None}
    assert steps["Tell"]["Metadata"]["Fail"]["ErrorMessage"] == made["Constraints"]


def test_what_violates_the_supplied_baseline_fails_the_step(check):
    before = supplied(check)
    steps = check(violations=2, **before)
    step, report = steps["Check"], f"{check.place}/constraint_violations.json"
    assert step["StepStatus"] == "Failed" and "Tell" not in steps
    assert step["FailureReason"] == f"ClientError: The check found 2 violations of the baseline; see {report}."
    told = step["Metadata"]["QualityCheck"]
    assert told["ViolationReport"] == report
    assert told["BaselineUsedForDriftCheckConstraints"] == before["SuppliedBaselineConstraints"]
    assert told["CalculatedBaselineConstraints"] == f"{check.place}/constraints.json"
    assert check.seen() == {
        "baseline_constraints": {"kept": "before/constraints.json"},
        "baseline_statistics": {"kept": "before/statistics.json"},
    }


@pytest.mark.parametrize(
    ("settings", "status", "reported"),
    [
        ({"FailOnViolation": False}, "Succeeded", True),
        ({"SkipCheck": True}, "Succeeded", False),
        ({"RegisterNewBaseline": True}, "Failed", True),
    ],
)
def test_violations_are_reported_or_not_looked_for(check, settings, status, reported):
    before = supplied(check)
    steps = check(violations=1, **before, **settings)
    assert steps["Check"]["StepStatus"] == status
    told = steps["Check"]["Metadata"]["QualityCheck"]
    assert ("ViolationReport" in told) == reported
    new = settings.get("RegisterNewBaseline")
    used = told["CalculatedBaselineConstraints"] if new else before["SuppliedBaselineConstraints"]
    assert told["BaselineUsedForDriftCheckConstraints"] == used
    if status == "Succeeded":
        assert steps["Tell"]["Metadata"]["Fail"]["ErrorMessage"] == used


def test_the_baseline_is_the_latest_approved_models(check):
    check.sagemaker.create_model_package_group(ModelPackageGroupName="models")
    for number, status in enumerate(("Approved", "Approved", "PendingManualApproval", "Rejected")):
        sources = {
            part: {"ContentType": "application/json", "S3Uri": check.put(f"{number}/{part.lower()}.json")}
            for part in ("Statistics", "Constraints")
        }
        check.sagemaker.create_model_package(
            ModelPackageGroupName="models", ModelApprovalStatus=status, InferenceSpecification=CONTAINER,
            DriftCheckBaselines={"ModelDataQuality": sources},
        )  # fmt: skip
    steps = check(ModelPackageGroupName="models")
    assert steps["Check"]["StepStatus"] == "Succeeded", steps["Check"]
    assert check.seen()["baseline_constraints"] == {"kept": "1/constraints.json"}
    assert steps["Check"]["Metadata"]["QualityCheck"]["ModelPackageGroupName"] == "models"
    steps = check(check_type="MODEL_QUALITY", ModelPackageGroupName="models")
    assert steps["Check"]["StepStatus"] == "Failed"
    assert "no approved model in the group models has one" in steps["Check"]["FailureReason"]


def test_a_check_without_an_earlier_baseline_fails_by_name(check):
    steps = check()
    assert steps["Check"]["StepStatus"] == "Failed"
    assert "There is no earlier baseline (statistics) of DATA_QUALITY" in steps["Check"]["FailureReason"]
    steps = check(check_type="SOMETHING", SkipCheck=True)
    assert "CheckType SOMETHING: there are DATA_QUALITY" in steps["Check"]["FailureReason"]


def test_clarify_has_constraints_alone(check):
    before = check.put("before/analysis.json")
    steps = check("ClarifyCheck", "DATA_BIAS", violations=1, SuppliedBaselineConstraints=before)
    told = steps["Check"]["Metadata"]["ClarifyCheck"]
    assert steps["Check"]["StepStatus"] == "Failed" and told["ViolationReport"]
    assert told["CalculatedBaselineConstraints"] == f"{check.place}/analysis.json"
    assert told["BaselineUsedForDriftCheckConstraints"] == before
    assert not [name for name in told if name.endswith("Statistics")]
