"""The service in a process of its own: started, ended by signals, looked at from the outside."""

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

from faults.http import Client, request
from faults.processes import PATIENCE_SECONDS, POLL_SECONDS, WITH_HARNESS, descriptors, free_port, kill, memory, spawn

APP = (sys.executable, "-m", "app")
GUNICORN = (sys.executable, "-m", "gunicorn", "--config=guniconfig.py", "app_wsgi:app")
EXAMPLE = (sys.executable, "-m", "tests.chassis.example")

_ESTABLISHED = "01"  # of the states in /proc/net/tcp
_READYZ, _LIVEZ, _METRICS = (request("GET", path) for path in ("/readyz", "/livez", "/metrics"))


async def migrate(database_url: str) -> None:
    """Brings a database up to date.

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
    """A service that keeps its ports over restarts."""

    def __init__(self, logs: Path, command: tuple[str, ...], settings: Mapping[str, str | float]) -> None:
        self.port, self.internal_port = free_port(), free_port()
        self._command = command
        self._log = logs / f"service-{self.port}.log"
        self._settings = {
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "INTERNAL_PORT": str(self.internal_port),
            "TMPDIR": str(logs),  # Gunicorn's metrics, which a kill -9 leaves behind
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
        """Returns when /readyz says so.

        Raises:
            RuntimeError: the process has ended.
            TimeoutError: it does not get ready.
        """
        await self._until(self.is_ready)

    async def until_alive(self) -> None:
        """Returns when /livez says so; raises as `until_ready` does."""
        await self._until(self.is_alive)

    async def is_ready(self) -> bool:
        return await self._internal(_READYZ) == 200

    async def is_alive(self) -> bool:
        return await self._internal(_LIVEZ) == 200

    async def gauge(self, name: str) -> float:
        """The sum of a metric's series."""
        client = Client(self.internal_port)
        answer = await client.send(_METRICS)
        client.close()
        found = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", answer.body.decode(), re.MULTILINE)
        return sum(map(float, found))

    async def stop(self) -> float:
        """Ends it by SIGTERM and returns how many seconds that took."""
        assert self._process
        begun = time.perf_counter()
        self._process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._process.wait()
        return time.perf_counter() - begun

    async def kill(self) -> None:
        """Ends it by kill -9."""
        await kill(self._process)

    async def end(self) -> None:
        """Ends what is left of it; Gunicorn's workers notice that their master is gone."""
        await kill(self._process)

    def memory(self, name: str = "VmRSS") -> float:
        return memory(self.pid, name)

    def descriptors(self) -> int:
        return descriptors(self.pid)

    def clients(self) -> int:
        """Connections to the API, as the kernel knows them."""
        lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
        local_and_state = [(line.split()[1], line.split()[3]) for line in lines]
        return local_and_state.count((f"0100007F:{self.port:04X}", _ESTABLISHED))

    def last_words(self) -> str:
        """The end of what it has logged."""
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
