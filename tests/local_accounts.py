"""Makes what the local accounts consist of, so that images can be pushed: `python -m tests.local_accounts`."""

import os

from pipeline import settings
from rehearsal import provision


def main() -> None:
    """Make it in the accounts that AWS_ENDPOINT_URL names."""
    accounts = [settings.load(name, local=True) for name in ("dev", "registry", "prod")]
    provision.foundation(provision.local_account(account, os.environ["AWS_ENDPOINT_URL"]) for account in accounts)


if __name__ == "__main__":
    main()
