"""Requests made by hand: what isn't sent to localaws by its name, what a page sends, and what isn't AWS's."""

import json
import socket
import stat
from urllib.parse import urlsplit

import boto3
import pytest

from localaws import process
from localaws.conftest import Account, Server, send, serving, signed

pytestmark = pytest.mark.usefixtures("counted")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A localaws with a name beside the loopback interface's, and an object in it."""
    server = Server(tmp_path_factory.mktemp("doors"), "--names", "localaws,Accounts.Example,192.0.2.7")
    account = server.account("111111111111")
    account.client("s3").create_bucket(Bucket="kept")
    account.client("s3").put_object(Bucket="kept", Key="a", Body=b"secret")
    yield server
    server.close()


def raw(address, request):
    """What is answered to bytes."""
    host, port = urlsplit(address).netloc.split(":")
    with socket.create_connection((host, int(port)), 300) as line:
        line.sendall(request.encode("latin-1"))
        line.shutdown(socket.SHUT_WR)
        found = b""
        while part := line.recv(65536):
            found += part
    return int(found.split()[1]) if found.startswith(b"HTTP/") else 400, found


def get(server, headers):
    return send(server.address, "GET", "/kept/a", [*signed("s3", "111111111111").items(), *headers])


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:4566", "127.8.9.1:1", "localhost", "LOCALHOST:4566", "localhost.", "localhost.:4566",
     "[::1]", "[::1]:4566", "s3.localhost:4566", "localaws", "localaws:4566", "LocalAWS", "accounts.example:80",
     "192.0.2.7"],
)  # fmt: skip
def test_a_name_of_this_server_is_answered(server, host):
    assert get(server, [("Host", host)])[::2] == (200, b"secret")


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:4566", "127.0.0.1.evil.example", "localhost.evil.example", "notlocalhost",
     "10.0.0.1", "0.0.0.0", "[::]", "[::1", "::1:x", "127.0.0.1@evil.example", "evil@127.0.0.1",
     "127.0.0.1:4566@evil.example", "127.0.0.1 evil.example", "127.0.0.1,evil.example", "127.0.0.1/x", "127.0.0.1:",
     "127.0.0.1:port", "127.0.0.1..", "localhost..", ".localhost", "evil..localhost", "0x7f.0.0.1", "2130706433",
     "127.1", "sub.localaws", "localaws.evil", "ﬂocalhost".encode().decode("latin-1"), "", "kept.s3.amazonaws.com",
     "s3.amazonaws.com", "[fe80::1]", "-.localhost"],
)  # fmt: skip
def test_any_other_host_is_refused(server, host):
    for path in ("/kept/a", "/", "/_localaws/health", "/_localaws/status", "/v2/", "/_ministack/health"):
        status, _, body = send(server.address, "GET", path, [*signed("s3", "111111111111").items(), ("Host", host)])
        assert status in (400, 403) and b"secret" not in body and b"up" not in body, (path, body)


def test_a_host_is_told_once(server):
    signature = "".join(f"{name}: {value}\r\n" for name, value in signed("s3", "111111111111").items())
    for lines in (
        "GET /kept/a HTTP/1.0\r\n",
        "GET /kept/a HTTP/1.1\r\n",
        "GET /kept/a HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n",
        "GET /kept/a HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n",
        "GET /kept/a HTTP/1.1\r\nHost: localhost, evil.example\r\n",
        "GET http://evil.example/kept/a HTTP/1.1\r\nHost: localhost\r\n",
        "GET http://localhost/kept/a HTTP/1.1\r\nHost: localhost\r\n",
        "GET //evil.example/kept/a HTTP/1.1\r\nHost: localhost\r\n",
        "GET kept/a HTTP/1.1\r\nHost: localhost\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n",
        "CONNECT localhost:4566 HTTP/1.1\r\nHost: localhost\r\n",
    ):
        status, answer = raw(server.address, f"{lines}{signature}Connection: close\r\n\r\n")
        assert status >= 400 and b"secret" not in answer, (lines, answer)
    status, answer = raw(server.address, f"GET /kept/a HTTP/1.0\r\nHost: localhost\r\n{signature}\r\n")
    assert status == 200 and b"secret" in answer


PAGES = [
    [("Origin", "https://evil.example")], [("Origin", "null")], [("Origin", "")], [("Origin", "http://localhost:4566")],
    [("Sec-Fetch-Site", "cross-site")], [("Sec-Fetch-Site", "same-site")], [("Sec-Fetch-Site", "same-origin")],
    [("Sec-Fetch-Site", "None")], [("Sec-Fetch-Site", "")], [("Sec-Fetch-Site", "none, cross-site")],
    [("sec-fetch-site", "CROSS-SITE")], [("Sec-Fetch-Site", "none"), ("Sec-Fetch-Site", "cross-site")],
    [("Sec-Fetch-Site", "none"), ("Origin", "http://localhost")], [("ORIGIN", "x")],
]  # fmt: skip


