"""What people look at: which release ran where, since when and by whose approval, and whether its digests agree."""

from __future__ import annotations

import json
from dataclasses import asdict

from rich.markup import escape
from rich.table import Table

from pipeline import tables
from promotion import registry as registries
from promotion import running
from promotion.accounts import account
from promotion.build import ENVIRONMENTS
from promotion.manifest import Manifest
from promotion.releases import Releases

ENDS = ("serving", "failed", "refused")


def history(environment: str = "", everything: bool = False) -> None:
    """Print what ran in each environment, or in one, the newest first; `everything` adds what led there."""
    releases = Releases(account("registry"))
    console = tables.console()
    for name in [environment] if environment else ENVIRONMENTS:
        serving = releases.serving(name)
        console.print(f"{name}: {serving.release if serving else 'no release'}", style="italic", highlight=False)
        table = Table(box=None, pad_edge=False)
        for heading, long in (("when", False), ("what", False), ("release", True), ("by", True), ("why", True)):
            table.add_column(heading, overflow="fold", no_wrap=not long)
        for event in releases.history(name):
            if everything or event.what in ENDS:
                when = event.when[:16].replace("T", " ")
                what = f"{event.action}: {event.what}"
                table.add_row(when, what, event.release, escape(event.who), escape(event.why))
        if table.row_count:
            tables.show(table, console)


def history_json(environment: str = "") -> str:
    """Return every event of each environment, or of one, as JSON, the newest first."""
    releases = Releases(account("registry"))
    named = [environment] if environment else ENVIRONMENTS
    return json.dumps({name: [asdict(event) for event in releases.history(name)] for name in named}, indent=1)


def digests(manifest: Manifest, environment: str, source: str = "dev") -> dict[str, dict[str, str]]:
    """Return step → each image's digest as the manifest, two registries and the running definitions tell it.

    An image that the environment's pipelines don't name has no entry for them.

    Raises:
        RegistryFailed: a registry doesn't answer.
    """
    runs = running.images(account(environment))
    found = {}
    for step, digest in manifest.images.items():
        line = {"manifest": digest}
        for name in dict.fromkeys((source, environment)):
            here = account(name)
            tagged = registries.of(here).tagged(here.names.repository(step), manifest.version)
            line[f"{name}'s registry"] = tagged or "missing"
        if step in runs:
            line[f"{environment} runs"] = runs[step]
        found[step] = line
    return found
