"""What stands in for SageMaker's XGBoost image does what that image does, by its tag."""

import json
import shutil
import urllib.error
import urllib.request
from importlib import metadata
from pathlib import Path

import pytest

from localaws.contract import Image, ImageMap
from localaws.runtimes import Container, ProcessRuntime, namespaces, toolkit_xgboost
from localaws.runtimes.toolkit_xgboost import version

ROOT = Path(__file__).parent.parent
PYTHON = ROOT / ".venvs/train/bin/python"
IMAGE = Image("*", ROOT, (str(PYTHON),), script_mode=True, environment={"SAGEMAKER_TRAINING_MODULE": "steps.train"})
URI = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:{}"
TABLE = "\n".join(f"{number % 2},{number % 7},{number % 11}" for number in range(200))


class Job:
    """A container of one image with its files and what it printed."""

    def __init__(self, folder, tag):
        self.root, self.image, self.log, self.handle = folder / "algo-1", URI.format(tag), [], None

    def start(self, *arguments, **more):
        container = Container(
            "1" * 12, "job", "algo-1", ("algo-1",), self.image, self.root, "ml.m5.large", self.log.append,
            arguments=arguments, **more,
        )  # fmt: skip
        self.handle = ProcessRuntime(ImageMap((IMAGE,))).start(container)
        return self.handle

    def write(self, files):
        for name, content in files.items():
            file = self.root / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content if isinstance(content, str) else json.dumps(content))

    def serve(self, **more):
        self.start("serve", serving=True, **more)
        while self.handle.wait(0.02) is None:
            try:
                urllib.request.urlopen(f"http://{self.handle.address}/ping").close()
                return
            except OSError:
                continue

    def ask(self, body, content_type="text/csv"):
        headers = {"Content-Type": content_type, "Accept": "text/csv"}
        request = urllib.request.Request(f"http://{self.handle.address}/invocations", body, headers)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Gives a model that an image of a tag has trained."""
    jobs = {}

    def train(tag):
        if tag not in jobs:
            job = jobs[tag] = Job(tmp_path_factory.mktemp("trained"), tag)
            job.write({
                "input/config/hyperparameters.json": {"objective": "binary:logistic", "num_round": "5"},
                "input/config/inputdataconfig.json": {"train": {"ContentType": "text/csv"}},
                "input/config/resourceconfig.json": {"current_host": "algo-1", "hosts": ["algo-1"]},
                "input/data/train/a.csv": TABLE,
                "model/.keep": "",
            })  # fmt: skip
            assert job.start("train").wait() == 0, job.log
        return jobs[tag].root / "model"

    return train


@pytest.fixture
def served(trained, tmp_path):
    """Serves a model of an image's tag."""
    started = []

    def serve(tag):
        job = Job(tmp_path, tag)
        job.root.mkdir()
        (job.root / "model").symlink_to(trained(tag))
        job.serve()
        started.append(job)
        return job

    yield serve
    for job in started:
        job.handle.remove()


@pytest.mark.parametrize(("tag", "pickled"), [("1.0-1", True), ("1.2-2", True), ("1.3-1", False), ("1.7-1", False)])
def test_a_model_is_the_one_file_of_the_tags_format(trained, served, tag, pickled):
    folder = trained(tag)
    assert [file.name for file in folder.iterdir()] == ["xgboost-model"]
    assert ((folder / "xgboost-model").read_bytes()[:1] == b"\x80") is pickled
    status, answer = served(tag).ask(b"1,2\n3,4\n")
    assert status == 200 and len(answer.split()) == 2


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("a,b\n1,2\n3,4\n", "line 1 isn't numbers"),
        ("1,2\n\n3,4\n", "line 2 has 1 columns, and the first has 2"),
        ("1,2\n5#x,3\n", "line 2 isn't numbers"),
        ("1,2\n# a comment\n", "line 2 has 1 columns, and the first has 2"),
        ("1,2\n3,four\n", "line 2 isn't numbers"),
        (b"1,2\n\xff,4\n", "it isn't text in UTF-8"),
        ("1,2\n3,4,5\n", "line 2 has 3 columns, and the first has 2"),
        ('1,2\n"3",4\n', "line 2 isn't numbers"),
    ],
)
def test_what_isnt_a_table_of_numbers_is_refused_as_the_image_refuses_it(served, body, sentence):
    answer = f"Loading csv data failed, please ensure data is in csv format: {sentence}.\n"
    assert served("1.7-1").ask(body if isinstance(body, bytes) else body.encode()) == (415, answer)


