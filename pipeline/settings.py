"""Settings of an environment: the layers of environments/*.tfvars.json as one typed value."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

FOLDER = Path(__file__).parent.parent / "environments"
ENVIRONMENTS = ("dev", "registry", "prod")
LOG_RETENTION = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1827, 3653)
"""Days that CloudWatch Logs takes (PutRetentionPolicy)."""


class WrongSettings(Exception):
    """A settings file can't be used; the message names the file and the setting."""


@dataclass(frozen=True)
class Accounts:
    """The three 12-digit account ids."""

    dev: str
    registry: str
    prod: str


@dataclass(frozen=True)
class InstanceTypes:
    """Default instance type of each kind of job."""

    processing: str
    training: str
    transform: str


@dataclass(frozen=True)
class InstanceCounts:
    """Default number of instances of each kind of job."""

    processing: int
    training: int


@dataclass(frozen=True)
class Network:
    """Whether containers are cut off, the VPC the jobs run in (empty: none), and whether it gets endpoints."""

    isolation: bool
    subnet_ids: tuple[str, ...]
    security_group_ids: tuple[str, ...]
    endpoints: bool


@dataclass(frozen=True)
class Ci:
    """Who may assume the CI roles: a role of an account with an external id or, with an issuer, an OIDC token."""

    account: str
    role: str
    external_id: str
    oidc_issuer: str
    oidc_subject: str


@dataclass(frozen=True)
class Retrain:
    """Automatic retraining: its kill switch, hours since the last training, starts per 24 hours."""

    enabled: bool
    cooldown_hours: float
    daily_cap: int


@dataclass(frozen=True)
class Settings:
    """Everything that is set for one environment; environments/README.md says what each setting means."""

    environment: str
    project: str
    region: str
    accounts: Accounts
    auc_score_threshold: float
    hyperparameters: dict[str, str]
    instance_types: InstanceTypes
    instance_counts: InstanceCounts
    volume_gb: int
    max_runtime_seconds: int
    network: Network
    retrain: Retrain
    score_on_approval: bool
    batch_schedule: str
    notification_addresses: tuple[str, ...]
    log_retention_days: int
    key_deletion_days: int
    monthly_budget_usd: int
    ci: Ci
    protected: bool

    @property
    def account(self) -> str:
        """This environment's own account id."""
        return getattr(self.accounts, self.environment)


def is_local() -> bool:
    """Whether AWS_ENDPOINT_URL points the clients at local accounts instead of AWS.

    Raises:
        WrongSettings: it isn't the URL of anything.
    """
    url = os.environ.get("AWS_ENDPOINT_URL", "")
    if url and not re.fullmatch(r"https?://[^/\s]+/?", url):
        raise WrongSettings(f"AWS_ENDPOINT_URL={url}: not a URL such as http://127.0.0.1:4566.")
    return bool(url)


def load(environment: str, local: bool | None = None, folder: Path | None = None) -> Settings:
    """Read an environment's settings.

    Args:
        environment: dev, registry or prod.
        local: whether the local layer counts; None asks `is_local`.
        folder: where the files lie; None is environments/.

    Raises:
        WrongSettings: a file is missing or malformed, or a setting is missing, unknown, ill-typed or wrong.
    """
    if environment not in ENVIRONMENTS:
        raise WrongSettings(f"environment {environment}: there are only {', '.join(ENVIRONMENTS)}.")
    folder = folder or FOLDER
    own = folder / f"{environment}.tfvars.json"
    layers = [folder / "shared.tfvars.json", own]
    if is_local() if local is None else local:
        layers.append(folder / "local.tfvars.json")
    values: dict[str, Any] = {}
    source: dict[str, Path] = {}
    for layer in layers:
        for name, value in _read(layer).items():
            values[name], source[name] = value, layer
    settings = _typed(Settings, values, "", lambda setting: source.get(setting.split(".")[0], own))
    _check(settings, source)
    return settings


def _read(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text())
    except OSError as error:
        raise WrongSettings(f"{file}: can't be read ({error.strerror}).") from None
    except ValueError as error:
        raise WrongSettings(f"{file}: not JSON ({error}).") from None
    if not isinstance(content, dict):
        raise WrongSettings(f"{file}: not a JSON object of settings.")
    return content


