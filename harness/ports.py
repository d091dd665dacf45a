"""Free TCP ports of this machine."""

import itertools
import os
import socket
from contextlib import suppress

# Below the ephemeral ports, so that no client takes a port before a server listens on it. Each process starts at a
# different port, because tests run in parallel.
_FIRST_PORT, _PORTS = 10_000, 22_768
_NUMBERS = itertools.count(1009 * os.getpid())


def free_port() -> int:
    """Return a port that nothing listens on, a different one for each call."""
    while True:
        port = _FIRST_PORT + next(_NUMBERS) % _PORTS
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
