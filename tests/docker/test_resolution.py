"""Which image runs for a URI: the account's registry decides, and the image map where no registry does."""

import json
import re
import shutil

import pytest

from images.fixtures import unavailable
from images.registries import Registry
from localaws.contract import Image, ImageMap
from localaws.runtimes import CannotRun
from localaws.runtimes.docker import DockerRuntime

HOST = "111111111111.dkr.ecr.us-east-1.amazonaws.com"


@pytest.fixture
def pushed(docker, builder, tmp_path):
    """The digest of an image in dev's registry, whose address the file `registries.json` has."""
    if not shutil.which("docker-registry"):
        unavailable("No registry program is installed; .ci/docker up installs Debian's docker-registry")
    registry = Registry(tmp_path / "dev")
    address = registry.start()
    (tmp_path / "registries.json").write_text(json.dumps({HOST: address}))
    docker.run("tag", builder.base_image, f"{address}/team/step:1.0")
    answer = docker.run("push", f"{address}/team/step:1.0")
    docker.run("rmi", "--no-prune", f"{address}/team/step:1.0")
    yield re.search("sha256:[0-9a-f]{64}", answer)[0]
    for image in docker.run("image", "ls", "--digests", "--format", "{{.Digest}}", f"{address}/team/step").split():
        docker.run("rmi", "--force", f"{address}/team/step@{image}")
    registry.stop()


@pytest.fixture
def runtime(docker, builder, tmp_path):
    images = ImageMap(
        (
            Image("*/mapped:1", tmp_path, image=builder.base_image),
            Image("*/for-processes-only:1", tmp_path, command=("python3",)),
            Image("*/not-there:1", tmp_path, image="127.0.0.1:1/not-there:1"),
        )
    )
    return DockerRuntime(images, tmp_path / "registries.json", tmp_path / "state")


def test_an_image_is_pulled_by_digest_from_its_accounts_registry(jobs, pushed):
    assert jobs.run("print('ran')", image=f"{HOST}/team/step@{pushed}") == 0
    assert jobs.printed() == ["ran"]


def test_a_tag_is_reported_with_the_digest_that_it_stands_for(jobs, pushed):
    assert jobs.run("print('ran')", image=f"{HOST}/team/step:1.0") == 0
    assert f"localaws: {HOST}/team/step:1.0 is {pushed} now." in jobs.log


@pytest.mark.parametrize("rest", ["team/step@sha256:" + "0" * 64, "team/other:1.0", "team/step:2.0"])
def test_what_is_not_in_the_accounts_registry_does_not_run(jobs, pushed, rest):
    with pytest.raises(CannotRun, match=f"^The image {HOST}/{rest} isn't in its account's registry on this machine"):
        jobs.start("", image=f"{HOST}/{rest}")


def test_another_accounts_registry_does_not_count(jobs, pushed):
    uri = f"{HOST.replace('1' * 12, '3' * 12)}/team/step@{pushed}"
    with pytest.raises(CannotRun, match="isn't mapped to anything on this machine"):
        jobs.start("", image=uri)


def test_a_registry_that_does_not_answer_is_named(jobs, runtime, tmp_path):
    (tmp_path / "registries.json").write_text(json.dumps({HOST: "127.0.0.1:1"}))
    with pytest.raises(CannotRun, match=r"can't be pulled from 127\.0\.0\.1:1"):
        jobs.start("", image=f"{HOST}/team/step:1.0")


def test_a_file_of_registries_that_is_not_json_is_named(jobs, runtime, tmp_path):
    (tmp_path / "registries.json").write_text("{")
    with pytest.raises(CannotRun, match=r"registries.json isn't a JSON object of registries"):
        jobs.start("", image=f"{HOST}/team/step:1.0")


def test_elsewhere_the_image_map_decides(jobs):
    assert jobs.run("print('ran')", image="683313688378.dkr.ecr.us-east-1.amazonaws.com/mapped:1") == 0


def test_entries_of_the_image_map_that_do_not_help_are_notified(jobs):
    with pytest.raises(CannotRun, match="entry for x/for-processes-only:1 has no image for the docker runtime"):
        jobs.start("", image="x/for-processes-only:1")
    with pytest.raises(CannotRun, match="neither has it nor can pull it"):
        jobs.start("", image="x/not-there:1")


def test_a_script_runs_in_the_image_that_stands_in(jobs, builder, docker, tmp_path):
    entry = Image("*/sagemaker-scikit-learn:*", tmp_path, image=builder.base_image, script_mode=True)
    jobs.runtime = DockerRuntime(ImageMap((entry,)), None, tmp_path / "scripts")
    for name, content in {
        "code/fit.py": (
            "import os, sys\nopen(os.environ['SM_MODEL_DIR'] + '/fitted', 'w').write(' '.join(sys.argv[1:]))\n"
        ),
        "input/config/hyperparameters.json": json.dumps({"sagemaker_program": '"fit.py"', "depth": "3"}),
        "input/config/resourceconfig.json": json.dumps({"current_host": "algo-1", "hosts": ["algo-1"]}),
        "input/config/inputdataconfig.json": "{}",
        "model/.keep": "",
    }.items():
        file = jobs.root() / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    assert jobs.run(image="1.dkr.ecr.x/sagemaker-scikit-learn:1.2", arguments=("train",)) == 0, jobs.log
    assert (jobs.root() / "model/fitted").read_text() == "--depth 3"
