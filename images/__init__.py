"""The steps as container images: base, shared layers, builds, registries, checks."""
