"""The monitor against its peers: speed, memory, start, and how often each is right."""

import steps.monitor  # noqa: F401  # says how many threads matrices take, which numpy reads when it is imported
