"""Everything that one localaws consists of, and how it starts and ends."""

from __future__ import annotations

import functools
import logging
import os
import re
import secrets
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import boto3
from botocore.config import Config

from localaws import api, disk, keeping, tokens, wire
from localaws.access import enforce, offered
from localaws.clock import Clock
from localaws.contract import ImageMap
from localaws.emulator import NOBODY, Emulator, embedded, home
from localaws.emulator.remote import Remote
from localaws.engine.orchestrator import Engine
from localaws.engine.queue import Jobs
from localaws.engine.tuning import Tuning
from localaws.events import outbox
from localaws.events.delivery import Deliveries
from localaws.events.schedules import Schedules
from localaws.runtimes import ProcessRuntime
from localaws.settings import Settings
from localaws.statefiles import DATABASE, Contents
from localaws.store import Store

_log = logging.getLogger("localaws")
_CONFIG = Config(
    retries={"max_attempts": 3, "mode": "standard"},
    s3={"addressing_style": "path"},
    max_pool_connections=32,
    connect_timeout=5,
    read_timeout=900,
)
_KEPT_CLIENTS = 256
_SESSION_SECONDS = 3000


class Application:
    """One localaws: its state, what executes, and the clients that its parts use, which go through its own port."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        settings.state.mkdir(parents=True, exist_ok=True)
        contents = keeping.begin(settings)
        self.scratch = settings.state / "scratch"
        disk.remove(self.scratch)
        self.store = Store(settings.state / DATABASE)
        contents.add(DATABASE)
        self.store.keep_copy()
        self.identity = self._identity()
        self.token = tokens.make(settings.state)
        self.clock = Clock(self.store)
        self.images = ImageMap.load(settings.images)
        self.runtime = _runtime(settings, self.images)
        self.emulator = Emulator(self)
        self.deliveries = Deliveries(self)
        self.schedules = Schedules(self)
        self.jobs = Jobs(self, settings.slots or os.cpu_count() or 1)
        self.engine = Engine(self)
        self.tuning = Tuning(self)
        self._sessions = threading.local()
        self._role_sessions: dict[tuple[str, str], tuple[str, str, float]] = {}
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="outbox")
        self.services: Any = self._services(contents)

    def _services(self, contents: Contents) -> Any:
        """Return the application that answers all but SageMaker: the built-in emulator, or two as one."""
        at_home = embedded.load(self.settings.port, self.settings.state, contents, self.emit)
        self.elsewhere: frozenset[str] = frozenset()
        url = self.settings.emulator
        if not url:
            return at_home
        functions = self.settings.emulator_functions
        services = home.learn(url, self.settings.at_home, bool(functions))
        self.elsewhere = frozenset(offered.SERVICES) - services
        if "s3" in self.elsewhere:
            home.same(self._straight("s3", NOBODY, "us-east-1"), self.store, url)
        at_home.connect(self.client, self._straight, services)
        return home.Split(Remote(url), at_home, services, self.emulator.caller)

    def _straight(self, service: str, account: str, region: str) -> Any:
        """Return a client of an account's root that asks the emulator elsewhere itself."""
        return self._make(service, region, account, None, self.settings.emulator)

    def _identity(self) -> str:
        known = self.store.setting("identity")
        if known is None:
            known = secrets.token_hex(8)
            self.store.set_setting("identity", known)
        return known

    def start(self) -> None:
        """Carry on what an earlier process left; the port must answer already."""
        self.jobs.start()
        self.engine.start()
        self.tuning.start()
        self.deliveries.start()
        self.schedules.start()

    def close(self) -> None:
        """End all that runs; executions are carried on with the next start."""
        self.schedules.stop()
        self.engine.close()
        self.tuning.close()
        self.jobs.close()
        self.deliveries.stop()
        self._writer.shutdown(wait=True)
        self.store.close()

    def emit(self, account: str, region: str, bus: str, event: dict[str, Any]) -> Future[None]:
        """Write an event to a bus, in a thread of its own: the caller may be the server's event loop."""
        return self._writer.submit(outbox.put_event, self, account, region, bus, event)

    def invoke(
        self, operation: str, account: str, region: str, principal: str, request: dict[str, Any]
    ) -> dict[str, Any]:
        """Answer an operation of SageMaker, as a call over the wire would be answered.

        Raises ApiError.
        """
        handler, model = api.handler(operation), wire.operation(operation)
        if model.input_shape is not None:
            wire.check(model.input_shape, request)
        call = api.Call(self, model, account, region, principal, request)
        if self.settings.enforce:
            enforce.authorize(call)
        return handler(call)

    def client(
        self, service: str, account: str, region: str, role: str | None = None, session: str | None = None
    ) -> Any:
        """Return a client in an account: as its root, or as one of its roles, whose policies then count.

        Raises botocore's ClientError when the role can't be assumed.
        """
        if role is None:
            return self._root_client(service, account, region)
        client = self._make(service, region, *self._session(account, region, role, session or "localaws"))
        if self.settings.enforce:
            enforce.guard(self, client, account, role, session or "localaws")
        return client

    def _session(self, account: str, region: str, role: str, name: str) -> tuple[str, str]:
        """Return access key and token of a session of a role, kept for as long as it is valid."""
        kept = self._role_sessions.get((role, name))
        if kept is None or kept[2] < self.clock.real():
            sts = self._root_client("sts", account, region)
            # A job's name may be a single letter; a session's must have two.
            named = re.sub(r"[^\w+=,.@-]", "-", name)[:64].ljust(2, "-")
            made = sts.assume_role(RoleArn=role, RoleSessionName=named)["Credentials"]
            kept = (made["AccessKeyId"], made["SessionToken"], self.clock.real() + _SESSION_SECONDS)
            self._role_sessions[role, name] = kept
        return kept[:2]

    def container_environment(self, account: str, region: str, role: str, session: str) -> dict[str, str]:
        """Return the variables with which a container calls AWS as its job's role, as it can in SageMaker."""
        access_key, token = self._session(account, region, role, session)
        return {
            "AWS_ENDPOINT_URL": self.settings.address,
            "AWS_ACCESS_KEY_ID": access_key,
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_SESSION_TOKEN": token,
        }

    def session_client(self, service: str, access_key: str, token: str | None) -> Any:
        """Return a client that signs with somebody's access key, and isn't decided about."""
        return self._undecided(self._make(service, "us-east-1", access_key, token))

    @functools.lru_cache(maxsize=_KEPT_CLIENTS)  # noqa: B019 - one application lives as long as its process
    def lookup_client(self, service: str, account: str, region: str) -> Any:
        """Return a client of an account's root for what decisions are read from; nothing decides about its calls."""
        return self._undecided(self._make(service, region, account, None))

    def _undecided(self, client: Any) -> Any:
        client.meta.events.register("before-sign", self._show_token)
        return client

    def _show_token(self, request: Any, **_: Any) -> None:
        request.headers[tokens.HEADER] = self.token

    @functools.lru_cache(maxsize=_KEPT_CLIENTS)  # noqa: B019 - one application lives as long as its process
    def _root_client(self, service: str, account: str, region: str) -> Any:
        return self._make(service, region, account, None)

    def _make(self, service: str, region: str, access_key: str, token: str | None, address: str | None = None) -> Any:
        # A session isn't safe for threads while it makes a client; clients are.
        if not hasattr(self._sessions, "session"):
            self._sessions.session = boto3.Session()
        return self._sessions.session.client(
            service,
            region_name=region,
            endpoint_url=address or self.settings.address,
            aws_access_key_id=access_key,
            aws_secret_access_key="local",
            aws_session_token=token,
            config=_CONFIG,
        )


def _runtime(settings: Settings, images: ImageMap) -> Any:
    if settings.runtime == "process":
        return ProcessRuntime(images)
    from localaws.runtimes.docker import DockerRuntime  # needs the extra `docker`

    return DockerRuntime(images, settings.registries, settings.state)
