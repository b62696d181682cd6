"""What the monitor is measured against: each script runs in an environment of its own, with that environment's Python.

They import nothing of this project.
"""
