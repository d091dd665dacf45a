"""A real Redis for tests."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from harness.ports import free_port


@contextmanager
def redis_server() -> Iterator[str]:
    """Run a Redis, and yield its address once it accepts connections."""
    port = free_port()
    options = ["--port", str(port), "--save", "", "--bind", "127.0.0.1", "--daemonize", "no"]
    with subprocess.Popen(["redis-server", *options], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        assert any("Ready to accept connections" in line for line in server.stdout)
        try:
            yield f"redis://127.0.0.1:{port}"
        finally:
            server.kill()
