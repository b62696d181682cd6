"""Ways of signing and of not signing: AWS's own clients' are understood, all others are refused.

Each is tried with the session of a role that may read one object and not the other: whichever way, what the role
may not read is never read.
"""

import base64
import email.utils
import time
import urllib.parse
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from localaws.conftest import REGION, Account, allow, send, signed

pytestmark = pytest.mark.usefixtures("counted")

OPEN, CLOSED = "open/a.txt", "closed/a.txt"


class World:
    """An account with a bucket of two objects, and a role that may read one of them."""

    def __init__(self, address):
        self.address, self.account, self.other = address, Account(address), Account(address)
        self.bucket = self.account.bucket()
        for key in (OPEN, CLOSED):
            self.account.client("s3").put_object(Bucket=self.bucket, Key=key, Body=b"secret " + key.encode())
        statement = allow(["s3:GetObject", "s3:PutObject"], f"arn:aws:s3:::{self.bucket}/open/*")
        self.account.role("reads", statement)
        arn = f"arn:aws:iam::{self.account.number}:role/reads"
        made = self.account.client("sts").assume_role(RoleArn=arn, RoleSessionName="tests")["Credentials"]
        self.key, self.secret, self.token = made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"]

    def client(self, service="s3", **config):
        """A client of the role's session."""
        config = Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}, **config)
        return boto3.client(
            service, endpoint_url=self.address, region_name=REGION, config=config, aws_access_key_id=self.key,
            aws_secret_access_key=self.secret, aws_session_token=self.token,
        )  # fmt: skip


@pytest.fixture(scope="module")
def world(address):
    """The account, shared by all ways."""
    return World(address)


