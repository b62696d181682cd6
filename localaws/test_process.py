"""localaws' own door: its command line, its port, its state folder, and its end."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
from pathlib import Path

import boto3
import pytest

from localaws import __main__ as front
from localaws.conftest import REGION, STEP, Account, ended, serving
from localaws.process import ask
from localaws.statefiles import Contents
from localaws.store import Store

ROLE = "arn:aws:iam::111111111111:role/anybody"


def command(*arguments, **more):
    """Run one command of the door; its exit code and what it printed."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("LOCALAWS_", "AWS_"))}
    done = subprocess.run(
        [sys.executable, "-m", "localaws", *map(str, arguments)],
        capture_output=True, text=True, env=environment | more,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def up(tmp_path):
    """A localaws that `up` has started; its state folder and the variables that `up` prints."""
    code, printed, said = command("up", "--state", tmp_path / "state", "--port", "0", "--no-enforce")
    assert code == 0, said
    yield tmp_path / "state", dict(re.findall(r"(AWS_\w+)=(\S+)", printed))
    command("down", "--state", tmp_path / "state")


def test_up_prints_what_a_client_needs_and_down_ends_it(up):
    state, variables = up
    client = boto3.client(
        "sagemaker",
        endpoint_url=variables["AWS_ENDPOINT_URL"],
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        region_name=variables["AWS_DEFAULT_REGION"],
    )
    assert client.list_pipelines()["PipelineSummaries"] == []
    code, printed, _ = command("status", "--state", state)
    told = json.loads(printed)
    assert code == 0 and told["runtime"] == "process" and told["executions"] == 0
    assert command("down", "--state", state)[0] == 0
    assert gone(told["pid"])
    code, _, said = command("status", "--state", state)
    assert (code, said) == (1, f"No localaws runs with the state folder {state}.\n")


def test_a_profile_that_nobody_has_configured_is_no_matter(tmp_path):
    state = tmp_path / "state"
    code, _, said = command("up", "--state", state, "--port", "0", AWS_PROFILE="nobody-configured-it")
    assert (code, said) == (0, "")
    assert command("down", "--state", state)[0] == 0


def test_the_clock_moves_forward_and_stays_there(up):
    state, _ = up
    before = command("clock", "--state", state)[1].strip()
    after = command("clock", "2d", "--state", state)[1].strip()
    assert after[:10] > before[:10]
    assert command("clock", "--state", state)[1][:13] == after[:13]


@pytest.mark.parametrize("given", ["soon", "", "-5d", "nan", "infd", "1e9d", "5 d", "٥w", "0x10s"])
def test_what_is_no_length_of_time_is_one_sentence(up, given):
    code, _, said = command("clock", given, "--state", up[0])
    assert (code, said) == (1, f"{given}: not a length of time such as 90s, 5m, 36h or 2d.\n")


@pytest.mark.parametrize("given", ["3000000d", "9" * 400 + "d", "70000000h", "251600000000s"])
def test_the_clock_stays_where_it_is_when_dates_would_end(up, given):
    state, _ = up
    code, _, said = command("clock", given, "--state", state)
    assert (code, said) == (1, "The clock can't go beyond the year 9998.\n")
    assert command("down", "--state", state)[0] == 0
    code, _, said = command("up", "--state", state, "--port", "0")
    assert code == 0, said


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), -1, "soon", None, [], {}])
def test_a_clock_is_not_moved_by_what_is_no_number(up, seconds):
    state, variables = up
    before = command("clock", "--state", state)[1]
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask(Path(state), variables["AWS_ENDPOINT_URL"], "POST", "clock", {"seconds": seconds})
    assert refused.value.code == 400
    assert command("clock", "--state", state)[1][:13] == before[:13]


