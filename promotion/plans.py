"""A deployment's plan: what would change, shown before it is approved, and the very same applied."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

from promotion.errors import PlanStale
from promotion.manifest import Manifest, digest

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Plan:
    """What a deployer would change in an environment to make it run a release.

    Attributes:
        environment, release, identity: where, and which release by version and manifest's digest.
        deployer: who made it and can apply it.
        changes: one line each, with what is there before and after; empty if nothing would change.
        file: a file of the deployer's own that belongs to it, from the checkout on, with `file_digest`; empty if
            it needs none.
    """

    environment: str
    release: str
    identity: str
    deployer: str
    changes: tuple[str, ...]
    file: str = ""
    file_digest: str = ""

    def content(self) -> bytes:
        """Return the plan as JSON, the same bytes for the same plan."""
        return json.dumps(asdict(self), indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"

    @property
    def digest(self) -> str:
        """What an approval names."""
        return digest(self.content())

    def covers(self, other: Plan) -> bool:
        """Whether approving this plan approves the other: the same goal, and no change that isn't in this."""
        same = (self.environment, self.identity) == (other.environment, other.identity)
        return same and set(other.changes) <= set(self.changes)

    def text(self) -> str:
        """Return the plan as people read it."""
        head = f"{self.environment} → release {self.release} ({self.identity[:19]}), by {self.deployer}"
        lines = self.changes or ("nothing changes",)
        return "\n".join([head, *(f"  {line}" for line in lines)])

    @classmethod
    def of(cls, content: bytes, name: str) -> Plan:
        """Read a plan; `name` is what messages call it.

        Raises:
            PlanStale: it isn't one.
        """
        try:
            value = json.loads(content)
            plan = cls(**{**value, "changes": tuple(value["changes"])})
        except (ValueError, TypeError, KeyError):
            raise PlanStale(f"{name}: not a plan.") from None
        return plan

    def demand_file(self) -> None:
        """Demand that the file which belongs to the plan is still that file.

        Raises:
            PlanStale: it is gone, or another.
        """
        if self.file:
            path = ROOT / self.file
            if not path.is_file() or digest(path.read_bytes()) != self.file_digest:
                raise PlanStale(f"{self.file}: gone, or not the file that was planned; plan again.")

    def write(self, path: Path) -> Plan:
        """Write the plan to a file, with the file that belongs to it beside it; return the plan that says so."""
        path = path.absolute()
        path.parent.mkdir(parents=True, exist_ok=True)
        written = self
        if self.file:
            beside = path.with_suffix(Path(self.file).suffix)
            _write(beside, (ROOT / self.file).read_bytes())
            written = replace(self, file=str(beside.relative_to(ROOT) if beside.is_relative_to(ROOT) else beside))
        _write(path, written.content())
        return written


def _write(path: Path, content: bytes) -> None:
    """Write a file by rename."""
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content)
    part.replace(path)


class Deployer(Protocol):
    """What deploys a release in one environment; `folder` holds the release's files."""

    def plan(self, manifest: Manifest, folder: Path) -> Plan:
        """Return what would change; change nothing."""

    def apply(self, plan: Plan, manifest: Manifest, folder: Path) -> None:
        """Apply a plan. Interrupted, and applied from a new plan, it ends in the same state."""
