"""Serves a model: raw rows in, probabilities out."""
