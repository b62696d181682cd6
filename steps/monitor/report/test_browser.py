"""A real browser looks at the report: what axe-core has against it, and whether it fits."""

import html
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from steps.monitor.conftest import page, scored

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
VARIABLE = "BATON_CHROMIUM"
AXE = "axe-core@4"
FOLDER = Path(".baton/axe")
PATIENCE = 120

SCRIPT = """
axe.run().then(found => {
  const problems = found.violations.map(v => v.id + ': ' + v.nodes.map(n => n.html).join(' | '));
  const page = document.documentElement;
  const message = {problems, passes: found.passes.length, width: page.scrollWidth, room: page.clientWidth,
    dark: getComputedStyle(document.body).backgroundColor};
  const result = parent.document.createElement('pre');
  result.id = 'result';
  result.textContent = JSON.stringify(message);
  parent.document.body.append(result);
});
"""


class NoBrowser(Exception):
    """There is no browser, or no axe-core."""


@dataclass(frozen=True)
class Sight:
    """What was seen: axe's problems, how many of its rules passed, the page's width and room, the background."""

    problems: list[str]
    passes: int
    width: int
    room: int
    dark: str


def find() -> str:
    """Return the browser's path.

    Raises:
        NoBrowser: none is installed.
    """
    found = os.environ.get(VARIABLE) or next((path for name in NAMES if (path := shutil.which(name))), None)
    if not found:
        raise NoBrowser(f"No browser: install one of {', '.join(NAMES)}, or set {VARIABLE}.")
    return found


def axe() -> str:
    """Return axe-core's script, from npm the first time.

    Raises:
        NoBrowser: it can't be had.
    """
    script = FOLDER / "node_modules" / "axe-core" / "axe.min.js"
    if not script.exists():
        npm = shutil.which("npm")
        if not npm:
            raise NoBrowser("No npm to install axe-core with.")
        FOLDER.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--silent", "--no-audit", "--no-fund", "--no-save", AXE]
        subprocess.run(command, cwd=FOLDER, check=False, timeout=PATIENCE)
    if not script.exists():
        raise NoBrowser("npm could not install axe-core.")
    return script.read_text(encoding="utf-8")


def open_page(text: str, folder: Path, width: int, dark: bool) -> Sight:
    """Open a page in a frame of a width, in light or dark mode, and return what was seen.

    Raises:
        NoBrowser: there is no browser, no axe-core, or nothing was seen.
    """
    browser = find()
    inside = text.replace("</body>", f"<script>{axe()}</script><script>{SCRIPT}</script></body>")
    frame = f'<iframe title="page" width="{width}" height="900" srcdoc="{html.escape(inside)}"></iframe>'
    file = folder / "frame.html"
    file.write_text(f"<!doctype html><html lang=en><title>frame</title><body>{frame}</body>", encoding="utf-8")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}"]
    command += ["--window-size=1400,1000", "--virtual-time-budget=20000", "--dump-dom"]
    command += [f"--blink-settings=preferredColorScheme={0 if dark else 1}", file.resolve().as_uri()]
    seen = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False).stdout
    found = re.search(r'<pre id="result">(.*?)</pre>', seen, re.DOTALL)
    if not found:
        raise NoBrowser(f"{browser} showed nothing.")
    return Sight(**json.loads(html.unescape(found[1])))


def look(text: str, folder: Path, width: int, dark: bool = False) -> Sight:
    """Look at a page, or skip where that isn't possible; in CI it has to be."""
    try:
        return open_page(text, folder, width, dark)
    except NoBrowser as problem:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(problem))


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (390, False), (390, True)])
def test_a_browser_and_axe_find_nothing_wrong(drifted, tmp_path, width, dark):
    (tmp_path / "earlier").mkdir()
    (tmp_path / "earlier" / "metrics.json").write_text((drifted.output / "metrics.json").read_text())
    assert drifted.run(earlier_results=str(tmp_path / "earlier")) == 0
    opened = page(drifted).replace("<details>", "<details open>")
    seen = look(opened, tmp_path, width, dark)
    assert seen.problems == []
    assert seen.passes > 15
    assert seen.room <= width and seen.width <= seen.room, "the page is wider than the window"
    assert (seen.dark == "rgb(255, 255, 255)") != dark


def test_axe_does_find_what_is_wrong(drifted, tmp_path):
    broken = page(drifted).replace('role="img" aria-label=', 'role="img" data-label=')
    assert any(problem.startswith("svg-img-alt") for problem in look(broken, tmp_path, 1280).problems)


def test_the_page_of_a_models_quality_is_as_readable(job, tmp_path):
    labels, probabilities = scored(300, skill=0.4)
    job.register()
    job.predictions(probabilities)
    job.arrive(labels)
    assert job.run() == 0
    for dark in (False, True):
        seen = look(page(job.container), tmp_path, 390, dark)
        assert seen.problems == [] and seen.width <= seen.room
