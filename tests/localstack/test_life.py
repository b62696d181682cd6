"""The whole life of a model, with its roles enforced, on LocalStack: the end-to-end test as it stands."""

from tests.test_loop import *  # noqa: F403