def test_a_clock_that_was_kept_beyond_all_dates_is_refused_and_can_be_reset(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    store = Store(state / "localaws.db")
    store.set_setting("clock-offset", str(3000000 * 86400.0))
    store.close()
    (state / "localaws.count").unlink()
    Contents(state, {"localaws.db"}).begin()
    for start in ("up", "serve"):
        code, _, said = command(start, "--state", state, "--port", "0")
        assert code == 1 and said.count("\n") == 1
        assert said.startswith(f"{state}/localaws.db can't be used: it keeps a clock that is 259200000000.0 s ahead; ")
    assert command("check", "--state", state)[0] == 1
    assert command("reset", "--state", state, "--service", "clock")[0] == 0
    assert command("check", "--state", state)[0] == 0


def test_down_takes_what_up_takes(tmp_path):
    state = tmp_path / "state"
    options = ("--state", state, "--port", "0", "--slots", "1", "--no-enforce", "--duplicate-events", "1")
    assert command("up", *options)[0] == 0
    port = json.loads((state / "server.json").read_text())["port"]
    code, _, said = command("down", "--state", state, "--port", port + 1)
    assert (code, said) == (1, f"No localaws runs with the state folder {state} on port {port + 1}.\n")
    assert command("down", *options)[0] == 0


def test_a_schedule_that_is_not_there_is_named(up):
    code, _, said = command("fire", "nothing", "--state", up[0])
    assert code == 1 and "No account has a rule nothing with a schedule." in said


def test_a_port_in_use_is_one_sentence(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        for start in ("up", "serve"):
            code, _, said = command(start, "--state", tmp_path, "--port", port)
            assert code == 1
            assert said == f"Port {port} can't be used: Address already in use. Choose another with --port.\n"


def test_a_state_folder_in_use_is_one_sentence(up):
    code, _, said = command("serve", "--state", up[0], "--port", "0")
    assert code == 1 and said == f"The state folder {up[0]} is in use by another localaws.\n"


def test_a_second_up_says_where_the_first_answers(up):
    state, variables = up
    code, printed, said = command("up", "--state", state, "--port", "0")
    assert (code, printed) == (1, "")
    assert said == (
        f"The state folder {state} is in use by another localaws, which answers on {variables['AWS_ENDPOINT_URL']}; "
        "`down` stops it.\n"
    )


@pytest.mark.parametrize("start", ["up", "serve"])
def test_a_state_folder_that_can_not_be_made_is_one_sentence(tmp_path, start):
    (tmp_path / "file").touch()
    code, _, said = command(start, "--state", tmp_path / "file" / "state", "--port", "0")
    assert (code, said) == (1, f"The state folder {tmp_path}/file/state can't be used: Not a directory.\n")


def test_a_localaws_that_does_not_come_to_answer_is_stopped(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(front, "_START_SECONDS", 0)
    state, started = tmp_path / "state", []
    begin = subprocess.Popen
    monkeypatch.setattr(front.subprocess, "Popen", lambda *a, **more: started.append(begin(*a, **more)) or started[0])
    assert front.main(["up", "--state", str(state), "--port", "0"]) == 1
    said = f"localaws didn't answer within 0 s and was stopped; see {state / 'localaws.log'}\n"
    assert capsys.readouterr().err == said
    assert started[0].wait() != 0


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"LOCALAWS_PORT": "four"}, "LOCALAWS_PORT=four: not a whole number."),
        ({"LOCALAWS_ENFORCE": "maybe"}, "LOCALAWS_ENFORCE=maybe: not true or false."),
        ({"LOCALAWS_RUNTIME": "moon"}, "runtime moon: there are process and docker."),
        ({"LOCALAWS_IMAGES": "/nowhere/map.json"}, "/nowhere/map.json: there is no such image map"),
    ],
)
def test_a_wrong_setting_is_one_sentence(tmp_path, variables, sentence):
    code, _, said = command("serve", "--state", tmp_path, **{"LOCALAWS_PORT": "0"} | variables)
    assert (code, said) == (1, f"{sentence}\n")


