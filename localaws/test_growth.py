"""Many executions after each other: neither memory nor the time of an answer grows with what has been.

EXECUTIONS says at which numbers is looked; `make soak/localaws-growth` goes to five thousand.
"""

import json
import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from localaws.conftest import Account, Server

NUMBERS = [int(number) for number in os.environ.get("EXECUTIONS", "50,150").split(",")]
CALLS = 30
MOST = 2.0
"""What the last look may be of the first."""


@pytest.fixture
def server(tmp_path):
    """A localaws of its own."""
    server = Server(tmp_path)
    yield server
    server.close()


def memory(pid):
    """Resident memory of a process, in MiB."""
    return int(subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True).stdout) / 1024


def milliseconds(call, **asked):
    """The shortest time of a call: what the machine is busy with besides only adds to it."""
    took = []
    for _ in range(CALLS):
        began = time.perf_counter()
        call(**asked)
        took.append(1000 * (time.perf_counter() - began))
    return min(took)


def test_neither_memory_nor_answers_grow_with_what_has_been(server):
    account = Account(server.address)
    sagemaker, role = account.client("sagemaker"), account.role("works")
    steps = [{"Name": "End", "Type": "Fail", "Arguments": {"ErrorMessage": "as asked"}}]
    definition = json.dumps({"Version": "2020-12-01", "Steps": steps})
    sagemaker.create_pipeline(
        PipelineName="ends", ClientRequestToken="x" * 32, RoleArn=role, PipelineDefinition=definition
    )

    def run(number):
        token = f"token-{number:06}-{'x' * 32}"
        arn = sagemaker.start_pipeline_execution(PipelineName="ends", ClientRequestToken=token)["PipelineExecutionArn"]
        while sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"] == "Executing":
            time.sleep(0.01)
        return arn

    looks, done, last = [], 0, ""
    for number in NUMBERS:
        with ThreadPoolExecutor(4) as pool:
            last = list(pool.map(run, range(done, number)))[-1]
        done = number
        look = {
            "memory, MiB": memory(server.process.pid),
            "describe, ms": milliseconds(sagemaker.describe_pipeline_execution, PipelineExecutionArn=last),
            "list, ms": milliseconds(sagemaker.list_pipeline_executions, PipelineName="ends", MaxResults=100),
            "steps, ms": milliseconds(sagemaker.list_pipeline_execution_steps, PipelineExecutionArn=last),
        }
        looks.append(look)
        print(f"{number:>6} executions: " + ", ".join(f"{name} {value:.1f}" for name, value in look.items()))
    ratios = {name: looks[-1][name] / looks[0][name] for name in looks[0]}
    assert ratios["memory, MiB"] <= MOST
    if NUMBERS[-1] >= 5000:
        assert max(ratios.values()) <= MOST, ratios
