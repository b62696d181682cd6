"""What the kinds of jobs have in common, and by which members they differ."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class JobType:
    """A kind of job: its resource type in ARNs and the beginning of its members' names."""

    kind: str
    resource: str
    log_group: str
    start_time: str
    end_time: str

    @property
    def name(self) -> str:
        """The member that names the job."""
        return f"{self.kind}Name"

    @property
    def arn(self) -> str:
        """The member that holds its ARN."""
        return f"{self.kind}Arn"

    @property
    def status(self) -> str:
        """The member that holds its status."""
        return f"{self.kind}Status"


PROCESSING = JobType(
    "ProcessingJob",
    "processing-job",
    "/aws/sagemaker/ProcessingJobs",
    "ProcessingStartTime",
    "ProcessingEndTime",
)
TRAINING = JobType("TrainingJob", "training-job", "/aws/sagemaker/TrainingJobs", "TrainingStartTime", "TrainingEndTime")
TRANSFORM = JobType(
    "TransformJob", "transform-job", "/aws/sagemaker/TransformJobs", "TransformStartTime", "TransformEndTime"
)
TUNING = JobType(
    "HyperParameterTuningJob",
    "hyper-parameter-tuning-job",
    "/aws/sagemaker/HyperParameterTuningJobs",
    "_started",
    "HyperParameterTuningEndTime",
)
JOB_TYPES = {job.kind: job for job in (PROCESSING, TRAINING, TRANSFORM, TUNING)}
FINAL = {"Completed", "Failed", "Stopped"}