def stamp(ahead=0):
    """A time of AWS's form, some seconds from now."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() + ahead))


def header(w, *, scheme="AWS4-HMAC-SHA256", day=None, region=REGION, service="s3", last="/aws4_request", key=None,
           signature="0" * 64, signs="host;x-amz-date", between=", ", order=(0, 1, 2), date="x-amz-date", when=None,
           token=True, more=()):  # fmt: skip
    """The headers of Signature Version 4, with one thing or another about them changed."""
    when = when or stamp()
    day = day if day is not None else when[:8]
    parts = [
        f"Credential={w.key if key is None else key}/{day}/{region}/{service}{last}", f"SignedHeaders={signs}",
        f"Signature={signature}",
    ]  # fmt: skip
    found = [("Authorization", f"{scheme} " + between.join(parts[number] for number in order))]
    if date:
        found.append((date, when if date != "Date" else email.utils.formatdate(usegmt=True)))
    if token:
        found.append(("X-Amz-Security-Token", w.token))
    return {"headers": [*found, *more]}


def query(w, *, drop=(), day=None, token=True, headers=(), **changed):
    """The query of a presigned URL of version 4."""
    when = changed.pop("when", stamp())
    values = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{w.key}/{when[:8] if day is None else day}/{REGION}/s3/aws4_request",
        "X-Amz-Date": when,
        "X-Amz-Expires": "60",
        "X-Amz-SignedHeaders": "host",
        "X-Amz-Signature": "0" * 64,
    }
    if token:
        values["X-Amz-Security-Token"] = w.token
    values |= {f"X-Amz-{name}": value for name, value in changed.items()}
    return {"query": urllib.parse.urlencode({n: v for n, v in values.items() if n not in drop}), "headers": headers}


def version2(w, *, scheme="AWS", key=None, signature="A" * 27 + "=", date=None, token=True, between=":", more=()):
    """The headers of Signature Version 2."""
    date = ("x-amz-date", email.utils.formatdate(usegmt=True)) if date is None else date
    found = [("Authorization", f"{scheme} {key or w.key}{between}{signature}")]
    found += [date] if date else []
    return {"headers": [*found, *([("X-Amz-Security-Token", w.token)] if token else []), *more]}


def query2(w, *, ahead=60, drop=(), token=True, headers=(), **changed):
    """The query of a presigned URL of version 2."""
    values = {"AWSAccessKeyId": w.key, "Signature": "A" * 27 + "=", "Expires": str(int(time.time()) + ahead)}
    if token:
        values["x-amz-security-token"] = w.token
    values |= changed
    return {"query": urllib.parse.urlencode({n: v for n, v in values.items() if n not in drop}), "headers": headers}


def basic(text="x:y"):
    return ("Authorization", "Basic " + base64.b64encode(text.encode()).decode())


UNDERSTOOD = {
    "version 4 in the header": header,
    "without blanks between its parts": lambda w: header(w, between=","),
    "its parts in another order": lambda w: header(w, order=(2, 0, 1)),
    "with HTTP's date": lambda w: header(w, date="Date"),
    "ten minutes old": lambda w: header(w, when=stamp(-600)),
    "an unsigned payload": lambda w: header(w, more=[("x-amz-content-sha256", "UNSIGNED-PAYLOAD")]),
    "a signed payload": lambda w: header(w, more=[("x-amz-content-sha256", "0" * 64)]),
    "version 4 in the query": query,
    "for a week": lambda w: query(w, Expires="604800"),
    "with a content type for the answer": lambda w: _and(query(w), "&response-content-type=text/plain"),
    "version 2 in the header": version2,
    "version 2 with HTTP's date": lambda w: version2(w, date=("Date", email.utils.formatdate(usegmt=True))),
    "version 2 in the query": query2,
    "the bucket in the host's name": lambda w: header(w, more=[("Host", f"{w.bucket}.localhost:4566")])
    | {"path": f"/{OPEN}"},
    "the bucket before s3 in the host's name": lambda w: header(w, more=[("Host", f"{w.bucket}.s3.localhost:4566")])
    | {"path": f"/{OPEN}"},
    "presigned, the bucket in the host's name": lambda w: query(w, headers=[("Host", f"{w.bucket}.localhost")])
    | {"path": f"/{OPEN}"},
}  # fmt: skip


def _and(way, more):
    return way | {"query": way["query"] + more}


REFUSED = {
    "no signature": lambda w: {},
    "an empty header": lambda w: {"headers": [("Authorization", "")]},
    "a Basic header": lambda w: {"headers": [basic()]},
    "a Basic header of the key": lambda w: {"headers": [basic(f"{w.key}:{w.secret}")]},
    "a Bearer header": lambda w: {"headers": [("Authorization", f"Bearer {w.token}")]},
    "a token alone": lambda w: {"headers": [("X-Amz-Security-Token", w.token)]},
    "a scheme in small letters": lambda w: header(w, scheme="aws4-hmac-sha256"),
    "another scheme": lambda w: header(w, scheme="AWS4-HMAC-SHA512"),
    "version 4A": lambda w: header(w, scheme="AWS4-ECDSA-P256-SHA256"),
    "version 3": lambda w: header(w, scheme="AWS3-HTTPS"),
    "no scheme": lambda w: header(w, scheme=""),
    "a tab after the scheme": lambda w: header(w, scheme="AWS4-HMAC-SHA256\t"),
    "no signature in it": lambda w: header(w, order=(0, 1)),
    "no signed headers in it": lambda w: header(w, order=(0, 2)),
    "no credential in it": lambda w: header(w, order=(1, 2)),
    "two credentials in it": lambda w: header(w, order=(0, 0, 1, 2)),
    "its parts between blanks alone": lambda w: header(w, between=" "),
    "a signature that is too short": lambda w: header(w, signature="0"),
    "an empty signature": lambda w: header(w, signature=""),
    "a day of seven digits": lambda w: header(w, day=stamp()[:7]),
    "a day of nine digits": lambda w: header(w, day=stamp()[:8] + "0"),
    "another day than the request's": lambda w: header(w, day="20200101"),
    "no day": lambda w: header(w, day=""),
    "a scope without its last part": lambda w: header(w, last=""),
    "a scope with another last part": lambda w: header(w, last="/aws5_request"),
    "a scope with one part more": lambda w: header(w, last="/aws4_request/x"),
    "a scope without a region": lambda w: header(w, region=""),
    "a scope in capitals": lambda w: header(w, service="S3"),
    "a scope of another service": lambda w: header(w, service="sqs"),
    "a scope of no service": lambda w: header(w, service="coffee"),
    "a key with a slash": lambda w: header(w, key=f"x/{w.key}"),
    "no key": lambda w: header(w, key=""),
    "an unknown key": lambda w: header(w, key="AKIAIOSFODNN7EXAMPLE"),
    "an unknown session's key": lambda w: header(w, key="ASIAIOSFODNN7EXAMPLE"),
    "a session's key without its token": lambda w: header(w, token=False),
    "no date": lambda w: header(w, date=None),
    "a date that is none": lambda w: header(w, more=[("x-amz-date", "yesterday")], date=None),
    "an hour old": lambda w: header(w, when=stamp(-3600)),
    "an hour ahead": lambda w: header(w, when=stamp(3600)),
    "the header twice": lambda w: {"headers": header(w)["headers"] * 2},
    "two headers, one of another": lambda w: header(w, more=header(w, key=w.other.number)["headers"]),
    "a Basic header first": lambda w: {"headers": [basic(), *header(w)["headers"]]},
    "two tokens": lambda w: header(w, more=[("X-Amz-Security-Token", "x")]),
    "a payload of signature 4A": lambda w: header(
        w, more=[("x-amz-content-sha256", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD")]
    ),
    "a payload's hash that is none": lambda w: header(w, more=[("x-amz-content-sha256", "x")]),
    "header and query at once": lambda w: header(w) | {"query": query(w)["query"]},
    "header and version 2 in the query": lambda w: header(w) | {"query": query2(w)["query"]},
    "a Basic header beside the query": lambda w: query(w, headers=[basic()]),
    "a Basic header beside version 2": lambda w: query2(w, headers=[basic()]),
    "both versions in the query": lambda w: _and(query(w), "&" + query2(w)["query"]),
    "a root's header beside the role's query": lambda w: query(
        w, headers=list(signed("s3", w.account.number).items())
    ),
    "an expired query": lambda w: query(w, when=stamp(-120)),
    "a query of the future": lambda w: query(w, when=stamp(3600)),
    "a query for more than a week": lambda w: query(w, Expires="604801"),
    "a query for no time": lambda w: query(w, Expires="0"),
    "a query for less": lambda w: query(w, Expires="-1"),
    "a query for some time": lambda w: query(w, Expires="soon"),
    "a query for Arabic digits": lambda w: query(w, Expires="٦٠"),
    "a query of another algorithm": lambda w: query(w, Algorithm="AWS4-ECDSA-P256-SHA256"),
    **{
        f"a query without {name}": lambda w, name=name: query(w, drop=(name,))
        for name in ("X-Amz-Algorithm", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature",
                     "X-Amz-Credential", "X-Amz-Security-Token")
    },
    "a query with a day of seven digits": lambda w: query(w, day=stamp()[:7]),
    "a query of another day": lambda w: query(w, day="20200101"),
    "a credential twice in the query": lambda w: _and(
        query(w), f"&X-Amz-Credential={w.account.number}/{stamp()[:8]}/{REGION}/s3/aws4_request"
    ),
    "names in small letters": lambda w: {"query": query(w)["query"].replace("X-Amz-", "x-amz-")},
    "a token in the header for a query": lambda w: query(w, token=False, headers=[("X-Amz-Security-Token", w.token)]),
    "version 2 of small letters": lambda w: version2(w, scheme="aws"),
    "version 2 without a date": lambda w: version2(w, date=()),
    "version 2, an hour old": lambda w: version2(
        w, date=("x-amz-date", email.utils.formatdate(time.time() - 3600, usegmt=True))
    ),
    "version 2 without a token": lambda w: version2(w, token=False),
    "version 2 without a signature": lambda w: version2(w, signature=""),
    "version 2 with version 4's signature": lambda w: version2(w, signature="0" * 64),
    "version 2 with a slash": lambda w: version2(w, between="/"),
    "version 2 of an unknown key": lambda w: version2(w, key="AKIAIOSFODNN7EXAMPLE"),
    "an expired query of version 2": lambda w: query2(w, ahead=-1),
    "a query of version 2 without a token": lambda w: query2(w, token=False),
    "a query of version 2 that never ends": lambda w: query2(w, drop=("Expires",)),
    "a query of version 2 that ends some time": lambda w: query2(w, Expires="soon"),
    "a query of version 2 without a signature": lambda w: query2(w, drop=("Signature",)),
    "a query of version 2 without a key": lambda w: query2(w, drop=("AWSAccessKeyId",)),
    "a query of version 2's other form": lambda w: query2(w, SignatureVersion="2", SignatureMethod="HmacSHA256"),
    "version 2's key twice": lambda w: _and(query2(w), f"&AWSAccessKeyId={w.account.number}"),
    "a target beside S3's signature": lambda w: header(w, more=[("X-Amz-Target", "AmazonSQS.ListQueues")]),
}  # fmt: skip


def ask(world, way, key):
    way = dict(way)
    target = f"/{world.bucket}/{key}"
    if "path" in way:
        target = way["path"].replace(OPEN, key)
    if way.get("query"):
        target += f"?{way['query']}"
    status, _, body = send(world.address, "GET", target, way.get("headers", ()))
    return status, body


@pytest.mark.parametrize("name", UNDERSTOOD)
def test_a_way_that_is_understood_has_its_signers_rights(world, name):
    assert ask(world, UNDERSTOOD[name](world), OPEN) == (200, f"secret {OPEN}".encode())
    status, body = ask(world, UNDERSTOOD[name](world), CLOSED)
    assert status == 403 and b"is not authorized to perform: s3:GetObject" in body


@pytest.mark.parametrize("name", REFUSED)
def test_any_other_way_is_refused(world, name):
    for key in (OPEN, CLOSED):
        status, body = ask(world, REFUSED[name](world), key)
        assert status in (400, 403, 404) and b"secret" not in body, (status, body)
        assert b"<Code>" in body or b"__type" in body


def test_at_least_sixty_ways_are_tried():
    assert len(UNDERSTOOD) + len(REFUSED) >= 60


@pytest.mark.parametrize("version", [None, "s3v4", "s3", "s3-query"])
def test_urls_that_boto3_presigns_keep_their_signers_rights(world, version):
    client = world.client(**({"signature_version": version} if version else {}))
    for key, status in ((OPEN, 200), (CLOSED, 403)):
        url = client.generate_presigned_url("get_object", Params={"Bucket": world.bucket, "Key": key}, ExpiresIn=60)
        parts = urlsplit(url)
        assert send(world.address, "GET", f"{parts.path}?{parts.query}")[0] == status
    url = client.generate_presigned_url("get_object", Params={"Bucket": world.bucket, "Key": OPEN}, ExpiresIn=-5)
    parts = urlsplit(url)
    assert send(world.address, "GET", f"{parts.path}?{parts.query}")[0] in (400, 403)


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_boto3s_signatures_of_version_2_and_4_are_read(world, version):
    client = world.client(signature_version=version)
    assert client.get_object(Bucket=world.bucket, Key=OPEN)["Body"].read()
    client.put_object(Bucket=world.bucket, Key="open/new.txt", Body=b"x")
    for call, more in (("get_object", {}), ("put_object", {"Body": b"x"}), ("delete_object", {})):
        with pytest.raises(ClientError, match="AccessDenied"):
            getattr(client, call)(Bucket=world.bucket, Key=CLOSED, **more)


@pytest.mark.parametrize("kind", ["STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"])
def test_an_object_in_pieces_is_put_with_its_signers_rights(world, kind):
    pieces = b"7;chunk-signature=" + b"0" * 64 + b"\r\ncontent\r\n0;chunk-signature=" + b"0" * 64 + b"\r\n\r\n"
    more = [("x-amz-content-sha256", kind), ("x-amz-decoded-content-length", "7"), ("Content-Encoding", "aws-chunked")]
    headers = header(world, more=more)["headers"]
    assert send(world.address, "PUT", f"/{world.bucket}/open/pieces", headers, pieces)[0] == 200
    assert send(world.address, "PUT", f"/{world.bucket}/closed/pieces", headers, pieces)[0] == 403
    assert ask(world, header(world), "open/pieces") == (200, b"content")


def form(fields, content=b"content"):
    """The body and the content type of a form that uploads."""
    parts = [f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields]
    file = '--x\r\nContent-Disposition: form-data; name="file"; filename="f.txt"\r\n\r\n'
    body = "".join(parts).encode() + file.encode() + content + b"\r\n--x--\r\n"
    return body, [("Content-Type", "multipart/form-data; boundary=x")]


@pytest.mark.parametrize(
    ("key", "change", "status"),
    [
        ("open/form.txt", {}, 204),
        ("open/${filename}", {}, 204),
        ("closed/form.txt", {}, 403),
        ("open/form.txt", {"x-amz-security-token": None}, 403),
        ("open/form.txt", {"x-amz-credential": None, "x-amz-signature": None, "x-amz-algorithm": None}, 403),
        ("open/form.txt", {"x-amz-credential": "x"}, 400),
        ("open/form.txt", {"x-amz-algorithm": "AWS4-ECDSA-P256-SHA256"}, 400),
        ("open/form.txt", {"policy": base64.b64encode(b'{"expiration": "2020-01-01T00:00:00Z"}').decode()}, 403),
        ("open/form.txt", {"policy": "x"}, 400),
        ("open/form.txt", {"key": None}, 400),
    ],
)
def test_a_form_uploads_with_its_signers_rights(world, key, change, status):
    client = world.client(signature_version="s3v4")
    fields = client.generate_presigned_post(world.bucket, key, ExpiresIn=60)["fields"]
    fields = {**{name.lower(): value for name, value in fields.items()}, **change}
    body, headers = form([(name, value) for name, value in fields.items() if value is not None])
    found, _, answer = send(world.address, "POST", f"/{world.bucket}", headers, body)
    assert found == status, answer


@pytest.mark.parametrize("more", [[("key", "closed/x")], [("Key", "closed/x")], [("X-Amz-Credential", "x")]])
def test_a_form_with_a_field_twice_is_refused(world, more):
    fields = world.client(signature_version="s3v4").generate_presigned_post(world.bucket, "open/f", ExpiresIn=60)
    body, headers = form([*fields["fields"].items(), *more])
    assert send(world.address, "POST", f"/{world.bucket}", headers, body)[0] == 400


def test_a_form_beside_a_header_is_refused(world):
    body, headers = form([("key", "open/f")])
    headers += list(signed("s3", world.account.number).items())
    assert send(world.address, "POST", f"/{world.bucket}", headers, body)[0] == 400


def action(name, **more):
    return urllib.parse.urlencode({"Action": name, "Version": "2011-06-15", **more}).encode()


def test_nobody_gets_a_role_without_signing(world):
    arn = f"arn:aws:iam::{world.account.number}:role/reads"
    body = action("AssumeRole", RoleArn=arn, RoleSessionName="x" * 8)
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    status, _, answer = send(world.address, "POST", "/", kind, body)
    assert status == 403 and b"<Code>AccessDenied</Code>" in answer
    status, _, answer = send(world.address, "GET", "/?" + body.decode())
    assert status in (403, 404) and b"AccessKeyId" not in answer
    for refused in (world.client("sts"), world.other.client("sts")):
        with pytest.raises(ClientError, match="AccessDenied"):
            refused.assume_role(RoleArn=arn, RoleSessionName="x" * 8)
