"""A real S3 over a real port, and jobs that run against it in real processes."""

import functools
import io
import json
import sys
import tarfile
import textwrap
from threading import Event

import boto3
import pytest

from localaws import jobs
from localaws.contract import ImageMap, JobContext
from localaws.errors import NotFound
from localaws.runtimes import ProcessRuntime

ACCOUNT, REGION = "111111111111", "us-east-1"


class Bucket:
    """A bucket of a test's own."""

    def __init__(self, client, name):
        self.client, self.name = client, name
        client.create_bucket(Bucket=name)

    def uri(self, key=""):
        return f"s3://{self.name}/{key}"

    def put(self, key, content):
        self.client.put_object(Bucket=self.name, Key=key, Body=content)
        return self.uri(key)

    def get(self, key):
        return self.client.get_object(Bucket=self.name, Key=key)["Body"].read()

    def fill(self, objects):
        for key, content in objects.items():
            self.put(key, content)

    def keys(self, prefix=""):
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]


@pytest.fixture(scope="session")
def client(emulator):
    """Gives the emulator's clients."""
    session = boto3.Session(ACCOUNT, "local", region_name=REGION)
    return functools.cache(lambda service: session.client(service, endpoint_url=emulator))


@pytest.fixture
def bucket(client, tmp_path):
    return Bucket(client("s3"), f"bucket-{abs(hash(str(tmp_path)))}")


@pytest.fixture
def image(tmp_path):
    """Writes a container's program, which finds its /opt/ml as ML, and maps the image `name` to it."""
    entries = []

    def add(program="", name="image", **settings):
        file = tmp_path / "images" / f"{name.replace('/', '-')}.py"
        file.parent.mkdir(exist_ok=True)
        start = "import json, os, pathlib, signal, sys, time\nML = pathlib.Path(os.environ['SAGEMAKER_BASE_DIR'])\n"
        file.write_text(start + textwrap.dedent(program))
        entries.append({"pattern": name, "command": [sys.executable, "-u", str(file)], **settings})
        (tmp_path / "images.json").write_text(json.dumps({"images": entries}))
        return name

    add.map = lambda: ImageMap.load(tmp_path / "images.json") if entries else ImageMap()
    return add


class Job:
    """Runs jobs; `log` has what their containers printed, and `when` acts on a line while a job runs."""

    def __init__(self, client, image, folder):
        self.client, self.image, self.folder = client, image, folder
        self.log, self.models, self.stopped, self.acts, self.statuses = [], {}, Event(), {}, []

    def when(self, line, act):
        self.acts[line] = act

    def text(self):
        return "\n".join(line for _, line in self.log)

    def run(self, kind, body):
        self.folder.mkdir()
        images = self.image.map()
        context = JobContext(
            account=ACCOUNT,
            region=REGION,
            name=body[f"{kind}Name"],
            folder=self.folder,
            client=self.client,
            runtime=ProcessRuntime(images),
            images=images,
            log=self._line,
            stopped=self.stopped,
            describe_model=self._model,
            progress=self.statuses.append,
            credentials=lambda: {
                "AWS_ENDPOINT_URL": self.client("s3").meta.endpoint_url,
                "AWS_ACCESS_KEY_ID": ACCOUNT,
                "AWS_SECRET_ACCESS_KEY": "local",
            },
        )
        return jobs.run(kind, body, context)

    def _line(self, stream, line):
        self.log.append((stream, line))
        if line in self.acts:
            self.acts.pop(line)()

    def _model(self, name):
        if name not in self.models:
            raise NotFound(f'Could not find model "{name}".')
        return self.models[name]


@pytest.fixture
def job(client, image, tmp_path):
    return Job(client, image, tmp_path / "scratch")


SERVER = """
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(*get(self.path))

    def do_POST(self):
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(*post(body, self.headers))

    def answer(self, status, body, kind="text/csv"):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

PARAMETERS = {}

def get(path):
    return (200, json.dumps(PARAMETERS).encode()) if path == "/execution-parameters" else (200, b"")

def post(body, headers):
    return 200, b"".join(b"%d\\n" % len(line) for line in body.splitlines())
"""
SERVE = """
assert sys.argv[1:] == ["serve"]
print("serving")
ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
"""


@pytest.fixture
def serving(image, job, bucket):
    """Maps an image whose server answers by what is added to it, and makes model `model` of it."""

    def add(program="", name="image", **container):
        lines = program.strip("\n").split("\n")
        indent = len(lines[0]) - len(lines[0].lstrip())
        image(SERVER + "\n".join(line[indent:] for line in lines) + SERVE, name)
        job.models["model"] = {"PrimaryContainer": {"Image": name, **container}}

    return add


@pytest.fixture
def transform(bucket):
    """Makes CreateTransformJob's arguments: objects below in/ to out/."""

    def request(split="Line", instances=1, **more):
        source = {"S3DataType": "S3Prefix", "S3Uri": bucket.uri("in/")}
        return {
            "TransformJobName": "job",
            "ModelName": "model",
            "TransformInput": {
                "DataSource": {"S3DataSource": source},
                "ContentType": "text/csv",
                "SplitType": split,
            },
            "TransformOutput": {"S3OutputPath": bucket.uri("out"), "Accept": "text/csv", "AssembleWith": "Line"},
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": instances},
            **more,
        }

    return request


@pytest.fixture
def archive():
    """Makes a model archive of files."""

    def pack(files):
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w:gz") as tar:
            for name, text in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(text)
                tar.addfile(member, io.BytesIO(text.encode()))
        return content.getvalue()

    return pack
