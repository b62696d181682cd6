"""Promotions killed at random moments, each run again, while executions go on in prod.

PROMOTIONS says how many (`make soak/promotion`: thirty), KILL_SEED which moments.
"""

import json
import os
import random
import signal
import subprocess
import threading
import time

import pytest

from pipeline.release import Release
from promotion import running
from promotion.accounts import account
from promotion.promote import FOLDER
from promotion.releases import Releases
from promotion.smoke_test import batch_file

PROMOTIONS = int(os.environ.get("PROMOTIONS") or 3)
SEED = int(os.environ.get("KILL_SEED") or 7)


class Executions:
    """Scores one batch after the other in prod, and writes down which release each execution saw."""

    def __init__(self, stage):
        self._s3, self._sagemaker = stage.client("prod", "s3"), stage.client("prod", "sagemaker")
        self._bucket = account("prod").names.data_bucket
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.seen = []
        self.error = None

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _run(self):
        try:
            while not self._stop.is_set():
                self.seen.append(self._one(len(self.seen)))
        except Exception as error:
            self.error = error

    def _one(self, number):
        key = f"data/smoke-test/between-{number}.csv"
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=batch_file().encode())
        arn = self._sagemaker.start_pipeline_execution(
            PipelineName="mammography-inference",
            PipelineParameters=[{"Name": "BatchDataUrl", "Value": f"s3://{self._bucket}/{key}"}],
        )["PipelineExecutionArn"]
        while self._status(arn) in ("Executing", "Stopping"):
            time.sleep(0.1)
        return arn

    def _status(self, arn):
        return self._sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"]

    def releases(self, arn):
        """Every release that an execution has something of: its definition's images and functions, its job's image."""
        definition = self._sagemaker.describe_pipeline_definition_for_execution(PipelineExecutionArn=arn)
        named = Release.of_definition(json.loads(definition["PipelineDefinition"]))
        steps = self._sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
        (job,) = (step["Metadata"]["ProcessingJob"]["Arn"] for step in steps if step["StepName"] == "Monitor")
        image = self._sagemaker.describe_processing_job(ProcessingJobName=job.rsplit("/", 1)[1])
        digests = {named.images["monitor"], image["AppSpecification"]["ImageUri"].partition("@")[2]}
        return digests | {
            running.code_digest(
                account("prod")
                .client("lambda")
                .get_function_configuration(FunctionName=f"mammography-{name}", Qualifier=version)["CodeSha256"]
            )
            for name, version in named.functions.items()
        }


def promote(stage, version):
    return subprocess.Popen(
        ["make", "promote", f"RELEASE={version}", "APPROVED_BY=Ann", "REASON=once more"],
        cwd=stage.checkout, env=stage.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        stdin=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


def one_release_everywhere(version):
    """Demand that dev's registry, prod's registry and prod's definitions hold exactly this release's digests."""
    releases = Releases(account("registry"))
    manifest = releases.verified(version)
    running.demand(account("prod"), manifest, releases.fetch(manifest, FOLDER))
    return manifest


@pytest.mark.skipif(os.name != "posix", reason="Process groups are killed, which only POSIX systems have.")
def test_a_killed_promotion_is_finished_by_the_next(stage, second, capsys):
    chance = random.Random(SEED)
    releases = Releases(account("registry"))
    of = {name: releases.verified(name) for name in ("first", second)}
    whole = {name: {manifest.images["monitor"], manifest.function_code} for name, manifest in of.items()}
    assert whole["first"].isdisjoint(whole[second])

    began = time.monotonic()
    stage.make("promote", f"RELEASE={second}", "APPROVED_BY=Ann", "REASON=measured")
    duration = time.monotonic() - began
    killed, target = 0, second
    with Executions(stage) as executions:
        while killed < PROMOTIONS:
            target = "first" if target == second else second
            began = time.monotonic()
            process = promote(stage, target)
            try:
                process.communicate(timeout=chance.uniform(0.05, 1) * duration)
                # It was done before it could be killed; the machine has become quicker.
                duration = time.monotonic() - began
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
                killed += 1
            again = promote(stage, target)
            said, _ = again.communicate()
            assert again.returncode == 0, said
            assert stage.serving() == target
            one_release_everywhere(target)
    assert executions.error is None, executions.error
    for arn in executions.seen:
        saw = executions.releases(arn)
        assert saw in whole.values(), f"{arn} saw {saw}"
        assert executions._status(arn) == "Succeeded"
    assert len(executions.seen) >= PROMOTIONS
    with capsys.disabled():
        print(
            f"\n{killed} promotions killed halfway (seed {SEED}), each finished by the next: one release everywhere; "
            f"{len(executions.seen)} executions in between, each of one release"
        )
