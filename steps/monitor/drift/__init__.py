"""A batch compared with a baseline: constraints suggested and checked."""
