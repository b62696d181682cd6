"""A failed execution, read: which step failed, what its job says, which batch or labels it was about."""

from __future__ import annotations

from dataclasses import dataclass

from functions.common import contract, failures
from functions.common.context import AccountContext, client, pipeline_and_id, read_json, split
from functions.common.pending import NEXT

JOBS = {
    "ProcessingJob": ("describe_processing_job", "ProcessingJobName"),
    "TrainingJob": ("describe_training_job", "TrainingJobName"),
    "TransformJob": ("describe_transform_job", "TransformJobName"),
}


@dataclass(frozen=True)
class Failure:
    """Why an execution failed.

    Args:
        execution: its ARN.
        step: name of the step that failed, or None when none did.
        name: the failure's own name: Drift, a named failure of a function, or the step's name.
        sentence: what the job, the function or the Fail step says; never a row's values.
        batch: identity of the batch it was about, or None.
        labels: identity of the labels it evaluated a version by, or None.
        package: ARN of the version it ran under, or None.
        monitoring: S3 URL of what the monitor wrote, or None.
        followed: whether it was started for a batch that waited behind another.
    """

    execution: str
    step: str | None
    name: str
    sentence: str
    batch: str | None
    labels: str | None
    package: str | None
    monitoring: str | None
    followed: bool = False

    @property
    def drift(self) -> bool:
        """Whether the monitor found the batch or the model changed, as opposed to anything going wrong."""
        return self.step == contract.DRIFT

    @property
    def identity(self) -> str:
        """Identity of what a retraining would be begun for."""
        return self.batch or self.labels or ""

    @property
    def pipeline(self) -> str:
        """The pipeline's name."""
        return pipeline_and_id(self.execution)[0]

    @property
    def where(self) -> str:
        """What failed, in words, with the failure's own name where that says more than the step's."""
        named = f" ({self.name})" if self.name != self.step else ""
        return f"step {self.step}{named}" if self.step else "the execution"


def read(context: AccountContext, execution: str) -> Failure | None:
    """Read a failed execution; None when it isn't failed (it was retried since the event)."""
    sagemaker = client("sagemaker")
    described = sagemaker.describe_pipeline_execution(PipelineExecutionArn=execution)
    if described["PipelineExecutionStatus"] != "Failed":
        return None
    steps = steps_of(execution)
    failed = sorted(
        (step for step in steps.values() if step["StepStatus"] == "Failed"),
        key=lambda step: str(step.get("EndTime")),
    )
    found = outputs(steps.get(contract.RESOLVE, {}))
    watching = next((steps[name] for name in (contract.MONITOR, contract.QUALITY) if name in steps), {})
    about = {
        "batch": found.get(contract.BATCH_ID),
        "labels": found.get(contract.LABELS),
        "package": found.get(contract.MODEL_PACKAGE),
        "monitoring": _monitoring(watching),
        "followed": described.get("PipelineExecutionDisplayName", "").startswith(NEXT),
    }
    if not failed:
        sentence = described.get("FailureReason", "SageMaker gives no reason.")
        return Failure(execution, None, "Failed", sentence, **about)
    step = failed[0]
    name, sentence = _reason(context, execution, step)
    return Failure(execution, step["StepName"], name, sentence, **about)


def verdict(failure: Failure) -> dict | None:
    """Return the monitor's verdict, where it wrote one."""
    found = read_json(*split(f"{failure.monitoring}/{contract.VERDICT_FILE}")) if failure.monitoring else None
    return found[0] if found else None


def steps_of(execution: str) -> dict[str, dict]:
    """Return an execution's steps by their names, as ListPipelineExecutionSteps tells them."""
    pages = client("sagemaker").get_paginator("list_pipeline_execution_steps").paginate(PipelineExecutionArn=execution)
    return {step["StepName"]: step for page in pages for step in page["PipelineExecutionSteps"]}


def outputs(step: dict) -> dict[str, str]:
    """Return what the function of a Lambda step answered."""
    parameters = step.get("Metadata", {}).get("Lambda", {}).get("OutputParameters", [])
    return {parameter["Name"]: parameter["Value"] for parameter in parameters}


def _describe_job(step: dict) -> dict:
    for kind, (call, argument) in JOBS.items():
        arn = step.get("Metadata", {}).get(kind, {}).get("Arn")
        if arn:
            return getattr(client("sagemaker"), call)(**{argument: arn.rsplit("/", 1)[-1]})
    return {}


def _monitoring(step: dict) -> str | None:
    """Return where the monitor's report lies: SageMaker brings nothing of a job that failed."""
    if step.get("StepStatus") != "Succeeded":
        return None
    outputs = _describe_job(step).get("ProcessingOutputConfig", {}).get("Outputs", [])
    return next(
        (output["S3Output"]["S3Uri"] for output in outputs if output["OutputName"] == contract.MONITORING), None
    )


def _reason(context: AccountContext, execution: str, step: dict) -> tuple[str, str]:
    """Return the failure's name and sentence: the job's own words come before SageMaker's."""
    name, reason = step["StepName"], step.get("FailureReason") or "The step gives no reason."
    if "Fail" in step.get("Metadata", {}):
        return name, step["Metadata"]["Fail"].get("ErrorMessage") or reason
    if job := _describe_job(step):
        return name, job.get("ExitMessage") or job.get("FailureReason") or reason
    # A function's step, or one that failed before it had a job.
    note = failures.recall(context, execution)
    return (note["name"], note["sentence"]) if note else (name, reason)
