"""Who may do what across accounts: every arrow of docs/accounts.md is allowed, and its neighbours are not."""

import re
from pathlib import Path

import pytest

from localaws.access import policies
from pipeline import settings, templates
from tests.terraform.arrows import ARROWS, Ask

DOCS = Path(__file__).parent.parent.parent / "docs"
EVERYTHING = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def allowed(ask: Ask) -> bool:
    """Whether a request across accounts passes: the role's policies, its boundary and the resource's policy."""
    here, there = (settings.load(name, local=True) for name in (ask.account, ask.at))
    principal = f"arn:aws:iam::{here.account}:role/{here.project}-{ask.role}"
    context = policies.principal_context(principal) | dict(ask.context)
    roles = {name.replace("_", "-"): role for name, role in templates.roles(here).items()}
    own = [EVERYTHING] if ask.all_powerful else list(roles[ask.role]["policies"].values())
    boundary = [EVERYTHING] if ask.all_powerful else [templates.policy("boundary", here)]
    # A repository's policy has no Resource: it is about the repository that it hangs on.
    return (
        policies.decide(own, ask.action, ask.resource, context) == "Allow"
        and policies.decide(boundary, ask.action, ask.resource, context) == "Allow"
        and policies.decide_resource(
            templates.policy(ask.policy, there), principal, ask.action, ask.resource, dict(ask.context)
        )
        == "Allow"
    )


def _named(ask: Ask) -> str:
    powerful = "*" if ask.all_powerful else ""
    return f"{ask.account}-{ask.role}{powerful}-{ask.action}-{ask.resource.split(':', 5)[-1]}"


@pytest.mark.parametrize(
    "ask", [pytest.param(ask, id=f"{arrow.letter}-{_named(ask)}") for arrow in ARROWS for ask in arrow.allowed]
)
def test_an_arrow_is_allowed(ask):
    assert allowed(ask)


@pytest.mark.parametrize(
    "ask", [pytest.param(ask, id=f"{arrow.letter}-{_named(ask)}") for arrow in ARROWS for ask in arrow.denied]
)
def test_its_neighbour_is_not(ask):
    assert not allowed(ask)


def test_every_arrow_stands_on_the_page_and_in_its_picture():
    page, picture = ((DOCS / name).read_text() for name in ("accounts.md", "accounts.svg"))
    letters = [arrow.letter for arrow in ARROWS]

    assert re.findall(r"^\| ([A-Z]) \|", page, re.MULTILINE) == letters
    assert sorted(set(re.findall(r'class="letter"[^>]*>([A-Z])<', picture))) == letters


def test_every_resource_policy_that_names_another_account_has_an_arrow():
    """A policy that lets another account in without an arrow would be untested."""
    with_arrows = {ask.policy for arrow in ARROWS for ask in arrow.allowed}
    prod = settings.load("prod", local=True)
    for file in templates.ROOT.glob("policies/*.json"):
        name = file.stem
        policy = templates.fill(file, prod)
        for statement in policy.get("Statement", ()) if not name.startswith(("role-", "trust-")) else ():
            principals = str(statement.get("Principal", "")) if statement["Effect"] == "Allow" else ""
            others = set(re.findall(r"\d{12}", principals)) - {prod.account}
            assert not others or name in with_arrows, f"{name}: {statement['Sid']}"


@pytest.mark.parametrize(
    ("principal", "external_id", "lets_in"),
    [
        ("arn:aws:iam::222222222222:role/jenkins", "mammography-ci", True),
        ("arn:aws:iam::222222222222:role/jenkins", "guessed", False),
        ("arn:aws:iam::222222222222:role/jenkins", None, False),
        ("arn:aws:iam::222222222222:role/somebody", "mammography-ci", False),
        ("arn:aws:iam::111111111111:role/jenkins", "mammography-ci", False),
    ],
)
def test_the_ci_role_is_jenkins_own(principal, external_id, lets_in):
    trust = templates.roles(settings.load("prod", local=True))["ci"]["trust"]
    context = {"sts:ExternalId": external_id} if external_id else {}
    said = policies.decide_resource(trust, principal, "sts:AssumeRole", "*", context)

    assert (said == "Allow") == lets_in
