"""Foreign scripts: a real /opt/ml of their own, and what SageMaker's toolkits do around them."""

import json
import os
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import pytest

from localaws.runtimes import CannotRun, namespaces
from localaws.runtimes.conftest import alive

pytestmark = pytest.mark.usefixtures("only_where_ml_can_be_private", "processes")
SCRIPT_MODE = {"command": (sys.executable,), "script_mode": True}


def write(root, files):
    for name, content in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content if isinstance(content, str) else json.dumps(content))


@pytest.fixture
def train(run):
    """Trains with a script in script mode; the exit code."""

    def start(script, hyperparameters=(), files=(), **more):
        hyperparameters = {"sagemaker_program": '"train.py"', **dict(hyperparameters)}
        group = {"instance_group_name": "homogeneousCluster", "instance_type": "ml.m5.large", "hosts": ["algo-1"]}
        write(
            run.root,
            {
                "code/train.py": textwrap.dedent(script),
                "input/config/hyperparameters.json": hyperparameters,
                "input/config/inputdataconfig.json": {"train": {"TrainingInputMode": "File"}},
                "input/config/resourceconfig.json": {
                    "current_host": "algo-1",
                    "hosts": ["algo-1"],
                    "current_instance_type": "ml.m5.large",
                    "current_group_name": "homogeneousCluster",
                    "instance_groups": [group],
                    "network_interface_name": "eth0",
                },
                "input/data/train/a.csv": "1,2",
                "model/.keep": "",
                **dict(files),
            },
        )
        return run.start(settings=SCRIPT_MODE, arguments=("train",), **more)

    return start


def failure(run):
    return (run.root / "output/failure").read_text()


def test_a_processing_script_finds_the_real_opt_ml(run):
    write(run.root, {"processing/input/code/run.py": "print(open('/opt/ml/processing/input/data/a').read())"})
    write(run.root, {"processing/input/data/a": "hello"})
    run.start(settings=SCRIPT_MODE, entrypoint=("python3", "/opt/ml/processing/input/code/run.py"))
    assert run.handles[-1].wait() == 0
    assert run.lines == ["hello"]


def test_each_container_has_an_opt_ml_of_its_own_and_the_rest_of_opt(run, tmp_path):
    opt = Path("/opt")
    before = {entry.name for entry in opt.iterdir()}
    program = (
        "import os; os.makedirs('/opt/ml/model', exist_ok=True); open('/opt/ml/model/a', 'w').write('1'); "
        "print(sorted(os.listdir('/opt')))"
    )
    other = tmp_path / "algo-2"
    other.mkdir()
    for root in (run.root, other):
        handle = run.start(settings=SCRIPT_MODE, root=root, entrypoint=("python3", "-c", program))
        assert handle.wait() == 0
        assert (root / "model/a").read_text() == "1"
    assert run.lines == [str(sorted(before | {"ml"}))] * 2
    assert {entry.name for entry in opt.iterdir()} == before and not (opt / "ml/model/a").exists()


def test_hosts_know_each_other_by_name(run):
    program = "import socket; print(socket.gethostbyname('algo-1'), socket.gethostbyname('algo-2'))"
    hosts = ("algo-1", "algo-2")
    run.start(settings=SCRIPT_MODE, hosts=hosts, entrypoint=("python3", "-c", program)).wait()
    assert run.lines == ["127.0.0.1 127.0.0.2"]


def test_where_no_namespace_can_be_made_the_image_is_refused(run, monkeypatch):
    monkeypatch.setattr(namespaces, "own_root", lambda: False)
    with pytest.raises(CannotRun, match="runs a script that needs a real /opt/ml"):
        run.start(settings=SCRIPT_MODE, entrypoint=("python3", "-c", ""))


TELL = """
import json, os, sys
json.dump({"arguments": sys.argv[1:], "environment": dict(os.environ), "folder": os.getcwd()},
          open(os.path.join(os.environ["SM_MODEL_DIR"], "told"), "w"))
"""


