"""What localaws asks of any emulator that is a process of its own, asked of LocalStack."""

from localaws.emulator.test_remote import *  # noqa: F403
from tests.docker.test_localstack_client import *  # noqa: F403
