"""Builds a release once, signs it, and carries the same digests from account to account and back."""
