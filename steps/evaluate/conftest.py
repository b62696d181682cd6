"""Threads that spin while they wait hold each other up on few cores."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
