"""Writes a scored batch into the ledger: the last step of the inference pipeline."""
