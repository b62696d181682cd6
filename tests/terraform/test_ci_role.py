"""CI's role makes an account what it should be: with its own policies, which localaws holds it to."""

from __future__ import annotations

import re

import pytest

from pipeline import templates
from rehearsal import local, provision
from tests.terraform.conftest import World

# The provider looks at a new bucket's lifecycle for a minute until it believes it. What CI needs for it is a row of
# localaws' own tests.
SLOW = re.compile(r'\nresource "aws_s3_bucket_lifecycle_configuration" .*?\n}\n', re.DOTALL)


@pytest.fixture
def begun(_terraform, checkout, tmp_path):
    """An account with what CI stands on: the boundary, CI's role, the states' bucket."""
    with local.serving(tmp_path / "accounts") as address:
        world = World(address, tmp_path / "terraform", checkout)
        account = world.accounts["dev"]
        boundary = provision._boundary(account)
        provision._role(account, "ci", templates.roles(account.settings)["ci"], boundary)
        account.client("s3").create_bucket(Bucket=account.names.state_bucket)
        yield world


def test_ci_makes_a_foundation_and_finds_it_as_it_made_it(begun, checkout, tell):
    module = checkout / "terraform/modules/bucket/main.tf"
    text, left_out = SLOW.subn("", module.read_text())
    assert left_out == 1
    module.write_text(text)
    ci = {"BATON_ROLE": "ci", "AWS_ACCESS_KEY_ID": begun.accounts["dev"].settings.account}
    ci["AWS_SECRET_ACCESS_KEY"] = "local"

    done = begun.run("apply", "dev", "--layer", "foundation", "--yes", **ci)
    assert done.code == 0, done.said[-4000:] + done.complained
    again = begun.run("plan", "dev", "--layer", "foundation", "--detailed-exitcode", **ci)
    assert again.code == 0, again.said[-4000:] + again.complained
    tell(f"\nas CI: foundation made in {done.seconds:.0f} s, planned clean in {again.seconds:.0f} s")
