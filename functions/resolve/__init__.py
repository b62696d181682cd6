"""Which batch, which model: the first step of both pipelines."""
