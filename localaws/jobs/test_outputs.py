"""What containers leave to make localaws wait, or to have it read what isn't theirs."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from localaws import disk
from localaws.jobs import outputs
from localaws.jobs.test_processing import request
from localaws.jobs.test_training import outcome_of

SECRET = "what lies on this machine"
TELLS = {
    "a pipe": "os.mkfifo(told)",
    "a link to a file of the machine's": "told.symlink_to({secret!r})",
    "a link to a device": "told.symlink_to('/dev/zero')",
    "a link to localaws' own process": "told.symlink_to('/proc/self/environ')",
    "a link to itself": "told.symlink_to(told.name)",
    "a link to a link": "(ML / 'a').symlink_to({secret!r}); told.symlink_to('../a')",
    "a folder": "told.mkdir()",
    "a socket": "import socket; os.chdir(told.parent); socket.socket(socket.AF_UNIX).bind(told.name)",
    "a file behind a link": "os.rename(told.parent, ML / 'b'); told.parent.symlink_to({folder!r})",
    "a file behind a link for everything": "os.rename(ML, str(ML) + '-b'); ML.symlink_to({above!r})",
    "an enormous file": "told.touch(); os.truncate(told, 1 << 40)",
}


@pytest.fixture
def secret(tmp_path):
    """Texts of this machine where each of the names leads that a link could change."""
    folder = tmp_path / "secrets" / "output"
    folder.mkdir(parents=True)
    for name in ("secret", "message", "failure"):
        (folder / name).write_text(SECRET)
    (tmp_path / "secrets/model").mkdir()
    (tmp_path / "secrets/model/secret").write_text(SECRET)
    return folder / "secret"


def attack(text, secret, name="message"):
    settings = {"secret": str(secret), "folder": str(secret.parent), "above": str(secret.parents[1])}
    return f"told = ML / 'output/{name}'; told.parent.mkdir(exist_ok=True)\n" + text.format(**settings)


@pytest.mark.parametrize("kind", TELLS)
def test_a_message_is_told_only_if_it_is_a_file(bucket, image, job, secret, kind):
    image(attack(TELLS[kind], secret))
    bucket.put("in/a", "1")
    outcome = job.run("ProcessingJob", request(bucket, ProcessingOutputConfig={"Outputs": []}))
    assert (outcome.status, outcome.failure_reason) == ("Completed", None), job.text()
    assert SECRET not in (outcome.exit_message or "")
    assert len(outcome.exit_message or "") <= 1024


@pytest.mark.parametrize("kind", TELLS)
def test_a_failure_is_told_only_if_it_is_a_file(bucket, image, job, secret, kind):
    outcome = outcome_of(bucket, image, job, attack(TELLS[kind], secret, "failure") + "\nsys.exit(3)")
    assert outcome.status == "Failed"
    assert outcome.failure_reason.startswith("AlgorithmError: ") and outcome.failure_reason.endswith("exit code: 3")
    assert SECRET not in outcome.failure_reason


OUT = {
    "the output": "is a link to something outside of the job's own folder.",
    "the folder above it": "is a link to something outside of the job's own folder.",
    "everything": "is a link to something outside of the job's own folder.",
    "a file": "result/x is a link to something outside of result.",
    "a folder within": "result/x is a link to something outside of result.",
    "what is nowhere": "result/x is a link to something outside of result.",
    "a relative name": "result/x is a link to something outside of result.",
    "a name with a line's end": "result/x\\ny is a link to something outside of result.",
}
LINKS = {
    "the output": "out.rmdir(); out.symlink_to({folder!r})",
    "the folder above it": "out.rmdir(); out.parent.rmdir(); out.parent.symlink_to({above!r})",
    "everything": "os.rename(ML, str(ML) + '-b'); ML.symlink_to({above!r})",
    "a file": "(out / 'x').symlink_to({secret!r})",
    "a folder within": "(out / 'x').symlink_to({folder!r})",
    "what is nowhere": "(out / 'x').symlink_to('/nowhere/at/all')",
    "a relative name": "(out / 'x').symlink_to('../../../../images.json')",
    "a name with a line's end": "(out / 'x\\ny').symlink_to({secret!r})",
}


@pytest.mark.parametrize("kind", LINKS)
def test_links_that_lead_out_are_refused_and_nothing_is_uploaded(bucket, image, job, secret, kind):
    image("out = ML / 'processing/output/result'\n" + attack(LINKS[kind], secret).partition("\n")[2])
    bucket.put("in/a", "1")
    target = {"S3Uri": bucket.uri("out"), "LocalPath": "/opt/ml/processing/output/result", "S3UploadMode": "EndOfJob"}
    given = {"Outputs": [{"OutputName": "result", "S3Output": target}]}
    outcome = job.run("ProcessingJob", request(bucket, inputs=(), ProcessingOutputConfig=given))
    assert outcome.status == "Failed", job.text()
    assert outcome.failure_reason.endswith(OUT[kind]), outcome.failure_reason
    assert str(secret.parents[1]) not in outcome.failure_reason and bucket.keys("out") == []


@pytest.mark.parametrize("folder", ["model", "output/data"])
def test_a_model_or_output_data_that_is_a_link_is_refused(bucket, image, job, secret, folder):
    code = f"(ML / {folder!r}).rmdir(); (ML / {folder!r}).symlink_to({str(secret.parent)!r})"
    outcome = outcome_of(bucket, image, job, code)
    assert outcome.status == "Failed"
    assert outcome.failure_reason.endswith("is a link to something outside of the job's own folder.")
    assert "output/" not in " ".join(bucket.keys())


def test_what_isnt_a_file_is_no_output_and_what_a_container_closed_is(bucket, image, job):
    image("""
        import socket
        out = ML / "processing/output"
        os.mkfifo(out / "pipe")
        os.chdir(out)
        socket.socket(socket.AF_UNIX).bind("socket")
        (out / "closed/within").mkdir(parents=True)
        (out / "closed/within/a").write_text("1")
        (out / "closed/within/a").chmod(0)
        (out / "closed/within").chmod(0)
        (out / "closed").chmod(0)
        (out / "b\\nc d").write_text("2")
        (out / "inside").symlink_to("b\\nc d")
        (out / "hole").touch()
        os.truncate(out / "hole", 20 << 20)
    """)
    outcome = job.run("ProcessingJob", request(bucket, inputs=()))
    assert outcome.status == "Completed", outcome.failure_reason
    assert bucket.keys("out/") == ["out/b\nc d", "out/closed/within/a", "out/hole", "out/inside"]
    assert bucket.get("out/inside") == bucket.get("out/b\nc d") == b"2"
    assert bucket.get("out/closed/within/a") == b"1"
    assert bucket.get("out/hole") == bytes(20 << 20)


@pytest.mark.parametrize(
    ("program", "sentence"),
    [
        ("(out / 'a').touch(); os.truncate(out / 'a', 1 << 43)", f"output/a is a file of {1 << 43} bytes with holes"),
        ("open(os.fsencode(out) + b'/a\\xff', 'w').close()", "output/a\\udcff has a name that isn't UTF-8"),
        ("for _ in range(9): out = out / ('d' * 150)\nout.mkdir(parents=True)", "has a path of more than 1024 bytes"),
        ("os.chdir(out)\nfor _ in range(3000): os.mkdir('d'); os.chdir('d')", "has a path of more than 1024 bytes"),
    ],
)
def test_what_no_object_can_hold_fails_with_a_sentence(bucket, image, job, program, sentence):
    image(f"out = ML / 'processing/output'\n{program}")
    outcome = job.run("ProcessingJob", request(bucket, inputs=()))
    assert outcome.status == "Failed", job.text()
    assert outcome.failure_reason.startswith("ClientError: ") and sentence in outcome.failure_reason
    assert bucket.keys("out") == []
    disk.remove(job.folder)
    assert not job.folder.exists()


def test_a_stop_ends_an_upload_too(bucket, image, job):
    image("print('written'); out = ML / 'processing/output/hole'; out.touch(); os.truncate(out, 4 << 30)")
    job.when("written", lambda: threading.Timer(1.5, job.stopped.set).start())
    outcome = job.run("ProcessingJob", request(bucket, inputs=()))
    assert outcome.status == "Stopped"
    assert bucket.keys("out") == []


def test_a_file_that_becomes_something_else_isnt_opened(tmp_path, secret):
    """Between a look at a folder and the reading of its files a job that still runs may do anything."""
    root = tmp_path / "job"
    (root / "a").mkdir(parents=True)
    (root / "a/b").write_text("1")
    assert outputs.files_now_below(root, root) == {"a/b": root / "a/b"}
    assert outputs.opened(root / "a/b", root).read() == b"1"
    (root / "a/b").unlink()
    for make in (lambda file: file.symlink_to(secret), os.mkfifo, lambda file: file.mkdir()):
        make(root / "a/b")
        with pytest.raises(OSError):
            outputs.opened(root / "a/b", root)
        subprocess.run(["rm", "-rf", str(root / "a/b")], check=True)
    (root / "a").rmdir()
    (root / "a").symlink_to(secret.parent)
    with pytest.raises(OSError):
        outputs.opened(root / "a/secret", root)


def test_a_folder_is_removed_whatever_a_container_made_of_it(tmp_path):
    """As another user than root, whom no mode holds up."""
    folder = tmp_path / "job"
    program = """
import os, sys
os.mkdir(sys.argv[1])
os.chdir(sys.argv[1])
for name in ("closed", "closed/within"):
    os.mkdir(name)
open("closed/within/a", "w").close()
for name in ("closed/within", "closed"):
    os.chmod(name, 0)
from localaws import disk
from pathlib import Path
disk.remove(Path(sys.argv[1]))
print(os.path.exists(sys.argv[1]))
"""
    as_another = [] if os.geteuid() else ["setpriv", "--reuid=65534", "--clear-groups"]
    if as_another:
        for above in (tmp_path, *tmp_path.parents[:2]):
            above.chmod(0o777 if above == tmp_path else 0o755)
    environment = {**os.environ, "PYTHONPATH": str(Path(outputs.__file__).parents[2]), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [*as_another, sys.executable, "-c", program, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.stdout == "False\n", done.stderr
