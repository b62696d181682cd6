"""What SageMaker's framework images do around a user's script, for images that stand in for them.

This file is copied into a container and knows nothing but Python's own library. `train` runs the script that the
job's hyperparameters name, with the variables and arguments that SageMaker's training toolkit gives it; `serve`
answers SageMaker's hosting requests with the functions of the model's inference script. Where a job brings no
script, the module that SAGEMAKER_TRAINING_MODULE or SAGEMAKER_SERVING_MODULE names takes its place, as the algorithm
of such an image does.

Sources: ENVIRONMENT_VARIABLES.md of aws/sagemaker-training-toolkit, README.md of aws/sagemaker-inference-toolkit.
"""

import importlib.util
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import toolkit_xgboost as image
from toolkit_rows import CSV, JSON, Unsupported, formatted, parsed

ML = Path(os.environ.get("SAGEMAKER_BASE_DIR") or "/opt/ml")
CODE = ML / "code"
MODEL = ML / "model"
CONFIG = ML / "input" / "config"
PACKAGES = Path(os.environ.get("TMPDIR", "/tmp")) / "localaws-packages"
OWN = "sagemaker_"
"""How the names of hyperparameters begin that are for the toolkit and not for the script."""

DISTRIBUTIONS = ("sagemaker_mpi_enabled", "sagemaker_parameter_server_enabled", "sagemaker_torch_distributed_enabled",
                 "sagemaker_distributed_dataparallel_enabled", "sagemaker_pytorch_ddp_enabled")  # fmt: skip
LAST_LINES = 2.0
"""Seconds for what a script that has ended still had to say."""


LACKING = re.compile(r"ModuleNotFoundError: No module named '([^']+)'.*")


class Failed(Exception):
    """The container can't do what it was started for; the text is for /opt/ml/output/failure."""


def main(arguments):
    """Do what the container was started for; the exit code."""
    if (told := image.difference()) and arguments in (["train"], ["serve"]):
        print(told, flush=True)
    try:
        if arguments == ["train"]:
            return train()
        if arguments == ["serve"]:
            return serve()
        raise Failed(f"argument {' '.join(arguments) or '(none)'}: train or serve is needed.")
    except Failed as error:
        print(error, file=sys.stderr)
        failure = ML / "output" / "failure"
        failure.parent.mkdir(parents=True, exist_ok=True)
        failure.write_text(str(error))
        return 1


def train():
    """Run the training script; the exit code."""
    hyperparameters = {name: decoded(text) for name, text in read("hyperparameters.json").items()}
    program = hyperparameters.get("sagemaker_program") or os.environ.get("SAGEMAKER_PROGRAM")
    if not program:
        module = os.environ.get("SAGEMAKER_TRAINING_MODULE")
        if not module:
            raise Failed("hyperparameter sagemaker_program: missing; this image only runs scripts.")
        code = run([sys.executable, "-m", module, "train"], {}, None)
        if code == 0 and image.version():
            image.leave(MODEL)
        return code
    for name in DISTRIBUTIONS:
        if hyperparameters.get(name) is True:
            raise Failed(f"hyperparameter {name}: this stand-in starts one process on each host, and nothing else.")
    if not (CODE / program).is_file():
        raise Failed(f"hyperparameter sagemaker_program: {program} isn't in the job's source code.")
    own = {name: value for name, value in hyperparameters.items() if not name.startswith(OWN)}
    install_requirements(CODE)
    command = [*starting(program), *as_arguments(own)]
    return run(command, training_environment(hyperparameters, own, program), CODE)


def starting(program):
    """How a script is started, by its suffix."""
    if program.endswith(".sh"):
        (CODE / program).chmod(0o755)
        return ["/bin/sh", "-c", f'./{shlex.quote(program)} "$@"', program]
    return [sys.executable, program]


def run(command, environment, folder):
    """Run a process to its end, hand SIGTERM on, and say in the failure file with which error it ended."""
    process, asked = None, []

    def stop(number, _):
        asked.append(number)
        if process is not None:
            process.send_signal(number)

    signal.signal(signal.SIGTERM, stop)
    variables = {**os.environ, **environment}
    process = subprocess.Popen(command, cwd=folder, env=variables, stderr=subprocess.PIPE)
    if asked:
        process.terminate()
    last = [""]

    def hand_on():
        for line in process.stderr:
            sys.stderr.buffer.write(line)
            sys.stderr.buffer.flush()
            last[0] = line.decode(errors="replace").strip() or last[0]

    reader = threading.Thread(target=hand_on, daemon=True)
    reader.start()
    code = process.wait()
    # What the script leaves running may hold its output open for ever.
    reader.join(LAST_LINES)
    if code < 0:
        code = 128 - code
    failure = ML / "output" / "failure"
    if code and not failure.exists():
        shown = " ".join(shlex.quote(part) for part in command)
        failure.parent.mkdir(parents=True, exist_ok=True)
        lacking = LACKING.fullmatch(last[0])
        told = f"The stand-in for this image lacks module {lacking[1]}.\n" if lacking else ""
        failure.write_text(
            f'{told}ExecuteUserScriptError:\nExitCode {code}\nErrorMessage "{last[0]}"\nCommand "{shown}"'
        )
    return code