def test_a_training_script_has_its_arguments_and_variables(run, train):
    hyperparameters = {
        "sagemaker_submit_directory": '"s3://bucket/sourcedir.tar.gz"',
        "sagemaker_container_log_level": "20",
        "sagemaker_estimator_class_name": '"SKLearn"',
        "max_depth": "3",
        "rate": "0.1",
        "name": '"a name"',
        "plain": "plain text",
        "flag": "true",
        "n": "1",
        "nested": '{"a": 1}',
    }
    assert train(TELL, hyperparameters).wait() == 0, run.lines
    told = json.loads((run.root / "model/told").read_text())
    assert told["arguments"] == [
        *("--flag", "True", "--max_depth", "3", "-n", "1", "--name", "a name", "--nested", "a=1"),
        *("--plain", "plain text", "--rate", "0.1"),
    ]
    assert told["folder"] == "/opt/ml/code"
    expected = {
        "SM_MODEL_DIR": "/opt/ml/model",
        "SM_OUTPUT_DATA_DIR": "/opt/ml/output/data",
        "SM_OUTPUT_DIR": "/opt/ml/output",
        "SM_INPUT_DIR": "/opt/ml/input",
        "SM_INPUT_CONFIG_DIR": "/opt/ml/input/config",
        "SM_CHANNELS": '["train"]',
        "SM_CHANNEL_TRAIN": "/opt/ml/input/data/train",
        "SM_HOSTS": '["algo-1"]',
        "SM_CURRENT_HOST": "algo-1",
        "SM_NUM_GPUS": "0",
        "SM_NUM_CPUS": str(os.cpu_count()),
        "SM_USER_ENTRY_POINT": "train.py",
        "SM_MODULE_NAME": "train",
        "SM_MODULE_DIR": "s3://bucket/sourcedir.tar.gz",
        "SM_LOG_LEVEL": "20",
        "SM_HP_MAX_DEPTH": "3",
        "SM_HP_NAME": "a name",
        "SM_HP_FLAG": "true",
        "SM_FRAMEWORK_PARAMS": '{"sagemaker_estimator_class_name":"SKLearn"}',
        "SM_NETWORK_INTERFACE_NAME": "eth0",
    }
    assert {name: told["environment"].get(name) for name in expected} == expected
    assert json.loads(told["environment"]["SM_HPS"]) == {
        **{"max_depth": 3, "rate": 0.1, "name": "a name", "plain": "plain text", "flag": True, "n": 1},
        "nested": {"a": 1},
    }
    assert json.loads(told["environment"]["SM_USER_ARGS"]) == told["arguments"]
    assert json.loads(told["environment"]["SM_TRAINING_ENV"])["channel_input_dirs"] == {
        "train": "/opt/ml/input/data/train"
    }


def test_a_shell_script_is_run_too(run, train):
    files = {"code/run.sh": 'echo "$@" > "$SM_MODEL_DIR/told"'}
    handle = train("", {"sagemaker_program": "run.sh", "epochs": "2"}, files)
    assert handle.wait() == 0
    assert (run.root / "model/told").read_text() == "--epochs 2\n"


def test_a_script_that_fails_says_how(run, train):
    handle = train("import sys; print('first'); sys.exit('channel train: no file.')", {"depth": "3"})
    assert handle.wait() == 1
    assert failure(run) == (
        'ExecuteUserScriptError:\nExitCode 1\nErrorMessage "channel train: no file."\n'
        f'Command "{sys.executable} train.py --depth 3"'
    )


def test_a_scripts_own_failure_file_is_kept(run, train):
    handle = train(
        "import sys; open('/opt/ml/output/failure', 'w').write('my own'); sys.exit(3)", files={"output/x": ""}
    )
    assert handle.wait() == 3
    assert failure(run) == "my own"


def test_a_script_is_told_to_stop(run, train):
    handle = train("""
        import signal, sys, time
        signal.signal(signal.SIGTERM, lambda *_: (open("/opt/ml/model/so-far", "w").write("so far"), sys.exit(0)))
        print("ready", flush=True)
        while True:
            time.sleep(0.05)
    """)
    while "ready" not in run.lines:
        time.sleep(0.02)
    handle.stop(grace=60)
    assert handle.wait() == 0
    assert (run.root / "model/so-far").read_text() == "so far"


