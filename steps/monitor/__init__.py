"""Compares a batch with the baseline, as SageMaker Model Monitor does, with tests that hold at any size."""

import os

# The only matrices have at most 1,200 rows; more threads would wait for each other longer than they work.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
