"""The images: how long builds, starts and the docker runtime take, each beside its floor in the same run."""
