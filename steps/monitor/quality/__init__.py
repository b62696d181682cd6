"""Predictions compared with ground truth: metrics, and whether they became worse than the registered ones."""
