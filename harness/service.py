"""Runs the service in a separate process: starts it, stops it by signals, and observes it from the outside."""

import asyncio
import json
import re
import signal
import time
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.http import Client, request
from harness.ports import free_port
from harness.processes import WITH_HARNESS, kill, spawn
from harness.usage import descriptors, rss_mib
from harness.waiting import PATIENCE_SECONDS, until

_ESTABLISHED = "01"  # the code of this state in /proc/net/tcp
_READYZ, _LIVEZ, _METRICS = (request("GET", path) for path in ("/readyz", "/livez", "/metrics"))


class Service:
    """A service whose ports stay the same across restarts.

    Args:
        folder: the folder of the baked service.
        logs: a folder for its log.
        command: its command line.
        settings: environment variables, beyond the ports.
    """

    def __init__(
        self, folder: Path, logs: Path, command: tuple[str | Path, ...], settings: Mapping[str, str | float]
    ) -> None:
        self.port, self.internal_port = free_port(), free_port()
        self._folder, self._command = folder, command
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
            *WITH_HARNESS, *self._command, log=self._log, cwd=self._folder, environment=self._settings
        )

    async def until_ready(self) -> None:
        """Wait until /readyz succeeds.

        Raises:
            RuntimeError: the process has ended.
            TimeoutError: it does not become ready in time.
        """
        await self._until(self.is_ready, "the service is ready")

    async def until_alive(self) -> None:
        """Wait until /livez succeeds; raises the same errors as `until_ready`."""
        await self._until(self.is_alive, "the service is alive")

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
        return rss_mib(self.pid, name)

    def descriptors(self) -> int:
        return descriptors(self.pid)

    def clients(self) -> int:
        """Return the number of connections to the API, from the kernel's tables."""
        lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
        local_and_state = [(line.split()[1], line.split()[3]) for line in lines]
        return local_and_state.count((f"0100007F:{self.port:04X}", _ESTABLISHED))

    def logged(self, **fields: str) -> list[dict[str, Any]]:
        """Return the lines of the log that have these fields, of all runs so far."""
        lines = self._log.read_text(errors="replace").splitlines()
        found = (
            json.loads(line) for line in lines if line.startswith("{") and all(map(line.__contains__, fields.values()))
        )
        return [each for each in found if fields.items() <= each.items()]

    def last_words(self) -> str:
        """Return the end of the log."""
        with suppress(FileNotFoundError):
            return self._log.read_text(errors="replace").strip()[-300:]
        return ""

    async def _until(self, condition: Callable[[], Awaitable[bool]], what: str) -> None:
        async def holds() -> bool:
            if await condition():
                return True
            if self._process is None or self._process.returncode is not None:
                raise RuntimeError(f"the service did not start: {self.last_words()}")
            return False

        await until(holds, what)

    async def _internal(self, question: bytes) -> int:
        client = Client(self.internal_port, patience=5)
        answer = await client.send(question)
        client.close()
        return answer.status
