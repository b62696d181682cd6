"""Fixtures of the tests in this folder."""

from images.fixtures import builder, built, docker, project

__all__ = ["builder", "built", "docker", "project"]
