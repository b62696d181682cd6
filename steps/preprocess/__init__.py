"""Splits the labelled table into label-first files by a stable hash of each row."""
