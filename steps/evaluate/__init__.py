"""Measures a model on probabilities and against the champion."""
