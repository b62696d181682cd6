"""Damage to the state folder: `up` refuses it with one sentence and changes nothing, or loses nothing.

The state is one of the first format, brought up to today's, with a write-ahead log as a kill leaves it. A sample
runs by default; with SOAK=1 all do, and the table of them is printed: `make soak/localaws-damage`.
"""

import hashlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from localaws.conftest import STEP, Account, Server

ACCOUNT = "111111111111"
FIRST = Path(__file__).parent / "testdata" / "first-format.tar.gz"
OURS = {"localaws.log", "lock", "errors", "server.json", "localaws.db-shm", "step.py", "images.json"}
"""Files that aren't state."""

BUCKET = f"s3/{ACCOUNT}/kept"


def of_first_format(state):
    """A state folder as localaws left it before its files carried a format."""
    state.mkdir(parents=True, exist_ok=True)
    with tarfile.open(FIRST) as archive:
        archive.extractall(state)
    (state / "step.py").write_text(STEP)
    entry = {"pattern": "*", "directory": ".", "command": [sys.executable, "step.py"]}
    (state / "images.json").write_text(json.dumps({"images": [entry]}))


def kept(account):
    """All that the state holds, as AWS's operations tell it."""
    s3, sagemaker = account.client("s3"), account.client("sagemaker")
    versions = s3.list_object_versions(Bucket="kept")
    bodies = {
        (item["Key"], item["VersionId"]): s3.get_object(Bucket="kept", Key=item["Key"], VersionId=item["VersionId"])[
            "Body"
        ].read()
        for item in versions["Versions"]
    }
    answer = account.client("lambda").invoke(FunctionName="answers", Payload=b"1")["Payload"].read()
    executions = sagemaker.list_pipeline_executions(PipelineName="works")["PipelineExecutionSummaries"]
    group = sagemaker.describe_model_package_group(ModelPackageGroupName="group")
    return {
        "bodies": sorted(bodies.values()),
        "deleted": [marker["Key"] for marker in versions["DeleteMarkers"]],
        "metadata": s3.head_object(Bucket="kept", Key="folder/plain.txt")["Metadata"],
        "roles": sorted(role["RoleName"] for role in account.client("iam").list_roles()["Roles"]),
        "queues": len(account.client("sqs").list_queues().get("QueueUrls", [])),
        "rules": [rule["Name"] for rule in account.client("events").list_rules()["Rules"]],
        "function": json.loads(answer),
        "executions": [(item["PipelineExecutionDisplayName"], item["PipelineExecutionStatus"]) for item in executions],
        "tags": sagemaker.list_tags(ResourceArn=group["ModelPackageGroupArn"])["Tags"],
        "groups": len(sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]),
    }


WHOLE = {
    "bodies": [b"hello", b"hidden", b"odd", b"parts", b"v0", b"v1"],
    "deleted": ["hidden"],
    "metadata": {"who": "us"},
    "roles": ["later", "works"],
    "queues": 1,
    "rules": ["rule"],
    "function": {"got": 1},
    "executions": [("first", "Succeeded")],
    "tags": [{"Key": "k", "Value": "v"}],
    "groups": 2,
}


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """A state folder of the first format, brought up to today's, changed, and left by a kill."""
    state = tmp_path_factory.mktemp("template") / "state"
    of_first_format(state)
    server = Server(state, "--images", str(state / "images.json"))
    try:
        account = server.account(ACCOUNT)
        account.role("later")
        account.client("sagemaker").create_model_package_group(ModelPackageGroupName="later")
        assert kept(account) == WHOLE
    finally:
        server.kill()
    return state


def one(state, pattern):
    """The one file that a pattern names."""
    (found,) = state.glob(pattern)
    return found


def flip(name, where):
    """Change a byte, at this share of the file's length."""

    def act(state):
        file = one(state, name)
        content = bytearray(file.read_bytes())
        content[int(len(content) * where)] ^= 0x20
        file.write_bytes(content)

    return act


def cut(name, share):
    """Keep this share of a file."""

    def act(state):
        file = one(state, name)
        file.write_bytes(file.read_bytes()[: int(file.stat().st_size * share)])

    return act


def gone(name):
    """Remove a file or a folder."""

    def act(state):
        file = one(state, name)
        shutil.rmtree(file) if file.is_dir() else file.unlink()

    return act


def folder(name):
    """Put a folder where a file was."""

    def act(state):
        file = one(state, name)
        file.unlink()
        file.mkdir()

    return act