@pytest.mark.parametrize(
    "body", ["1,\n,4\n", "\n1,2\n3,4\n\n", "1,2\r\n3,4\r\n", "1;2\n3;4\n", " 1 , 2\n3,nan\n", "1\t2\n3\t4"]
)
def test_what_the_image_reads_is_read(served, body):
    status, answer = served("1.7-1").ask(body.encode())
    assert status == 200 and len(answer.split()) == 2


def test_versions_are_read_from_an_xgboost_images_tag_alone():
    assert version(URI.format("1.7-1")) == (1, 7)
    assert version(URI.format("1.0-1-cpu-py3")) == (1, 0)
    for other in (
        "1.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1",
        "mine/train@sha256:1",
        URI.format("latest"),
    ):
        assert version(other) is None


def test_a_version_that_isnt_the_tags_is_said_once(served):
    job = served("1.7-1")
    said = [line for line in job.log if "its stand-in" in line]
    assert len(said) == 1 and said[0].startswith("localaws: the image has xgboost 1.7, and its stand-in 3.")
    here = metadata.version("pytest")
    major, minor = here.split(".")[:2]
    names = {"xgboost": ("no-such-package", "pytest")}
    for tag, wanted in (
        (f"{major}.{minor}-1", None),
        ("0.1-1", f"localaws: the image has xgboost 0.1, and its stand-in {here}."),
    ):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(toolkit_xgboost, "DISTRIBUTIONS", names)
            assert toolkit_xgboost.difference(URI.format(tag)) == wanted


def test_a_script_reads_payloads_with_the_images_own_functions(trained, tmp_path):
    if not namespaces.own_root():
        pytest.skip("this system lets nobody make a mount namespace, so there is no private /opt/ml")
    job = Job(tmp_path, "1.7-1")
    shutil.copytree(trained("1.7-1"), job.root / "model")
    job.write({"model/code/inference.py": SCRIPT})
    job.serve(environment={"SAGEMAKER_PROGRAM": "inference.py"})
    try:
        assert job.ask(b"1,2\n3,4\n") == (200, "2 2")
        assert job.ask(b"0 1:5 2:1\n", "text/libsvm") == (200, "1 3")
        assert job.ask(b"a,b\n1,2\n")[0] == 500
    finally:
        job.handle.remove()


SCRIPT = """
import os, xgboost
from sagemaker_xgboost_container import encoder

def model_fn(folder):
    return xgboost.Booster(model_file=os.path.join(folder, "xgboost-model"))

def input_fn(body, content_type):
    return encoder.decode(body, content_type)

def predict_fn(data, model):
    return f"{data.num_row()} {data.num_col()}"

def output_fn(prediction, accept):
    return prediction
"""


def test_a_module_that_the_stand_in_lacks_is_named(tmp_path):
    if not namespaces.own_root():
        pytest.skip("this system lets nobody make a mount namespace, so there is no private /opt/ml")
    job = Job(tmp_path, "1.7-1")
    script = {"sagemaker_program": '"train.py"'}
    config = {"current_host": "algo-1", "hosts": ["algo-1"]}
    job.write({"code/train.py": "import no_such_module\n", "input/config/hyperparameters.json": script, "model/a": ""})
    job.write({"input/config/resourceconfig.json": config})
    assert job.start("train").wait() == 1
    lacking = "The stand-in for this image lacks module no_such_module."
    assert (job.root / "output/failure").read_text().startswith(f"{lacking}\nExecuteUserScriptError:")
    assert f"localaws: the stand-in for {job.image} lacks module no_such_module." in job.log