@pytest.mark.parametrize("headers", PAGES)
def test_what_a_page_sends_is_refused_everywhere(server, headers):
    form = ("Content-Type", "application/x-www-form-urlencoded")
    for method, path, more, body in (
        ("GET", "/kept/a", [], b""),
        ("POST", "/", [("X-Amz-Target", "SageMaker.ListModels")], b"{}"),
        ("POST", "/", [form], b"Action=CreateRole&RoleName=x"),
        ("POST", "/2015-03-31/functions", [("Content-Type", "text/plain")], b"{}"),
        ("PUT", "/made-by-a-page", [], b""),
        ("GET", "/_localaws/health", [], b""),
        ("POST", "/_localaws/clock", [("x-localaws-token", (server.state / "token").read_text())], b'{"seconds": 9}'),
        ("POST", "/_ministack/reset", [], b""),
    ):
        status, found, answer = send(server.address, method, path, [*more, *headers], body)
        assert status == 403 and b"localaws answers no web page" in answer, (method, path, answer)
        assert not [name for name in found if name.startswith("access-control-")]


def test_an_address_that_is_typed_by_hand_is_answered(server):
    client = server.account("111111111111").client("s3")
    url = urlsplit(client.generate_presigned_url("get_object", Params={"Bucket": "kept", "Key": "a"}))
    typed = [("Sec-Fetch-Site", "none"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")]
    status, found, body = send(server.address, "GET", f"{url.path}?{url.query}", typed)
    assert (status, body) == (200, b"secret")
    assert not [name for name in found if name.startswith("access-control-")]


def test_no_preflight_is_answered(server):
    for path in ("/", "/kept/a", "/_localaws/clock", "/2015-03-31/functions"):
        asked = [("Origin", "https://evil.example"), ("Access-Control-Request-Method", "PUT")]
        for headers in (asked, asked[1:], []):
            status, found, _ = send(server.address, "OPTIONS", path, headers)
            assert status == 403 and not [name for name in found if name.startswith("access-control-")]


def test_no_websocket_is_opened(server):
    for path in ("/", "/mqtt", "/_localaws/status"):
        upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        status, _ = raw(server.address, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{upgrade}{key}\r\n")
        assert status in (400, 403)


DOORS = [
    "/_ministack/reset", "/_ministack/health", "/_ministack/ready", "/_ministack/config",
    "/_ministack/ses/messages", "/_ministack/lambda-code/f", "/_ministack/lambda-layers/l/1/content",
    "/_ministack/cfn-response/x", "/_ministack/x", "/_ministack/eks-auth/x", "/_ministack/iot/ca.pem",
    "/_ministack/handlers", "/_localstack/health", "/_localstack/info", "/_aws/sqs/messages", "/_aws/ses",
    "/_aws/execute-api/x/y", "/_aws/sns/sms-messages", "/_alb/x/y", "/health", "/login", "/logout",
    "/oauth2/authorize", "/oauth2/token", "/oauth2/userInfo", "/iceberg/v1/config", "/restapis/x/y",
    "/key-value-stores/x", "/environments", "/webtoken/x", "/clitoken/x", "/Execute", "/WriteGetObjectResponse",
    "/v20180820/tags/x", "/v2/apis", "/v2/email/identities", "/v2/x", "/graphql", "/event", "/moto-api/reset",
    "/_moto/x", "/us-east-1_pool/.well-known/jwks.json", "/%5Fministack/reset", "/%5fministack%2freset",
    "//_ministack/reset", "/./_ministack/reset", "/kept/../_ministack/reset", "/_MINISTACK/reset", "/_new_door",
    "/v4/metadata-token", "/_aws/lambda-url/x/", "/_localaws", "/latest/meta-data/",
]  # fmt: skip


@pytest.mark.parametrize("path", DOORS)
def test_no_door_of_an_emulator_is_open(server, path):
    unsigned, signature = [], list(signed("s3", "111111111111").items())
    for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"):
        for headers in (unsigned, signature):
            status, _, body = send(server.address, method, path, headers, b"{}" if method == "POST" else b"")
            expected = status in ((404,) if headers else (403, 404)) or b"InvalidBucketName" in body
            # An object's key may have dots in it.
            assert expected or path.startswith("/kept/"), (method, path, status, body)
    assert get(server, [])[::2] == (200, b"secret")


def test_what_no_service_has_is_not_found(server):
    for service, method, path in (
        ("s3", "PATCH", "/kept/a"), ("s3", "POST", "/kept/a"), ("lambda", "GET", "/nowhere"), ("coffee", "POST", "/"),
        ("execute-api", "GET", "/"), ("cognito-idp", "POST", "/"), ("sqs", "GET", "/kept/a"), ("iam", "DELETE", "/"),
        ("apigateway", "GET", "/restapis"), ("lambda", "GET", "/2015-03-31/functions/../../_ministack/config"),
    ):  # fmt: skip
        status, _, body = send(server.address, method, path, signed(service, "111111111111"))
        assert status == 404 and b"secret" not in body, (service, path, body)


def test_registries_want_the_token_of_their_account(server):
    ecr = server.account("111111111111").client("ecr")
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    for headers in ([], [("Authorization", "Basic eDp5")], list(signed("ecr", "111111111111").items())):
        status, found, _ = send(server.address, "GET", "/v2/", headers)
        assert status == 401 and found["www-authenticate"].startswith("Basic")
    for path in ("/v2/?AWSAccessKeyId=111111111111", "/v2/?X-Amz-Credential=111111111111/x", "/v2/a/../manifests/x"):
        assert send(server.address, "GET", path, [("Authorization", f"Basic {token}")])[0] in (400, 401)
    for kind in ("Basic", "Bearer"):
        assert send(server.address, "GET", "/v2/", [("Authorization", f"{kind} {token}")])[0] == 200


def test_own_paths_want_the_token_of_the_state_folder(server):
    file = server.state / "token"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    status, _, body = send(server.address, "GET", "/_localaws/health")
    assert status == 200 and json.loads(body) == {"status": "up"}
    before = process.status(server.state, server.address)["clock"]
    for token in (None, "", "x", file.read_text()[:-1], file.read_text() + "x"):
        headers = {"x-localaws-token": token} if token is not None else {}
        for method, path in (("GET", "status"), ("POST", "clock"), ("POST", "fire"), ("POST", "jobs"), ("GET", "x")):
            status, _, body = send(server.address, method, f"/_localaws/{path}", headers, b'{"seconds": 1e6}')
            assert status == 403 and b"identity" not in body
    assert process.status(server.state, server.address)["clock"][:15] == before[:15]


def test_a_new_start_has_a_new_token(tmp_path):
    with serving(tmp_path):
        first = (tmp_path / "token").read_text()
    with serving(tmp_path) as address:
        assert (tmp_path / "token").read_text() != first
        assert send(address, "GET", "/_localaws/status", {"x-localaws-token": first})[0] == 403


def test_urls_of_functions_ask_for_what_their_functions_want(address):
    from localaws.access.conftest import function

    account = Account(address)
    arn, client = function(account, "return {'statusCode': 200, 'body': 'ran'}"), account.client("lambda")
    url = client.create_function_url_config(FunctionName="f", AuthType="NONE")["FunctionUrl"]
    number = urlsplit(url).netloc.split(".")[0]
    host = [("Host", f"{number}.lambda-url.us-east-1.localhost:4566")]
    for path, headers in (("/", host), (f"/_aws/lambda-url/{number}/", [])):
        assert send(address, "GET", path, headers)[0] == 403
    client.add_permission(
        FunctionName="f",
        StatementId="url",
        Action="lambda:InvokeFunctionUrl",
        Principal="*",
        FunctionUrlAuthType="NONE",
    )
    for path, headers in (("/", host), (f"/_aws/lambda-url/{number}/", [])):
        assert send(address, "GET", path, headers)[::2] == (200, b"ran"), arn
        assert send(address, "GET", path, [*headers, ("Origin", "https://evil.example")])[0] == 403
    client.update_function_url_config(FunctionName="f", AuthType="AWS_IAM")
    for path, headers in (("/", host), (f"/_aws/lambda-url/{number}/", [])):
        assert send(address, "GET", path, headers)[0] == 403
        assert send(address, "GET", path, [*headers, *signed("lambda", Account(address).number).items()])[0] == 403
        assert send(address, "GET", path, [*headers, *signed("lambda", account.number).items()])[::2] == (200, b"ran")


def test_a_name_that_is_none_is_one_sentence(tmp_path, capsys):
    from localaws.__main__ import main

    assert main(["serve", "--state", str(tmp_path), "--port", "0", "--names", "fine,not a name"]) == 1
    assert capsys.readouterr().err == "names not a name: neither a host name nor an address.\n"


def test_a_client_by_another_name_is_answered(server):
    # The name leads nowhere here, so the client goes to the loopback interface with it in its Host.
    client = boto3.client(
        "s3", endpoint_url=server.address, region_name="us-east-1", aws_access_key_id="111111111111",
        aws_secret_access_key="x",
    )  # fmt: skip
    client.meta.events.register(
        "before-sign", lambda request, **_: request.headers.__setitem__("Host", "localaws:4566")
    )
    assert client.get_object(Bucket="kept", Key="a")["Body"].read() == b"secret"