def _typed(kind: Any, value: Any, setting: str, file_of) -> Any:
    """Return a JSON value as the annotated type asks for it; `setting` is its dotted name."""
    if dataclasses.is_dataclass(kind):
        if not isinstance(value, dict):
            raise WrongSettings(f"{file_of(setting)}: setting {setting} isn't an object.")
        hints = get_type_hints(kind)
        prefix = f"{setting}." if setting else ""
        for name in [*value, *hints]:
            if name not in hints:
                raise WrongSettings(f"{file_of(prefix + name)}: setting {prefix}{name} is unknown.")
            if name not in value:
                raise WrongSettings(f"{file_of(prefix + name)}: setting {prefix}{name} is missing.")
        return kind(**{name: _typed(hint, value[name], prefix + name, file_of) for name, hint in hints.items()})
    origin = get_origin(kind)
    if origin is tuple and isinstance(value, list):
        return tuple(_typed(get_args(kind)[0], item, setting, file_of) for item in value)
    if origin is dict and isinstance(value, dict):
        return {name: _typed(get_args(kind)[1], item, f"{setting}.{name}", file_of) for name, item in value.items()}
    if kind is float and type(value) in (int, float):
        return float(value)
    if origin is None and type(value) is kind:
        return value
    wanted = {str: "a text", int: "a whole number", float: "a number", bool: "true or false", tuple: "a list"}
    raise WrongSettings(f"{file_of(setting)}: setting {setting} isn't {wanted.get(origin or kind, 'an object')}.")


def _check(settings: Settings, source: dict[str, Path]) -> None:
    def demand(holds: bool, setting: str, wrong: str) -> None:
        if not holds:
            raise WrongSettings(f"{source[setting.split('.')[0]]}: setting {setting} {wrong}.")

    ids = dataclasses.asdict(settings.accounts)
    for name, account in ids.items():
        demand(re.fullmatch(r"\d{12}", account) is not None, f"accounts.{name}", "isn't a 12-digit account id")
    demand(len(set(ids.values())) == len(ids), "accounts", "names one account twice")
    demand(
        source["environment"].name == f"{settings.environment}.tfvars.json",
        "environment",
        "isn't the file's own name",
    )
    demand(
        re.fullmatch(r"[a-z][a-z0-9-]{1,24}", settings.project) is not None,
        "project",
        "isn't 2 to 25 small letters, digits and hyphens",
    )
    demand(re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d", settings.region) is not None, "region", "isn't an AWS region")
    demand(0 <= settings.auc_score_threshold <= 1, "auc_score_threshold", "isn't between 0 and 1")
    for name, instance in dataclasses.asdict(settings.instance_types).items():
        demand(instance.startswith("ml."), f"instance_types.{name}", "isn't an instance type of SageMaker (ml.…)")
    for name, count in dataclasses.asdict(settings.instance_counts).items():
        demand(count >= 1, f"instance_counts.{name}", "is less than 1")
    demand(0 <= settings.retrain.cooldown_hours <= 8760, "retrain.cooldown_hours", "isn't between 0 and 8760 (a year)")
    demand(settings.retrain.daily_cap >= 0, "retrain.daily_cap", "is negative")
    demand(
        re.fullmatch(r"(rate|cron)\(.+\)", settings.batch_schedule) is not None,
        "batch_schedule",
        "isn't a schedule expression such as rate(1 day)",
    )
    for address in settings.notification_addresses:
        demand("@" in address, "notification_addresses", "holds something that isn't an e-mail address")
    demand(settings.log_retention_days in LOG_RETENTION, "log_retention_days", f"isn't one of {LOG_RETENTION}")
    demand(7 <= settings.key_deletion_days <= 30, "key_deletion_days", "isn't between 7 and 30")
    demand(1 <= settings.volume_gb <= 16384, "volume_gb", "isn't between 1 and 16384")
    demand(
        1 <= settings.max_runtime_seconds <= 432000,
        "max_runtime_seconds",
        "isn't between 1 and 432000 (5 days)",
    )
    demand(settings.monthly_budget_usd >= 1, "monthly_budget_usd", "is less than 1")
    network = settings.network
    demand(
        bool(network.subnet_ids) == bool(network.security_group_ids),
        "network",
        "has subnets without security groups, or the other way round",
    )
    demand(bool(network.subnet_ids) or not network.endpoints, "network.endpoints", "is true without subnets")
    _check_ci(settings.ci, demand)


def _check_ci(ci: Ci, demand: Callable[[bool, str, str], None]) -> None:
    demand(re.fullmatch(r"\d{12}", ci.account) is not None, "ci.account", "isn't a 12-digit account id")
    demand(re.fullmatch(r"[\w+=,.@/-]{1,512}", ci.role) is not None, "ci.role", "isn't the name of a role")
    demand(
        re.fullmatch(r"[\w+=,.@:/-]{2,1224}", ci.external_id) is not None,
        "ci.external_id",
        "isn't 2 to 1224 letters, digits and +=,.@:/-",
    )
    demand(
        re.fullmatch(r"([a-z0-9-]+\.)+[a-z]+(/[\w./-]*)?|", ci.oidc_issuer) is not None,
        "ci.oidc_issuer",
        "isn't the issuer's host and path without https://",
    )
    demand(
        bool(ci.oidc_issuer) == bool(ci.oidc_subject),
        "ci",
        "has an OIDC issuer without a subject, or the other way round",
    )
