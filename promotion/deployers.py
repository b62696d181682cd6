"""Which deployer deploys releases: Terraform in AWS, AWS's own API for local accounts made without it."""

from __future__ import annotations

import importlib
import os

from pipeline import settings
from promotion.accounts import Account
from promotion.errors import DeployFailed
from promotion.plans import Deployer

DIRECT = "promotion.direct:Direct"
TERRAFORM = "terraform.deployer:Terraform"
"""Named, not imported: Terraform's side knows promotion, and promotion only knows what a deployer is."""
NAMES = {"direct": DIRECT, "terraform": TERRAFORM}


def of(account: Account) -> Deployer:
    """Return an account's deployer; BATON_DEPLOYER chooses another: direct, terraform, or a class as module:name.

    Raises:
        DeployFailed: there is none of this name.
    """
    name = os.environ.get("BATON_DEPLOYER") or ("direct" if settings.is_local() else "terraform")
    module, _, kind = NAMES.get(name, name).partition(":")
    try:
        return getattr(importlib.import_module(module), kind)(account)
    except (ImportError, AttributeError, ValueError) as error:
        raise DeployFailed(f"BATON_DEPLOYER={name}: there is no such deployer ({error}).") from None
