"""`make run`: the stages in their order, shown while they happen, with a summary at the end."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pipeline import tables, versions
from rehearsal import local
from rehearsal.life import Life, Mail
from rehearsal.view import View

EXPECTED = ("waits for approval", "drifted", "was approved")
"""Words of the mails that the life of a model sends."""


def play(state: Path, results: Path, runtime: str = "process", console: Console | None = None) -> Life:
    """Play the whole life of a model on a localaws of its own; return it, with its story.

    Args:
        state: an empty folder for localaws.
        results: folder of the predictions and reports; replaced at the end.
        runtime: process or docker.
        console: where it is shown.

    Raises:
        CannotStart: localaws can't be started.
        WentWrong: a stage did not end as it should.
    """
    begun = time.monotonic()
    with View(console) as view:
        view.act("Three AWS accounts on this machine")
        with local.serving(state, runtime=runtime) as address:
            os.environ["AWS_ENDPOINT_URL"] = address
            view.say(f"  localaws answers on {address}")
            life = Life(address, view.say, runtime)
            clients = {name: account.client("sagemaker") for name, account in life.accounts.items()}
            with view.watch({name: clients[name] for name in ("dev", "prod")}):
                _stages(life, view)
            life.history()
            saved = _save(life, results)
            _summary(life, view, saved, time.monotonic() - begun)
    return life


def _stages(life: Life, view: View) -> None:
    life.resources()
    view.act("Build every image once, and deploy the release in dev")
    release = life.build()
    view.say(f"  release {release.version}: {len(release.images)} images in dev's registry")
    view.act("Train in dev, register in the registry account")
    first = life.train()
    view.say(f"  version {first} waits for approval: {_measured(life, first)}")
    view.act("A person approves the version; the same digests go to prod")
    life.approve(first, "First version: the gate is passed and the report looks right")
    view.say(f"  images: {life.promote().sentence()}")
    view.act("A clean batch arrives in prod")
    life.score("clean.csv")
    view.act("Its labels arrive, some missing and one twice")
    view.say(f"  {life.evaluate('clean.csv', life.truth('clean.csv')).sentence}")
    view.act("New labels arrive, then a batch that has drifted")
    life.put("prod", "labelled/part-2.csv")
    refused = life.quarantine("shifted.csv")
    view.say(f"  {refused.sentence}")
    view.act("Drift has begun a retraining in prod")
    second = life.retrain()
    view.say(f"  version {second} waits for approval: {_measured(life, second)}")
    view.act("A person approves it; that lets the refused batch through, to the new version")
    life.approve(second, "Learned from the labels that have arrived since")
    life.rescued(refused)
    life.collect(lambda mails: all(any(word in m.subject + m.text for m in mails) for word in EXPECTED))


def _measured(life: Life, version: int) -> str:
    """Return the AUC on the version's own test rows, and how it compares: versions have different test rows."""
    beside = life.story.beside[version]
    compared = f"; minus the champion's on the same rows {beside}" if beside else ""
    return f"AUC {life.story.auc[version]:.3f} on its test rows{compared}"


def _save(life: Life, folder: Path) -> dict[str, Path]:
    """Bring predictions and reports from the accounts' buckets to a folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    saved = {}
    for name, entry in life.story.batches.items():
        uri = f"{entry.predictions}/{name}.out"
        saved[f"predictions of {name}"] = _write(folder / f"{name}.out", life.read("prod", uri))
        report = life.read("prod", f"{entry.report}/report.html")
        saved[f"monitoring of {name} by version {entry.version}"] = _write(
            folder / f"monitoring-{Path(name).stem}.html", report
        )
    for said in life.story.model_quality:
        saved[f"quality of version {said.version}"] = _write(
            folder / f"quality-v{said.version}.html", life.read("prod", said.report or "")
        )
    for version, package in life.story.versions.items():
        report = life.read("registry", versions.report_url(package))
        saved[f"evaluation of version {version}"] = _write(folder / f"evaluation-v{version}.html", report)
    return saved


def _write(file: Path, content: bytes) -> Path:
    file.write_bytes(content)
    return file


def _summary(life: Life, view: View, saved: dict[str, Path], seconds: float) -> None:
    view.act("What came of it")
    table = Table(box=None, padding=(0, 2), show_header=False)
    for version, package in sorted(life.story.versions.items()):
        trained_in = package["CustomerMetadataProperties"]["PipelineExecutionArn"].split(":")[4]
        where = next(name for name, account in life.accounts.items() if account.settings.account == trained_in)
        table.add_row(f"version {version}", f"trained in {where}: {_measured(life, version)}")
    for name, entry in life.story.batches.items():
        rows = list(csv.reader(io.StringIO(saved[f"predictions of {name}"].read_text())))
        note = "; its drift is in the report, and no longer in the way" if (entry.verdict or {}).get("drift") else ""
        table.add_row(name, f"{len(rows)} rows scored by version {entry.version}{note}")
    for said in life.story.model_quality:
        table.add_row(f"labels on version {said.version}", said.sentence)
    for name, entry in life.story.batches.items():
        for finding in _findings(life, entry.report or ""):
            table.add_row(f"drift in {name}", finding)
    for mail in life.story.mails:
        table.add_row(f"mail from {mail.environment}", _headline(mail))
    for what, file in saved.items():
        table.add_row(what, os.path.relpath(file))
    tables.show(table, view.console)
    view.say(f"[bold green]The loop is closed[/] after {seconds:.0f} s")


def _findings(life: Life, report: str) -> list[str]:
    found = json.loads(life.read("prod", f"{report}/constraint_violations.json"))
    return [f"{_subject(item['feature_name'])}: {item['description']}" for item in found["violations"]]


def _subject(feature: str) -> str:
    """Return a violation's feature as reports name it: `*` stands for the whole table."""
    return "all columns together" if feature == "*" else feature


def _headline(mail: Mail) -> str:
    return mail.subject or mail.text.strip('"').split(":")[0]
