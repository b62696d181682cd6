"""Runs one pipeline of trivial containers with the SageMaker SDK v2: once for every line it reads.

    client.py local|localaws chain|fan STEPS

For each line of standard input it prints the seconds from the pipeline's start to its known end. It runs in the
environment of tests/sdk. S3 is that of a localaws at AWS_ENDPOINT_URL in both cases; `local` hands the pipeline to
the SDK's LocalPipelineSession, `localaws` to its PipelineSession.
"""

import sys
import tempfile
import time

import tests.sdk.conftest  # noqa: F401  keeps the SDK to this machine, before it is imported

# isort: split
import boto3
from sagemaker.processing import ProcessingInput, ProcessingOutput, Processor
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import LocalPipelineSession, PipelineSession
from sagemaker.workflow.steps import ProcessingStep

from bench.localaws import BUCKET, IMAGES, ROLE

LOOKS_EVERY_SECONDS = 0.05


def main() -> int:
    """Run the pipeline as often as asked; return 1 after one sentence if an execution or its output is wrong."""
    mode, shape, steps = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        pipeline = built(session(mode, folder), shape, steps, "local" if mode == "local" else "ml.m5.large")
        pipeline.upsert(ROLE)
        for _ in sys.stdin:
            began = time.perf_counter()
            execution = pipeline.start()
            if mode == "localaws":
                execution.wait(delay=LOOKS_EVERY_SECONDS, max_attempts=100_000)
            ended = execution.describe()
            taken = time.perf_counter() - began
            if ended["PipelineExecutionStatus"] != "Succeeded":
                print(f"The execution ended as {ended}", file=sys.stderr)
                return 1
            check(shape, steps)
            print(f"seconds={taken}", flush=True)
    return 0


def session(mode: str, folder: str) -> PipelineSession:
    """The SDK's session, as its users make it."""
    if mode == "localaws":
        return PipelineSession(default_bucket=BUCKET)
    made = LocalPipelineSession(boto3.Session(), default_bucket=BUCKET)
    made.config = {"local": {"container_root": folder}}
    return made


def built(pipelines: PipelineSession, shape: str, count: int, instance_type: str) -> Pipeline:
    """A pipeline whose steps follow each other (chain), or all read the same file (fan)."""
    steps: list[ProcessingStep] = []
    for number in range(count):
        source = f"s3://{BUCKET}/lines"
        if shape == "chain" and steps:
            source = steps[-1].properties.ProcessingOutputConfig.Outputs["lines"].S3Output.S3Uri
        processor = Processor(
            role=ROLE,
            image_uri=IMAGES[number % len(IMAGES)],
            # The local mode runs no image's own entry point.
            entrypoint=["python3", "program.py"],
            instance_count=1,
            instance_type=instance_type,
            sagemaker_session=pipelines,
        )
        arguments = processor.run(
            inputs=[ProcessingInput(source, "/opt/ml/processing/input", input_name="lines")],
            outputs=[ProcessingOutput("/opt/ml/processing/output", output(shape, number), output_name="lines")],
            arguments=[f"step-{number}"],
        )
        steps.append(ProcessingStep(f"Step{number}", step_args=arguments))
    return Pipeline(f"bench-{shape}", steps=steps, sagemaker_session=pipelines)


def output(shape: str, number: int) -> str:
    """Where the step of this number writes."""
    return f"s3://{BUCKET}/{shape}/{number}"


def check(shape: str, count: int) -> None:
    """Look that the containers did their work, and take it away, so that the next run has to do it again."""
    client = boto3.client("s3")
    for number in range(count):
        expected = ["start", *(f"step-{past}" for past in range(number + 1))]
        if shape == "fan":
            expected = ["start", f"step-{number}"]
        key = output(shape, number).removeprefix(f"s3://{BUCKET}/") + "/lines.txt"
        lines = client.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode().split()
        if lines != expected:
            raise SystemExit(f"{key} holds {lines}, not {expected}")
        client.delete_object(Bucket=BUCKET, Key=key)


if __name__ == "__main__":
    sys.exit(main())
