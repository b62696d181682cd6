"""Which batch, which model, which labels: the first step of every pipeline."""