def install_requirements(folder):
    """Make a script's requirements.txt true for it, beside the image's own packages, if it isn't already."""
    file = folder / "requirements.txt"
    if not file.is_file():
        return
    missing = [line for line in requirements(file.read_text()) if not installed(line)]
    if not missing:
        return
    if importlib.util.find_spec("pip") is None:
        raise Failed(
            f"requirements.txt: {missing[0]} isn't installed in the environment that stands in for this image, "
            "and neither is pip."
        )
    command = [sys.executable, "-m", "pip", "install", "--target", str(PACKAGES), "-r", str(file)]
    if subprocess.run(command, check=False).returncode:
        raise Failed("InstallRequirementsError: requirements.txt: pip could not install it.")
    sys.path.insert(0, str(PACKAGES))


def requirements(text):
    """The lines of a requirements file that ask for something."""
    lines = (line.split(" #")[0].strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def installed(requirement):
    """Whether a requirement without or with an exact version is met; any other condition is pip's to judge."""
    from importlib.metadata import PackageNotFoundError, version

    match = re.fullmatch(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:==\s*([A-Za-z0-9.+!]+))?", requirement)
    if not match:
        return False
    try:
        found = version(match.group(1))
    except PackageNotFoundError:
        return False
    return match.group(2) in (None, found)


def training_environment(hyperparameters, own, program):
    """The SM_ variables of a script."""
    resources, channels = read("resourceconfig.json"), read("inputdataconfig.json")
    groups = resources.get("instance_groups", [])
    current = resources.get("current_group_name", "homogeneousCluster")
    folders = {name: str(ML / "input" / "data" / name) for name in channels}
    values = {
        "hosts": resources["hosts"],
        "current_host": resources["current_host"],
        "current_instance_type": resources.get("current_instance_type", "local"),
        "current_instance_group": current,
        "current_instance_group_hosts": next(
            (group["hosts"] for group in groups if group["instance_group_name"] == current), resources["hosts"]
        ),
        "instance_groups": [group["instance_group_name"] for group in groups],
        "instance_groups_dict": {group["instance_group_name"]: group for group in groups},
        "is_hetero": len(groups) > 1,
        "network_interface_name": resources.get("network_interface_name", "eth0"),
        "resource_config": resources,
        "input_data_config": channels,
        "channels": sorted(channels),
        "hps": own,
        "user_args": as_arguments(own),
        "user_entry_point": program,
        "module_name": program[:-3] if program.endswith(".py") else program,
        "module_dir": str(hyperparameters.get("sagemaker_submit_directory") or CODE),
        "framework_params": {
            name: value for name, value in hyperparameters.items() if name.startswith(OWN) and name not in KNOWN
        },
        "log_level": hyperparameters.get("sagemaker_container_log_level", 20),
        "job_name": os.environ.get("TRAINING_JOB_NAME", ""),
        "model_dir": str(MODEL),
        "input_dir": str(ML / "input"),
        "input_config_dir": str(CONFIG),
        "output_dir": str(ML / "output"),
        "output_data_dir": str(ML / "output" / "data"),
        "output_intermediate_dir": str(ML / "output" / "intermediate"),
        "num_cpus": os.cpu_count() or 1,
        "num_gpus": 0,
        "num_neurons": 0,
    }
    values["training_env"] = {**values, "channel_input_dirs": folders, "hyperparameters": own}
    values.update({f"channel_{name}": folder for name, folder in folders.items()})
    values.update({f"hp_{name}": value for name, value in own.items()})
    own = str(Path(__file__).parent) if image.version() else None
    path = os.pathsep.join(filter(None, [str(CODE), str(PACKAGES), os.environ.get("PYTHONPATH"), own]))
    return {**{f"SM_{name.upper()}": as_text(value) for name, value in values.items()}, "PYTHONPATH": path}


KNOWN = ("sagemaker_program", "sagemaker_submit_directory", "sagemaker_container_log_level", "sagemaker_job_name",
         "sagemaker_region", "sagemaker_s3_output", "sagemaker_enable_cloudwatch_metrics")  # fmt: skip


def as_text(value):
    """A variable's text: strings as they are, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"))


def as_arguments(hyperparameters):
    """A script's arguments: --name value, -n value for a name of one letter."""
    arguments = []
    for name in sorted(hyperparameters):
        value = hyperparameters[name]
        if isinstance(value, dict):
            value = ",".join(f"{key}={item}" for key, item in sorted(value.items()))
        arguments += [f"--{name}" if len(name) > 1 else f"-{name}", "" if value is None else str(value)]
    return arguments


def decoded(text):
    """A hyperparameter's value: the SDK writes JSON, other clients plain text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def read(name):
    """A file of the job's configuration; empty where there is none."""
    file = CONFIG / name
    return json.loads(file.read_text()) if file.exists() else {}


def serve():
    """Answer hosting requests until SIGTERM; the exit code."""
    program = os.environ.get("SAGEMAKER_PROGRAM")
    module = os.environ.get("SAGEMAKER_SERVING_MODULE")
    if not program and module:
        return run([sys.executable, "-m", module, "serve"], {}, None)
    model = Model(user_module(program) if program else None)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    # Only the process runtime moves the port, and its containers are reached from this machine alone.
    port = os.environ.get("SAGEMAKER_BIND_TO_PORT")
    server = ThreadingHTTPServer(("127.0.0.1" if port else "0.0.0.0", int(port or 8080)), handler(model))
    server.daemon_threads = True
    server.serve_forever()
    return 0


def user_module(program):
    """The model's inference script, imported."""
    for folder in (CODE, MODEL / "code", MODEL):
        if (folder / program).is_file():
            break
    else:
        raise Failed(f"SAGEMAKER_PROGRAM: {program} is neither in the model's archive nor in its source code.")
    install_requirements(folder)
    sys.path.insert(0, str(folder))
    spec = importlib.util.spec_from_file_location(Path(program).stem, folder / program)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except ModuleNotFoundError as error:
        traceback.print_exc()
        raise Failed(f"{program}: the stand-in for this image lacks module {error.name}.") from None
    except Exception as error:
        traceback.print_exc()
        raise Failed(f"{program}: {type(error).__name__} while it was imported.") from None
    return module


class Model:
    """A model with the functions of its inference script, and the toolkit's own where the script has none."""

    def __init__(self, module):
        self.functions = module
        if not hasattr(module, "model_fn"):
            self.model = self.default_model()
            return
        try:
            self.model = module.model_fn(str(MODEL))
        except Exception as error:
            traceback.print_exc()
            raise Failed(f"model_fn: {type(error).__name__}.") from None

    def default_model(self):
        """XGBoost's model, which its image can serve without a script."""
        file = MODEL / "xgboost-model"
        if not file.is_file():
            raise Failed("The model's inference script has no model_fn, and its archive no file xgboost-model.")
        try:
            return image.booster(file)
        except ImportError:
            raise
        except Exception:
            # What a damaged pickle raises may be anything.
            raise Failed("model archive: xgboost-model is truncated or not a model.") from None

    def answer(self, body, content_type, accept):
        """The answer to a request and its content type."""
        script = self.functions
        if hasattr(script, "transform_fn"):
            return pair(script.transform_fn(self.model, body, content_type, accept), accept)
        data = script.input_fn(body, content_type) if hasattr(script, "input_fn") else parsed(body, content_type)
        predict = getattr(script, "predict_fn", self.predict)
        prediction = predict(data, self.model)
        if hasattr(script, "output_fn"):
            return pair(script.output_fn(prediction, accept), accept)
        return formatted(prediction, accept), accept

    @staticmethod
    def predict(data, model):
        """The model's own prediction."""
        if hasattr(data, "num_row"):
            # XGBoost's own matrix, whose columns have no names.
            return model.predict(data, validate_features=False)
        if hasattr(model, "inplace_predict"):
            return model.inplace_predict(data, validate_features=False)
        return model.predict(data)


def pair(answer, accept):
    """A script's answer with its content type: it may give both, or the answer alone."""
    return answer if isinstance(answer, tuple) else (answer, accept)


def handler(model):
    """The HTTP handler of a model."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.reply(200 if self.path == "/ping" else 404, b"")

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            content_type = (self.headers.get("Content-Type") or CSV).split(";")[0].strip()
            accept = (self.headers.get("Accept") or "*/*").split(",")[0].split(";")[0].strip()
            accept = (CSV if content_type == CSV else JSON) if accept == "*/*" else accept
            try:
                answer, kind = model.answer(body, content_type, accept)
            except Unsupported as error:
                self.reply(error.status, f"{error}\n".encode())
            except Exception as error:
                # The error's text may hold a row's values: it belongs in the log of whoever may see the data.
                traceback.print_exc()
                self.reply(500, f"{type(error).__name__} in the inference script.\n".encode())
            else:
                self.reply(200, answer.encode() if isinstance(answer, str) else bytes(answer), kind)

        def reply(self, status, body, kind="text/plain"):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    return Handler


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
