"""Identifiers, states, commands and options use the words of docs/glossary.md; prose is for the reader."""

import argparse
import ast
import re
import subprocess
from pathlib import Path

import pytest

from functions.common import ledger
from pipeline.__main__ import _parser as pipeline_parser
from promotion import releases
from promotion.__main__ import _parser as promotion_parser
from terraform.__main__ import _parser as terraform_parser

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "glossary.md").read_text()
FOLDERS = ("functions", "pipeline", "promotion", "rehearsal", "images", "terraform", "tests")
"""What is held to the glossary so far."""

NOT = (
    "place", "put_in_place", "put_back", "let_through", "set_aside", "aside", "told", "judge", "judged", "judgement",
    "figures", "turn", "front", "kept", "under_way", "canary", "release_batch",
)  # fmt: skip
"""Words of the glossary's column "not" that no identifier has as a part."""


def parts(name: str) -> str:
    """An identifier in snake case between underscores, so that a word is found as a whole."""
    return "_" + "_".join(re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)).lower() + "_"


def wrong(name: str) -> list[str]:
    return [word for word in NOT if re.search(f"_{word}s?_", parts(name))]


def identifiers(file: Path) -> set[str]:
    """What a module calls its own things: classes, functions, arguments, variables, attributes, itself."""
    found = {file.stem}
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add(node.attr)
        elif isinstance(node, ast.alias) and node.asname:
            found.add(node.asname)
    return found


def commands(parser) -> set[str]:
    """Every subcommand and the first, present spelling of every option."""
    found = set()
    for action in parser._actions:
        found |= set(action.option_strings[:1])
        if isinstance(action, argparse._SubParsersAction):
            found |= set(action.choices) | set().union(*map(commands, action.choices.values()))
    return found


@pytest.mark.parametrize("folder", FOLDERS)
def test_identifiers(folder):
    files = [file for file in (ROOT / folder).rglob("*.py") if ".venv" not in file.parts]
    assert files
    found = {str(file.relative_to(ROOT)): sorted(filter(wrong, identifiers(file))) for file in files}
    assert {file: names for file, names in found.items() if names} == {}


def test_an_identifier_is_read_by_its_words():
    assert wrong("_put_in_place") and wrong("PutBack") and wrong("PUT_BACK") and wrong("a_canary2") and wrong("told")
    assert not wrong("placeholder") and not wrong("return_code") and not wrong("keeps") and not wrong("replaced")


def test_states():
    states = {ledger.PENDING, ledger.CLAIMED, ledger.SCORED, ledger.QUARANTINED, ledger.FAILED}
    assert all(f"| {state} | of a batch" in PAGE for state in states)
    actions = {releases.PROMOTE, releases.DEPLOY, releases.ROLLBACK, releases.AUTOMATIC_ROLLBACK}
    assert not [action for action in actions if wrong(action)]


def test_commands_and_options():
    known = set().union(*map(commands, (pipeline_parser(), promotion_parser(), terraform_parser())))
    assert {"requeue", "--release", "--model", "--batch"} <= known and "--version" not in known
    # One release long; its help says what it is called now.
    assert [name for name in known if wrong(name)] == ["release-batch"]


def test_targets():
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = {line.split()[0]: line for line in listed.splitlines() if line.strip()}
    assert [name for name in targets if wrong(name)] == ["release-batch"]
    assert not [line for line in targets.values() if re.search(r"[A-Z]\w*VERSION=|\bVERSION=", line)]


def test_the_page_lists_what_is_held():
    column = " ".join(line.rsplit("|", 2)[1] for line in PAGE.splitlines() if line.count("|") == 4)
    said = parts(re.sub(r"\W+", "_", column))
    assert [word for word in NOT if f"_{word}_" not in said] == []


def made(*words):
    """What a target runs, and what it says beside: the program itself is left out."""
    done = subprocess.run(
        ["make", "--no-print-directory", "-o", ".venv/.ready", *words, "PY=echo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return " ".join(done.stdout.split()), done.stderr


OF_A_RELEASE = (
    "release", "deploy", "rehearse", "plan-release", "promote", "digests", "plan/dev", "apply/dev", "destroy/dev",
)  # fmt: skip


@pytest.mark.parametrize(
    ("target", "word", "option"),
    [("approve", "MODEL", "--model"), *((target, "RELEASE", "--release") for target in OF_A_RELEASE)],
)
def test_a_word_of_before_is_accepted_with_a_sentence(target, word, option):
    said, beside = made(target, f"{word}=3")
    assert f"{option} 3" in said and beside == ""
    before, beside = made(target, "VERSION=3")
    assert before == said and beside == f"VERSION= is {word}= now, and goes with the next release.\n"
    both, _ = made(target, f"{word}=3", "VERSION=4")
    assert both == said


def test_a_target_of_before_is_accepted_with_a_sentence():
    said, beside = made("release-batch", "BATCH=b", "REASON=r")
    assert (said, beside) == (
        made("requeue", "BATCH=b", "REASON=r")[0],
        "release-batch is requeue now, and goes with the next release.\n",
    )


@pytest.mark.parametrize(
    ("parser", "words"),
    [
        (pipeline_parser, ["approve", "--reason", "r"]),
        (promotion_parser, ["promote"]),
        (terraform_parser, ["apply", "dev"]),
    ],
)
def test_an_option_of_before_is_accepted_with_a_sentence(parser, words, capsys):
    now = "--model" if parser is pipeline_parser else "--release"
    name = now.removeprefix("--")
    after = getattr(parser().parse_args([*words, now, "3"]), name)
    assert capsys.readouterr().err == ""
    assert getattr(parser().parse_args([*words, "--version", "3"]), name) == after != ""
    assert capsys.readouterr().err == f"--version is {now} now, and goes with the next release.\n"
