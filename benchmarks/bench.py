"""The environment of an experiment: a database, running subjects, and the samples of loads."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

from benchmarks import machine, postgres
from benchmarks.load import Recording
from benchmarks.machine import Cores, pinned
from benchmarks.postgres import Database
from benchmarks.results import Experiment, Operation, Sample
from benchmarks.subjects import Running, Subject
from harness.commands import run_command
from harness.postgres_programs import scratch_folder
from harness.processes import allow_many_sockets

_MEMORY = Path("/dev/shm")


@dataclass
class Bench:
    """The environment of an experiment.

    Attributes:
        service: the folder of the baked service.
        python: the interpreter of the service's environment.
        scratch: a folder in memory.
        disk: a folder on the disk.
        started: stops the subjects when the bench closes.
    """

    service: Path
    python: Path
    cores: Cores
    database: Database
    scratch: Path
    disk: Path
    started: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def start(self, subject: Subject, started: AsyncExitStack | None = None) -> Running:
        """Start a subject on the servers' cores. It stops when `started` closes, by default with the bench."""
        running = Running(subject, self.scratch / f"{subject.name}.log")
        environment = {"DATABASE_URL": self.database.url, "DRAIN_SECONDS": "0", "TMPDIR": str(self.scratch)}
        await running.start(started or self.started, pinned(self.cores.server), environment)
        return running

    async def sample(
        self,
        experiment: Experiment,
        running: Running,
        operation: Operation,
        number: int,
        connections: int,
        load: "Load",
        *,
        settle_seconds: float = 0,
        rate: float | None = None,
        peak_share: float | None = None,
    ) -> Sample:
        """Reset the rows, load a subject, and return the outcome and the resources used.

        Args:
            number: number of the round, from 1.
            load: runs the load; the recording that it returns is read after the CPU times.
            settle_seconds: time at the start of the load that is left out of the sample.
        """
        await self.database.reset()
        running.forget_log()
        loading = asyncio.create_task(load())
        await asyncio.sleep(settle_seconds)
        server, database = running.cpu_seconds(), self.database.cpu_seconds()
        recording = await loading
        server, database = running.cpu_seconds() - server, self.database.cpu_seconds() - database
        memory = running.memory_mib()
        outcome = recording()
        return Sample(
            experiment=experiment,
            subject=running.subject.name,
            operation=operation,
            round=number,
            connections=connections,
            peak_share=peak_share,
            rate=rate,
            seconds=outcome.seconds,
            failures=dict(outcome.failures),
            cpu_seconds=server,
            database_cpu_seconds=database,
            memory_mib=memory,
            histogram=dict(outcome.histogram),
        )


Load: TypeAlias = Callable[[], Coroutine[Any, Any, Recording]]
"""Runs a load and returns its recording."""


@asynccontextmanager
async def opened(service: Path, python: Path) -> AsyncIterator[Bench]:
    """Open a bench with a migrated database.

    Pins this process and its children, the load generators, to the load's cores.
    """
    cores = machine.cores()
    os.sched_setaffinity(0, cores.load)
    allow_many_sockets()  # for an open loop
    # The log goes to memory and is not read, which is close to a container's log: a pipe that is emptied.
    memory = _MEMORY if _MEMORY.is_dir() else None
    with TemporaryDirectory(prefix="bench-", dir=memory) as scratch, scratch_folder("bench-") as disk:
        async with AsyncExitStack() as started:
            database = await postgres.start(disk, disk, cores, started)
            await run_command(
                python, "-m", "app", "migrate", folder=service, environment={"DATABASE_URL": database.url}
            )
            await database.reset()
            yield Bench(service, python, cores, database, Path(scratch), disk, started)
