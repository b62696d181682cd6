"""What the handlers share: the account they run in, named failures, identities, the registry, the ledger."""