def test_what_a_script_leaves_running_holds_up_nothing(run, train, mark):
    handle = train(f"""
        import subprocess, sys
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(10000)  # {mark}"], start_new_session=True)
        sys.exit("the script ends")
    """)
    assert handle.wait(60) == 1
    assert 'ErrorMessage "the script ends"' in failure(run)
    assert not alive(mark)


@pytest.mark.parametrize(
    ("hyperparameters", "sentence"),
    [
        ({"sagemaker_program": "other.py"}, "hyperparameter sagemaker_program: other.py isn't in the job's source"),
        ({"sagemaker_program": '""'}, "hyperparameter sagemaker_program: missing; this image only runs scripts."),
        ({"sagemaker_mpi_enabled": "true"}, "hyperparameter sagemaker_mpi_enabled: this stand-in starts one process"),
    ],
)
def test_what_the_stand_in_cant_do_is_said(run, train, hyperparameters, sentence):
    assert train("", hyperparameters).wait() == 1
    assert failure(run).startswith(sentence)


def test_requirements_that_are_met_need_nothing(run, train):
    files = {"code/requirements.txt": "# tools\npytest  # of any version\n\n"}
    assert train("", files=files).wait() == 0


RUN = """\
#!/bin/bash
cd /opt/ml/processing/input/code/
set -e
if [[ -f 'requirements.txt' ]]; then
    pip uninstall --yes typing
    pip install -r requirements.txt
fi
python run.py "$@"
"""
"""What the SDK's FrameworkProcessor mounts into a container as runproc.sh, by its meaning."""


def wheel(file, version):
    """Write a wheel of the module `thing`."""
    info = f"thing-{version}.dist-info"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("thing.py", f"version = {version!r}\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: thing\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")


def test_what_a_processing_script_requires_is_installed_for_its_job_alone(run, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "env")], check=True)
    settings = {"command": (str(tmp_path / "env/bin/python"),), "script_mode": True}
    handles = []
    for version in ("1.0", "2.0"):
        root = tmp_path / version / "algo-1"
        name = f"thing-{version}-py3-none-any.whl"
        code = "processing/input/code"
        write(root, {"processing/input/entrypoint/runproc.sh": RUN, f"{code}/requirements.txt": f"./{name}\n"})
        write(root, {f"{code}/run.py": "import sys, thing; print('has', thing.version, *sys.argv[1:])"})
        wheel(root / code / name, version)
        entry = ("/bin/bash", "/opt/ml/processing/input/entrypoint/runproc.sh")
        handles.append(run.start(settings=settings, root=root, entrypoint=entry, arguments=("--x", version)))
    assert [handle.wait() for handle in handles] == [0, 0], run.lines
    assert {line for line in run.lines if line.startswith("has")} == {"has 1.0 --x 1.0", "has 2.0 --x 2.0"}
    run.start("import thing", settings={"command": (str(tmp_path / "env/bin/python"), "-c", "import thing")})
    assert run.handles[-1].wait() == 1


def test_requirements_that_cant_be_met_are_named(run, train):
    script = "raise SystemExit('not to be reached')"
    handle = train(script, files={"code/requirements.txt": "no-such-package-anywhere==1.0\n"})
    assert handle.wait() == 1
    assert "requirements.txt" in failure(run)


def test_without_a_script_the_images_algorithm_runs_where_no_namespace_is_needed(run, monkeypatch):
    monkeypatch.setattr(namespaces, "own_root", lambda: False)
    write(run.folder, {"algorithm.py": "import sys; print('algorithm', *sys.argv[1:])"})
    settings = {**SCRIPT_MODE, "environment": {"SAGEMAKER_TRAINING_MODULE": "algorithm"}}
    assert run.start(settings=settings, arguments=("train",)).wait() == 0
    assert run.lines == ["algorithm train"]


