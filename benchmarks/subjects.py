"""Subjects: the HTTP servers that are measured. Starts them, waits until they answer, and stops them."""

import asyncio
import os
import subprocess
import time
from asyncio.subprocess import Process
from collections.abc import Mapping
from contextlib import AsyncExitStack, ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.limits import Limit, limited
from benchmarks.peers import environment as peers
from harness.http import Client, request
from harness.ports import free_port
from harness.processes import WITH_HARNESS, kill, spawn
from harness.repository import REPOSITORY
from harness.usage import cpu_seconds, pss_mib
from harness.waiting import until

_POLL_SECONDS = 0.005
_END_SECONDS = 20
_FIRST = request("GET", "/v1/items/1")


@dataclass(frozen=True)
class Subject:
    """An HTTP server to be measured.

    Attributes:
        name: its name in the results.
        command: its command line; `{port}` is replaced by the port of 127.0.0.1 to listen on.
        folder: its working directory.
        environment: variables beyond HOST, PORT, INTERNAL_PORT, DATABASE_URL and TMPDIR, which all subjects get.
        pods: number of instances, each on its own port.
        limit: CPU and memory limit of each pod; None for no limit.
    """

    name: str
    command: tuple[str | Path, ...]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    pods: int = 1
    limit: Limit | None = None


def service(python: Path, folder: Path, name: str = "service", **environment: str) -> Subject:
    """Return the baked service with its defaults, except the given settings."""
    return Subject(name, (python, "-m", "app"), folder, environment)


def peer(name: str, pool_size: str = "") -> Subject:
    """Return a peer or a floor. A peer needs the number of its database connections."""
    return Subject(name, peers.command(name, "{port}"), REPOSITORY, {"DATABASE_POOL_SIZE": pool_size})


def pool_size(python: Path, folder: Path) -> str:
    """Return the default pool size of the service, which the peers have, too."""
    program = "from app.settings import Settings; print(Settings.model_fields['database_pool_size'].default)"
    return subprocess.check_output([python, "-c", program], cwd=folder, text=True).strip()


class Running:
    """A running subject.

    Attributes:
        ports: the port of each pod on 127.0.0.1.
        start_seconds: time from the command to the first answer, of the slowest pod.
    """

    def __init__(self, subject: Subject, log: Path) -> None:
        self.subject = subject
        self.ports: list[int] = []
        self.start_seconds = 0.0
        self._log = log
        self._processes: list[Process] = []
        self._limits = ExitStack()

    def cpu_seconds(self) -> float:
        """Return the CPU time of all processes of the subject so far."""
        return sum(cpu_seconds(each.pid) for each in self._processes)

    def memory_mib(self) -> float:
        """Return the proportional set size of all processes of the subject."""
        return sum(pss_mib(each.pid) for each in self._processes)

    def forget_log(self) -> None:
        """Truncate the log, which is kept in memory."""
        os.truncate(self._log, 0)

    async def start(self, started: AsyncExitStack, within: tuple[str, ...], environment: Mapping[str, str]) -> None:
        """Start all pods and wait until they answer. They stop when `started` closes.

        Args:
            within: a command prefix that runs the pods on the right cores.
            environment: the variables of all subjects.

        Raises:
            RuntimeError: a pod has exited; the message has the end of its log.
            TimeoutError: a pod did not answer with a 200 in time.
        """
        started.push_async_callback(self._end)
        for _ in range(self.subject.pods):
            port = free_port()
            entered: tuple[str, ...] = ()
            if self.subject.limit:
                entered = self._limits.enter_context(limited(f"{self.subject.name}-{port}", self.subject.limit))
            begun = time.perf_counter()
            command = (str(word).replace("{port}", str(port)) for word in self.subject.command)
            own = {"HOST": "127.0.0.1", "PORT": str(port), "INTERNAL_PORT": str(free_port())}
            process = await spawn(
                *within, *entered, *WITH_HARNESS, *command,
                log=self._log, cwd=self.subject.folder, environment={**environment, **own, **self.subject.environment},
            )  # fmt: skip
            self._processes.append(process)
            await self._until_answering(process, port)
            self.start_seconds = max(self.start_seconds, time.perf_counter() - begun)
            self.ports.append(port)

    async def _until_answering(self, process: Process, port: int) -> None:
        client = Client(port, patience=5)

        async def answers() -> bool:
            if (await client.send(_FIRST)).ok:
                return True
            if process.returncode is not None:
                last_words = self._log.read_text(errors="replace").strip()[-1000:]
                raise RuntimeError(f"{self.subject.name} did not start: {last_words}")
            return False

        await until(answers, f"{self.subject.name} answers", poll_seconds=_POLL_SECONDS)
        client.close()

    async def _end(self) -> None:
        for each in self._processes:
            with suppress(ProcessLookupError):
                each.terminate()
        for each in self._processes:
            try:
                await asyncio.wait_for(each.wait(), _END_SECONDS)
            except TimeoutError:
                await kill(each)
        self._limits.close()
        self._log.unlink(missing_ok=True)
