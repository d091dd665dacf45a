"""Runs the service in a separate process: starts it, stops it by signals, and observes it from the outside."""

import asyncio
import os
import re
import signal
import sys
import time
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path

from harness.http import Client, request
from harness.processes import PATIENCE_SECONDS, POLL_SECONDS, WITH_HARNESS, descriptors, free_port, kill, memory, spawn

APP = (sys.executable, "-m", "app")
GUNICORN = (sys.executable, "-m", "gunicorn", "--config=guniconfig.py", "app_wsgi:app")
EXAMPLE = (sys.executable, "-m", "tests.chassis.example")

_ESTABLISHED = "01"  # the code of this state in /proc/net/tcp
_READYZ, _LIVEZ, _METRICS = (request("GET", path) for path in ("/readyz", "/livez", "/metrics"))


async def migrate(database_url: str) -> None:
    """Run the service's migrations.

    Raises:
        RuntimeError: the migrations failed.
    """
    process = await asyncio.create_subprocess_exec(
        *APP, "migrate", env=os.environ | {"DATABASE_URL": database_url},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"migrate: {output.decode()[-500:]}")


class Service:
    """A service whose ports stay the same across restarts."""

    def __init__(self, logs: Path, command: tuple[str, ...], settings: Mapping[str, str | float]) -> None:
        self.port, self.internal_port = free_port(), free_port()
        self._command = command
        self._log = logs / f"service-{self.port}.log"
        self._settings = {
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "INTERNAL_PORT": str(self.internal_port),
            "TMPDIR": str(logs),  # for Gunicorn's metrics files, which remain after SIGKILL
            **{name: str(value) for name, value in settings.items()},
        }
        self._process: Process | None = None

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    async def start(self) -> None:
        self._process = await spawn(
            *WITH_HARNESS, *self._command, log=self._log, cwd=Path.cwd(), environment=self._settings
        )

    async def until_ready(self) -> None:
        """Wait until /readyz succeeds.

        Raises:
            RuntimeError: the process has ended.
            TimeoutError: it does not become ready in time.
        """
        await self._until(self.is_ready)

    async def until_alive(self) -> None:
        """Wait until /livez succeeds; raises the same errors as `until_ready`."""
        await self._until(self.is_alive)

    async def is_ready(self) -> bool:
        return await self._internal(_READYZ) == 200

    async def is_alive(self) -> bool:
        return await self._internal(_LIVEZ) == 200

    async def gauge(self, name: str) -> float:
        """Return the sum of a metric's series."""
        client = Client(self.internal_port)
        answer = await client.send(_METRICS)
        client.close()
        found = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", answer.body.decode(), re.MULTILINE)
        return sum(map(float, found))

    async def stop(self) -> float:
        """Stop the service with SIGTERM, and return how many seconds that took."""
        assert self._process
        begun = time.perf_counter()
        self._process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._process.wait()
        return time.perf_counter() - begun

    async def kill(self) -> None:
        """Kill the service with SIGKILL."""
        await kill(self._process)

    async def end(self) -> None:
        """Kill the remaining process. Gunicorn's workers notice that their master is gone, and exit."""
        await kill(self._process)

    def memory(self, name: str = "VmRSS") -> float:
        return memory(self.pid, name)

    def descriptors(self) -> int:
        return descriptors(self.pid)

    def clients(self) -> int:
        """Return the number of connections to the API, from the kernel's tables."""
        lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
        local_and_state = [(line.split()[1], line.split()[3]) for line in lines]
        return local_and_state.count((f"0100007F:{self.port:04X}", _ESTABLISHED))

    def last_words(self) -> str:
        """Return the end of the log."""
        with suppress(FileNotFoundError):
            return self._log.read_text(errors="replace").strip()[-300:]
        return ""

    async def _until(self, condition: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await condition():
                if self._process is None or self._process.returncode is not None:
                    raise RuntimeError(f"the service did not start: {self.last_words()}")
                await asyncio.sleep(POLL_SECONDS)

    async def _internal(self, question: bytes) -> int:
        client = Client(self.internal_port, patience=5)
        answer = await client.send(question)
        client.close()
        return answer.status