def becomes(name, content):
    """Give a file other content."""
    return lambda state: (state / name).write_bytes(content)


def edited(name, before, after):
    """Edit a file by hand."""

    def act(state):
        file = one(state, name)
        content = file.read_bytes()
        assert before in content
        file.write_bytes(content.replace(before, after))

    return act


def sql(*statements):
    """Edit the database with another tool, its log written into it first."""

    def act(state):
        connection = sqlite3.connect(state / "localaws.db", isolation_level=None)
        connection.create_function("row_checksum", -1, lambda *values: 0, deterministic=True)
        for statement in statements:
            connection.execute(statement)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()

    return act


def flip_value(state):
    """Change one letter of a value in the database, as a failing disk would."""
    sql("PRAGMA user_version=1")(state)
    file = state / "localaws.db"
    content = file.read_bytes()
    assert b"PipelineExecutionDisplayName" in content
    file.write_bytes(content.replace(b"PipelineExecutionDisplayName", b"PipelineExecutionDisplayNaMe"))


def half(state):
    """Leave what a kill leaves between an object's two renames: nothing is damaged."""
    file = state / BUCKET / "folder" / "plain.txt.meta.json"
    known = json.loads(file.read_bytes())
    file.with_name(file.name + ".tmp").write_text(json.dumps(known | {"sha256": hashlib.sha256(b"hello").hexdigest()}))
    file.unlink()


DAMAGES = [
    # What is damaged, how, the file that the sentence names (None: nothing is lost, so it starts)
    ("a service's file cut off", cut("services/iam.json", 0.5), "services/iam.json"),
    ("a service's file cut to nothing", cut("services/sqs.json", 0), "services/sqs.json"),
    ("a service's file cut by one byte", cut("services/eventbridge.json", 0.9999), "services/eventbridge.json"),
    ("a byte of a service's file", flip("services/s3.json", 0.6), "services/s3.json"),
    ("a byte of a digest", flip("services/iam.json", 0.05), "services/iam.json"),
    ("a service's file by text", becomes("services/lambda.json", b"hello"), "services/lambda.json"),
    ("a service's file by a list", becomes("services/lambda.json", b"[]"), "services/lambda.json"),
    ("a service's file by null", becomes("services/iam.json", b"null"), "services/iam.json"),
    ("a service's file by bytes", becomes("services/iam.json", b"\xff\xfe\x00"), "services/iam.json"),
    ("a service's file edited by hand", edited("services/iam.json", b"works", b"wurks"), "services/iam.json"),
    ("a service's file of a later format", edited("services/iam.json", b'"format": 1', b'"format": 2'),
     "services/iam.json"),
    ("a service's file of a later emulator", becomes("services/sqs.json",
     b'{"__ministack_format__": 99, "payload": {}}'), "services/sqs.json"),
    ("a service's file by a folder", folder("services/s3.json"), "services/s3.json"),
    ("a service's file missing", gone("services/iam.json"), "services/iam.json"),
    ("all services' files missing", gone("services"), "services/"),
    ("the services' folder by a file", lambda state: (gone("services")(state), (state / "services").touch()),
     "services"),
    ("a function's code cut off", cut("services/lambda-blobs/*.zip", 0.5), "services/lambda-blobs/"),
    ("a function's code missing", gone("services/lambda-blobs/*.zip"), "services/lambda-blobs/"),
    ("the database's first byte", flip("localaws.db", 0), "localaws.db"),
    ("the database cut to nothing", cut("localaws.db", 0), "localaws.db"),
    ("the database cut off", lambda state: (sql("PRAGMA user_version=1")(state), cut("localaws.db", 0.6)(state)),
     "localaws.db"),
    ("a letter of a value in the database", flip_value, "localaws.db"),
    ("a value of the database by another tool", sql("UPDATE records SET status='Failed'"), "localaws.db"),
    ("the database of a later version", sql("PRAGMA user_version=2"), "localaws.db"),
    ("the database by text", becomes("localaws.db", b"not a database at all"), "localaws.db"),
    ("the database by a folder", folder("localaws.db"), "localaws.db"),
    ("the database missing", gone("localaws.db"), "localaws.db"),
    ("a table of the database missing", sql("DROP TABLE tags"), "localaws.db"),
    ("the beginning of the log", flip("localaws.db-wal", 0.001), "localaws.db"),
    ("the middle of the log", flip("localaws.db-wal", 0.5), "localaws.db"),
    ("the end of the log", flip("localaws.db-wal", 0.999), "localaws.db"),
    ("the log cut off", cut("localaws.db-wal", 0.8), "localaws.db"),
    ("the log missing", gone("localaws.db-wal"), "localaws.db"),
    ("the log by a folder", folder("localaws.db-wal"), "localaws.db-wal"),
    ("the count of commits by text", becomes("localaws.count", b"many"), "localaws.count"),
    ("the count of commits missing", gone("localaws.count"), None),
    ("the log's index", flip("localaws.db-shm", 0.01), None),
    ("the list of files cut off", cut("contents.json", 0.7), "contents.json"),
    ("the list of files missing", gone("contents.json"), "contents.json"),
    ("a byte of an object", flip(f"{BUCKET}/folder/plain.txt", 0.5), f"{BUCKET}/folder/plain.txt"),
    ("a byte of an object put in parts", flip(f"{BUCKET}/parts", 0.5), f"{BUCKET}/parts"),
    ("an object cut to nothing", cut(f"{BUCKET}/folder/plain.txt", 0), f"{BUCKET}/folder/plain.txt"),
    ("an object without what is known of it", gone(f"{BUCKET}/folder/plain.txt.meta.json"),
     f"{BUCKET}/folder/plain.txt"),
    ("an object's bytes missing", gone(f"{BUCKET}/folder/plain.txt"), f"{BUCKET}/folder/plain.txt"),
    ("what is known of an object cut off", cut(f"{BUCKET}/versions.meta.json", 0.5), f"{BUCKET}/versions.meta.json"),
    ("an odd key's bytes missing", gone(f"{BUCKET}/.ministack-keys/odd%2F%2Fkey"), f"{BUCKET}/.ministack-keys/odd"),
    ("an earlier version missing", gone("s3/.versions/*/kept/*/versions"), "s3/.versions/"),
    ("a delete marker missing", lambda state: [gone(f"{BUCKET}/hidden{end}")(state) for end in ("", ".meta.json")],
     f"{BUCKET}/hidden.meta.json"),
    ("a bucket's folder missing", gone(BUCKET), BUCKET),
    ("a bucket's folder by a file", lambda state: (gone(BUCKET)(state), (state / BUCKET).touch()), BUCKET),
    ("a temporary left by a kill", becomes("services/iam.json.part", b'{"half'), None),
    ("an object's temporary left by a kill", becomes(f"{BUCKET}/new.tmp", b"half"), None),
    ("an object between its two renames", half, None),
    ("what says where it ran by text", becomes("server.json", b"[]"), None),
    ("the log of the server by a folder", folder("localaws.log"), "localaws.log"),
    ("the lock by a folder", folder("lock"), "lock"),
]  # fmt: skip