def test_help_teaches(tmp_path):
    code, printed, _ = command("--help")
    assert code == 0
    assert all(word in printed for word in ("AWS_ENDPOINT_URL", "up", "down", "status", "logs", "fire", "clock"))


def sleeping(address, state):
    """Start a job that would sleep for an hour; wait until it does, and return its process's id."""
    account = Account(address, "111111111111")
    account.client("sagemaker").create_processing_job(
        ProcessingJobName="sleeps",
        RoleArn=ROLE,
        AppSpecification={"ImageUri": "any"},
        ProcessingResources={"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}},
        Environment={"CODE": "print(os.getpid(), flush=True); import time; time.sleep(3600)"},
    )
    while True:
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if (
                    b"step.py" in (process / "cmdline").read_bytes()
                    and str(state).encode() in (process / "environ").read_bytes()
                ):
                    return int(process.name)
            except OSError:
                continue
        time.sleep(0.05)


@pytest.fixture
def images(tmp_path):
    """An image map whose every image runs the code that it is given."""
    (tmp_path / "step.py").write_text(STEP)
    entry = {"pattern": "*", "directory": ".", "command": [sys.executable, "step.py"]}
    (tmp_path / "images.json").write_text(json.dumps({"images": [entry]}))
    return tmp_path / "images.json"


def gone(pid):
    while Path(f"/proc/{pid}").exists():
        if Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
            return True
        time.sleep(0.02)
    return True


@pytest.mark.skipif(not Path("/proc").exists(), reason="processes are found in /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_jobs_end_with_localaws_however_it_ends(tmp_path, images, number):
    state = tmp_path / "state"
    code, printed, said = command(
        "up", "--state", state, "--port", "0", "--images", images, "--no-enforce", "--slots", "2"
    )
    assert code == 0, said
    address = re.search(r"AWS_ENDPOINT_URL=(\S+)", printed).group(1)
    job = sleeping(address, state)
    os.kill(json.loads((state / "server.json").read_text())["pid"], number)
    assert gone(job)


def test_a_jobs_log_can_be_read(tmp_path, images):
    state = tmp_path / "state"
    state.mkdir()
    with serving(state, "--images", str(images), "--no-enforce") as address:
        arn = speak(address, "111111111111")
        assert REGION in arn
        for chosen in ((), ("--account", "111111111111"), ("--region", REGION)):
            assert logs(state, "speaks", *chosen) == (0, "one\ntwo\n", "")
        nothing = "there is no processing, training or transform job of this name"
        assert logs(state, "spoke") == (1, "", f"spoke: {nothing}.\n")
        elsewhere = logs(state, "speaks", "--account", "222222222222", "--region", REGION)
        assert elsewhere == (1, "", f"speaks: {nothing} in account 222222222222 in region {REGION}.\n")

        speak(address, "222222222222")
        places = ", ".join(f"ProcessingJob in account {account}, {REGION}" for account in ("1" * 12, "2" * 12))
        assert logs(state, "speaks") == (1, "", f"speaks: more than one job has this name: {places}.\n")
        assert logs(state, "speaks", "--account", "222222222222") == (0, "one\ntwo\n", "")


def logs(state, *arguments):
    return command("logs", *arguments, "--state", state)


def speak(address, account):
    """Run a job that says two words to its end; its ARN."""
    sagemaker = Account(address, account).client("sagemaker")
    sagemaker.create_processing_job(
        ProcessingJobName="speaks",
        RoleArn=ROLE.replace("111111111111", account),
        AppSpecification={"ImageUri": "any"},
        ProcessingResources={"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}},
        Environment={"CODE": "print('one'); print('two')"},
    )
    done = ended(lambda: sagemaker.describe_processing_job(ProcessingJobName="speaks"), "ProcessingJobStatus")
    assert done["ProcessingJobStatus"] == "Completed", done
    return done["ProcessingJobArn"]


def test_a_log_that_is_not_there_is_one_sentence(tmp_path):
    assert logs(tmp_path) == (1, "", f"No localaws has run with the state folder {tmp_path}.\n")
