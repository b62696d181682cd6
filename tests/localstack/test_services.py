"""What localaws asks of any emulator that is a process of its own, asked of LocalStack."""

from localaws.emulator.test_remote import *  # noqa: F403
from tests.docker.test_localstack_client import *  # noqa: F403

# LocalStack changes functions that run, and theirs is a runtime in a container that isn't to be had here.
del test_functions_that_run_elsewhere_keep_the_endpoint_when_they_are_changed  # noqa: F821
