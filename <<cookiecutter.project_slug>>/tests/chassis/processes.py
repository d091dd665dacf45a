"""Services as real processes: started, observed through their logs, ended by signals."""

import asyncio
import itertools
import json
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp

from chassis.project import ROOT

EXAMPLE = [sys.executable, "-m", "tests.chassis.example"]
PATIENCE_SECONDS = 30  # bounds a test on a slow machine; a test that passes does not wait this long


_NONE: Mapping[str, str] = {}

# Below the ephemeral ports, one of which a client could take before the service listens. Each process starts at a port
# of its own, because tests run in parallel.
_FIRST_PORT, _PORTS = 10_000, 22_768
_NUMBERS = itertools.count(1009 * os.getpid())


def free_port() -> int:
    """Return a port that nobody listens on, a different one each time."""
    while True:
        port = _FIRST_PORT + next(_NUMBERS) % _PORTS
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


@dataclass
class ServiceProcess:
    """A service in a process of its own."""

    process: Process
    port: int
    internal_port: int
    lines: list[dict[str, Any]] = field(default_factory=list)

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def internal(self) -> str:
        return f"http://127.0.0.1:{self.internal_port}"

    async def until_logged(self, event: str) -> dict[str, Any]:
        """Read the log up to the next line of an event."""
        assert self.process.stdout
        async with asyncio.timeout(PATIENCE_SECONDS):
            while text := await self.process.stdout.readline():
                line: dict[str, Any] = json.loads(text)
                self.lines.append(line)
                if line["event"] == event:
                    return line
        raise AssertionError(f"ended without {event}; it logged {self.lines}")

    async def until_ended(self) -> int:
        """Read the log to its end and return the exit status."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            output, _ = await self.process.communicate()
        self.lines += [json.loads(text) for text in output.splitlines()]
        assert self.process.returncode is not None
        return self.process.returncode


@asynccontextmanager
async def service_process(
    database_url: str, command: Sequence[str] = EXAMPLE, *, ready: bool = True, environment: Mapping[str, str] = _NONE
) -> AsyncIterator[ServiceProcess]:
    """Start a service, wait until it is ready unless told not to, and kill what is left of it when the block ends."""
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
        try:
            if ready:
                await service.until_logged("ready")
                await until_ready(service)
            yield service
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                await process.communicate()


async def until_ready(service: ServiceProcess) -> None:
    """Wait until /readyz returns 200, which requires that every worker is ready."""
    async with asyncio.timeout(PATIENCE_SECONDS), aiohttp.ClientSession() as client:
        while (await client.get(f"{service.internal}/readyz")).status != 200:
            await asyncio.sleep(0.02)


async def until_in_flight(service: ServiceProcess, client: aiohttp.ClientSession) -> None:
    """Wait until a request is in flight."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while "http_server_active_requests 0.0" in await (await client.get(f"{service.internal}/metrics")).text():
            await asyncio.sleep(0.02)
