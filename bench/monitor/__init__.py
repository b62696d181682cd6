"""The monitor against its peers: speed, memory, start, and how often each is right."""
