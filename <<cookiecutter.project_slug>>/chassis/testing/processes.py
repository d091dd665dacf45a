"""Services as real processes: started, observed through their logs, ended by signals."""

import asyncio
import itertools
import json
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from subprocess import Popen
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

import aiohttp

from chassis.project import ROOT

SERVICE = (sys.executable, "-m", "app")
PATIENCE_SECONDS = 30
"""Bounds a wait for another process on a slow machine; a test that passes does not wait this long."""

_POLL_SECONDS = 0.02
_NONE: Mapping[str, str] = MappingProxyType({})

# Below the ephemeral ports, one of which a client could take before the service listens. Each process starts at a port
# of its own, because tests may run in parallel.
_FIRST_PORT, _PORTS = 10_000, 22_768
_NUMBERS = itertools.count(1009 * os.getpid())

# Blocks on a pipe from the tests' process. When that process ends, even by kill -9, the pipe closes, and the guard
# kills the group of processes.
_GUARD = 'cat >/dev/null; kill -s KILL -- "-$0" 2>/dev/null'


def free_port() -> int:
    """Return a port that nobody listens on, a different one each time."""
    while True:
        port = _FIRST_PORT + next(_NUMBERS) % _PORTS
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


@dataclass
class ServiceProcess:
    """A service in a process of its own.

    Attributes:
        process: the process; signals go to it.
        port: the API's port.
        internal_port: the port of the health checks and the metrics.
        lines: the lines of its log that were read so far.
    """

    process: Process
    port: int
    internal_port: int
    lines: list[dict[str, Any]] = field(default_factory=list)

    @property
    def api(self) -> str:
        """The API's address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def internal(self) -> str:
        """The address of the internal port."""
        return f"http://127.0.0.1:{self.internal_port}"

    async def until_logged(self, event: str) -> dict[str, Any]:
        """Read the log up to the next line of an event, and return that line.

        Raises:
            AssertionError: the service has ended; the message has its log.
        """
        assert self.process.stdout
        async with asyncio.timeout(PATIENCE_SECONDS):
            while text := await self.process.stdout.readline():
                line: dict[str, Any] = json.loads(text)
                self.lines.append(line)
                if line["event"] == event:
                    return line
        raise AssertionError(f"ended without {event}; it logged {self.lines}")

    async def until_ready(self) -> None:
        """Wait until /readyz returns 200, which requires that every worker is ready."""
        async with asyncio.timeout(PATIENCE_SECONDS), aiohttp.ClientSession() as client:
            while (await client.get(f"{self.internal}/readyz")).status != 200:
                await asyncio.sleep(_POLL_SECONDS)

    async def until_ended(self) -> int:
        """Read the log to its end and return the exit status."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            output, _ = await self.process.communicate()
        self.lines += [json.loads(text) for text in output.splitlines()]
        assert self.process.returncode is not None
        return self.process.returncode


@asynccontextmanager
async def service_process(
    database_url: str, command: Sequence[str] = SERVICE, *, ready: bool = True, environment: Mapping[str, str] = _NONE
) -> AsyncIterator[ServiceProcess]:
    """Start a service in a process of its own, and kill what is left of it when the block ends.

    Args:
        database_url: the address of its database.
        command: what starts it; `python -m app` by default.
        ready: whether to wait until it is ready.
        environment: further variables, such as its settings.
    """
    port, internal_port = free_port(), free_port()
    settings = {"DATABASE_URL": database_url, "HOST": "127.0.0.1", "LOG_FORMAT": "json", "DRAIN_SECONDS": "0"}
    ports = {"PORT": str(port), "INTERNAL_PORT": str(internal_port)}
    with TemporaryDirectory() as folder:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=ROOT,
            stdout=PIPE,
            stderr=PIPE,
            env=os.environ | settings | ports | {"TMPDIR": folder} | dict(environment),
            start_new_session=True,
        )
        service = ServiceProcess(process, port, internal_port)
        with ended_with_the_tests(process):
            if ready:
                await service.until_logged("ready")
                await service.until_ready()
            yield service
        await process.communicate()


@contextmanager
def ended_with_the_tests(process: Process) -> Iterator[None]:
    """Kill a process and its children when the block ends, and also when the process of the tests is killed.

    Args:
        process: the first process of a session of its own.
    """
    guard = Popen(["sh", "-c", _GUARD, str(process.pid)], stdin=PIPE, start_new_session=True)
    try:
        yield
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        guard.kill()  # before the number of the group may belong to another process
        guard.communicate()
