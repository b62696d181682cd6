"""Many executions at once: they queue at the machine's slots, the API goes on answering, and nothing stays behind.

LOAD says how many; `make soak/localaws-load` takes two hundred.
"""

import json
import os
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from localaws.conftest import STEP, Account, Server, ended, one_step, said_of_itself
from localaws.runtimes.conftest import alive, until

LOAD = int(os.environ.get("LOAD", "20"))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A localaws of its own, whose images run the code that they are given."""
    state = tmp_path_factory.mktemp("loaded")
    (state / "step.py").write_text(STEP)
    entry = {"pattern": "*", "directory": ".", "command": [sys.executable, "step.py"]}
    (state / "images.json").write_text(json.dumps({"images": [entry]}))
    server = Server(state, "--images", str(state / "images.json"), "--no-enforce")
    yield server
    server.close()


@pytest.fixture
def account(server):
    return Account(server.address)


def create(account, code):
    """A pipeline of one processing step that runs the code."""
    sagemaker = account.client("sagemaker")
    one_step(sagemaker, account.role("works"), code)
    return sagemaker


def start(sagemaker, number=0):
    token = f"token-{number:06}-{'x' * 32}"
    return sagemaker.start_pipeline_execution(PipelineName="works", ClientRequestToken=token)["PipelineExecutionArn"]


def finished(sagemaker, arn):
    return ended(lambda: sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn), "PipelineExecutionStatus")


def test_executions_started_at_once_all_succeed_while_the_api_answers(server, account):
    sagemaker, began = create(account, "pass"), time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        started = list(pool.map(lambda number: start(sagemaker, number), range(LOAD)))
    assert len(set(started)) == LOAD
    took, left = [], list(started)
    while left:
        before = time.monotonic()
        found = sagemaker.describe_pipeline_execution(PipelineExecutionArn=left[-1])["PipelineExecutionStatus"]
        took.append(time.monotonic() - before)
        if found != "Executing":
            assert found == "Succeeded", sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=left[-1])
            left.pop()
        time.sleep(0.01)
    seconds = time.monotonic() - began
    cuts = statistics.quantiles(took, n=100)
    print(
        f"{LOAD} executions in {seconds:.1f} s; {len(took)} descriptions meanwhile, "
        f"p50 {cuts[49] * 1000:.1f} ms, p99 {cuts[98] * 1000:.1f} ms"
    )
    assert "Traceback" not in said_of_itself(server.state)
    assert left_behind(server) == []


def left_behind(server):
    """Files in the scratch folder."""
    return [path for path in (server.state / "scratch").rglob("*") if not path.is_dir()]


def test_a_stopped_execution_ends_its_processes_and_leaves_no_files(server, account, tmp_path):
    mark = f"mark-{tmp_path.name}-{os.getpid()}"
    child = f"import time; time.sleep(3600)  # {mark}"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    sagemaker = create(account, code)
    arn = start(sagemaker)
    until(lambda: alive(mark))
    sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken="s" * 32)
    assert finished(sagemaker, arn)["PipelineExecutionStatus"] == "Stopped"
    assert alive(mark) == []
    assert left_behind(server) == []


def test_a_step_that_may_write_no_more_fails_with_its_job_and_the_next_one_succeeds(server, account):
    code = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)); "
        "(base / 'processing').mkdir(parents=True, exist_ok=True); "
        "(base / 'processing/large').write_bytes(bytes(2 << 20))"
    )
    sagemaker = create(account, code)
    arn = start(sagemaker)
    assert finished(sagemaker, arn)["PipelineExecutionStatus"] == "Failed"
    (step,) = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
    assert step["StepStatus"] == "Failed" and "AlgorithmError" in step["FailureReason"]
    assert left_behind(server) == []
    other = create(Account(server.address), "pass")
    assert finished(other, start(other))["PipelineExecutionStatus"] == "Succeeded"