@pytest.fixture
def serve(run):
    """Serves a model's inference script; what a request to it is answered."""

    def start(script, files=(), environment=(), settings=SCRIPT_MODE):
        if script is not None:
            environment = {"SAGEMAKER_PROGRAM": "inference.py", **dict(environment)}
            write(run.root, {"model/code/inference.py": textwrap.dedent(script)})
        write(run.root, dict(files))
        handle = run.start(settings=settings, arguments=("serve",), environment=dict(environment), serving=True)
        while handle.wait(0.02) is None:
            try:
                urllib.request.urlopen(f"http://{handle.address}/ping").read()
                break
            except OSError:
                pass

        def ask(body, content_type="text/csv", accept="text/csv"):
            headers = {"Content-Type": content_type, "Accept": accept}
            request = urllib.request.Request(f"http://{handle.address}/invocations", body, headers)
            try:
                with urllib.request.urlopen(request) as response:
                    return response.status, response.headers["Content-Type"], response.read()
            except urllib.error.HTTPError as error:
                with error:
                    return error.code, error.headers["Content-Type"], error.read()

        ask.handle = handle
        return ask

    return start


def test_a_models_functions_answer_requests(serve):
    ask = serve(
        """
        def model_fn(folder):
            return open(folder + "/weights").read()
        def input_fn(body, content_type):
            return body.decode() + "|" + content_type
        def predict_fn(data, model):
            return data + "|" + model
        def output_fn(prediction, accept):
            return prediction + "|" + accept, "text/mine"
        """,
        {"model/weights": "w"},
    )
    assert ask(b"1") == (200, "text/mine", b"1|text/csv|w|text/csv")


def test_transform_fn_takes_the_place_of_the_three(serve):
    ask = serve("""
        def model_fn(folder):
            return folder
        def transform_fn(model, body, content_type, accept):
            return " ".join([model, body.decode(), content_type, accept])
    """)
    assert ask(b"1", accept="application/json") == (
        200,
        "application/json",
        b"/opt/ml/model 1 text/csv application/json",
    )


def test_what_a_script_doesnt_do_the_toolkit_does(serve):
    ask = serve("""
        class Model:
            def predict(self, rows):
                return [[row, 2 * row] for row in rows]
        def model_fn(folder):
            return Model()
        def input_fn(body, content_type):
            if content_type == "text/own":
                return [int(row) for row in body.split()]
            raise KeyError(content_type)
    """)
    assert ask(b"1 2", "text/own", "text/csv") == (200, "text/csv", b"1,2\n2,4\n")
    assert ask(b"1 2", "text/own", "application/json") == (200, "application/json", b"[[1, 2], [2, 4]]")
    assert ask(b"1 2", "text/own", "*/*") == (200, "application/json", b"[[1, 2], [2, 4]]")
    assert ask(b"1 2", "text/own", "application/jsonlines")[2] == b"[1, 2]\n[2, 4]\n"
    status, _, said = ask(b"1 2", "text/own", "image/png")
    assert (status, said) == (406, b"Accept image/png: the script has no output_fn for it.\n")


def test_a_content_type_that_nothing_reads_is_refused(serve):
    ask = serve("def model_fn(folder):\n    return None\n")
    status, _, said = ask(b"x", "image/png")
    assert (status, said) == (415, b"Content-Type image/png: the script has no input_fn for it.\n")


def test_an_error_of_the_script_is_told_without_its_text(serve, run):
    ask = serve("""
        def model_fn(folder):
            return None
        def input_fn(body, content_type):
            raise ValueError("secret value 42")
    """)
    assert ask(b"1") == (500, "text/plain", b"ValueError in the inference script.\n")


def test_a_model_that_cant_be_loaded_ends_the_container(serve, run):
    serve("def model_fn(folder):\n    raise OSError('none')\n")
    assert run.handles[0].wait() == 1
    assert failure(run) == "model_fn: OSError."


def test_a_script_that_isnt_there_is_named(run, serve):
    serve(None, {"model/code/other.py": ""}, {"SAGEMAKER_PROGRAM": "inference.py"})
    assert run.handles[0].wait() == 1
    assert failure(run) == ("SAGEMAKER_PROGRAM: inference.py is neither in the model's archive nor in its source code.")


def test_without_a_script_there_must_be_a_model_that_can_be_served(run, serve):
    serve(None)
    assert run.handles[0].wait() == 1
    assert failure(run) == ("The model's inference script has no model_fn, and its archive no file xgboost-model.")


def test_an_argument_that_isnt_known_is_named(run):
    write(run.root, {"code/x": ""})
    assert run.start(settings=SCRIPT_MODE, arguments=("work",)).wait() == 1
    assert failure(run) == "argument work: train or serve is needed."
