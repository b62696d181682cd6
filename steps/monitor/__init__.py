"""Compares a batch with the baseline, as SageMaker Model Monitor does, with tests that hold at any size."""