SAMPLE = DAMAGES if os.environ.get("SOAK") else DAMAGES[::8]


def digests(state):
    """What each file of the state is."""
    return {
        str(file.relative_to(state)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(state.rglob("*"))
        if file.is_file() and file.name not in OURS
    }


@pytest.fixture
def up():
    """Starts it in the background as a person does; gives its exit code and what it said. It ends with the test."""
    runs = []

    def start(state):
        done = command("up", state, "--port", "0", "--images", state / "images.json")
        runs.extend([state] * (done.returncode == 0))
        return done.returncode, done.stdout, done.stderr

    yield start
    assert [command("down", state).returncode for state in runs] == [0] * len(runs)


def command(name, state, *more):
    """Run one command of the door on a state folder."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("LOCALAWS_", "AWS_"))}
    return subprocess.run(
        [sys.executable, "-m", "localaws", name, "--state", state, *map(str, more)],
        capture_output=True, text=True, env=environment,
    )  # fmt: skip


@pytest.mark.parametrize(("what", "damage", "named"), SAMPLE, ids=[row[0] for row in SAMPLE])
def test_damage_is_refused_in_one_sentence_or_loses_nothing(template, tmp_path, up, what, damage, named):
    state = tmp_path / "state"
    shutil.copytree(template, state)
    damage(state)
    before = digests(state)
    code, printed, said = up(state)
    if named is None:
        assert code == 0, said
        assert kept(Account(re.search(r"AWS_ENDPOINT_URL=(\S+)", printed).group(1), ACCOUNT)) == WHOLE
    else:
        assert code == 1 and said.count("\n") == 1 and f"{state}/{named}" in said, said
        assert "Traceback" not in said
        assert digests(state) == before
        if (state / "localaws.log").is_file() and (state / "lock").is_file():
            looked = command("check", state)
            assert looked.returncode == 1 and f"{state}/{named}" in looked.stderr
    print(f"| {what} | {'held' if named else 'nothing lost'} | {said.strip().replace(str(tmp_path), '…')} |")


def test_a_state_folder_of_the_first_format_is_brought_up_to_todays(tmp_path):
    state = tmp_path / "state"
    of_first_format(state)
    server = Server(state, "--images", str(state / "images.json"))
    try:
        found = kept(server.account(ACCOUNT))
        assert found == WHOLE | {"roles": ["works"], "groups": 1}
        assert '"format": 1' in (state / "services" / "iam.json").read_text()[:40]
        server.kill()
        server.start()
        assert kept(server.account(ACCOUNT)) == found
    finally:
        server.close()


@pytest.mark.parametrize("name", ["localaws.db", "services/iam.json", f"{BUCKET}/folder/plain.txt"])
def test_damage_to_a_folder_of_the_first_format_is_refused(tmp_path, up, name):
    state = tmp_path / "state"
    of_first_format(state)
    cut(name, 0.5)(state)
    before = digests(state)
    code, _, said = up(state)
    assert code == 1 and said.startswith(f"{state}/{name} can't be used: ") and said.count("\n") == 1
    assert digests(state) == before


def test_the_last_good_copy_is_taken_and_what_was_damaged_is_kept(template, tmp_path, up):
    state = tmp_path / "state"
    shutil.copytree(template, state)
    cut("services/iam.json", 0.5)(state)
    half = (state / "services" / "iam.json").read_bytes()
    assert "restore --state" in up(state)[2]
    done = command("restore", state, "--service", "iam")
    assert done.returncode == 0
    left = Path(done.stdout.strip().rsplit(" ", 1)[1].rstrip("."))
    assert (left / "iam.json").read_bytes() == half
    code, printed, said = up(state)
    assert code == 0, said
    account = Account(re.search(r"AWS_ENDPOINT_URL=(\S+)", printed).group(1), ACCOUNT)
    # One call is lost: the copy is what the file was before it.
    assert [role["RoleName"] for role in account.client("iam").list_roles()["Roles"]] == ["works"]


@pytest.mark.parametrize("service", ["iam", "s3", "sagemaker", "lambda", "contents"])
def test_a_service_begins_anew_on_purpose_and_the_others_stay(template, tmp_path, up, service):
    state = tmp_path / "state"
    shutil.copytree(template, state)
    file = {"sagemaker": "localaws.db", "contents": "contents.json"}.get(service, f"services/{service}.json")
    cut(file, 0)(state)
    assert up(state)[0] == 1
    done = command("reset", state, "--service", service)
    assert done.returncode == 0, done.stderr
    code, printed, said = up(state)
    assert code == 0, said
    account = Account(re.search(r"AWS_ENDPOINT_URL=(\S+)", printed).group(1), ACCOUNT)
    roles = sorted(role["RoleName"] for role in account.client("iam").list_roles()["Roles"])
    assert roles == ([] if service == "iam" else WHOLE["roles"])
    pipelines = account.client("sagemaker").list_pipelines()["PipelineSummaries"]
    assert len(pipelines) == (0 if service == "sagemaker" else 1)
    assert len(account.client("s3").list_buckets()["Buckets"]) == (0 if service == "s3" else 1)


def test_a_service_that_is_not_there_is_one_sentence(template, tmp_path):
    state = tmp_path / "state"
    shutil.copytree(template, state)
    for name in ("reset", "restore"):
        done = command(name, state, "--service", "braket")
        assert done.returncode == 1 and done.stderr.startswith("braket: there is no such service in ")
    done = command("restore", state, "--service", "eventbridge")
    assert done.returncode == 1 or (state / "services" / "eventbridge.json.last").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a command as somebody else")
def test_a_file_that_may_not_be_read_is_one_sentence(template, tmp_path):
    state = tmp_path / "state"
    shutil.copytree(template, state)
    for file in (state, *state.rglob("*")):
        os.chown(file, 65534, 65534)
    os.chown(state / "services" / "iam.json", 0, 0)
    (state / "services" / "iam.json").chmod(0o600)
    for above in (tmp_path, *list(tmp_path.parents)[:3]):
        above.chmod(above.stat().st_mode | 0o11)
    code = "import os, sys; from ministack import app; from localaws.emulator import embedded; import localaws.__main__"
    code += (
        f"; os.setgroups([]); os.setuid(65534); sys.exit(localaws.__main__.main(['check', '--state', {str(state)!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{state}/services/iam.json can't be used: it can't be read (Permission denied); ")
