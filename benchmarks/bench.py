"""What an experiment has at hand: a database, subjects, samples, and how far it is."""

import asyncio
import os
import resource
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
from faults.processes import spawn

_MEMORY = Path("/dev/shm")


@dataclass
class Bench:
    """Where an experiment runs.

    Attributes:
        service: the folder of the baked service.
        python: of its environment.
        scratch: a folder in memory.
        disk: a folder on the disk.
        started: what ends with it.
    """

    service: Path
    python: Path
    cores: Cores
    database: Database
    scratch: Path
    disk: Path
    started: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def start(self, subject: Subject, started: AsyncExitStack | None = None) -> Running:
        """A subject that answers, on the servers' cores; it ends with `started`, or else with the bench."""
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
        """Loads a subject, on fresh rows, and tells what came of it and what it took.

        Args:
            number: of the round, from 1 on.
            load: begins the load; what it returns is read when the CPU times are taken.
            settle_seconds: from the beginning of the load, which are not part of the sample.
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
"""A load to be begun."""


@asynccontextmanager
async def opened(service: Path, python: Path) -> AsyncIterator[Bench]:
    """A bench with a migrated database.

    This process and the load generators, which are its children, keep to the load's cores.
    """
    cores = machine.cores()
    os.sched_setaffinity(0, cores.load)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # an open loop opens what connections it needs
    # The log is written to memory, and read by nobody, as a container's is to a pipe that is emptied.
    memory = _MEMORY if _MEMORY.is_dir() else None
    with TemporaryDirectory(prefix="bench-", dir=memory) as scratch, TemporaryDirectory(prefix="bench-") as disk:
        Path(disk).chmod(0o755)  # PostgreSQL's user may be another one
        async with AsyncExitStack() as started:
            database = await postgres.start(Path(disk), Path(disk), cores, started)
            environment = {"DATABASE_URL": database.url}
            migrating = await spawn(
                python, "-m", "app", "migrate", log=Path(disk, "migrate.log"), cwd=service, environment=environment
            )
            if await migrating.wait():
                raise RuntimeError(Path(disk, "migrate.log").read_text())
            await database.reset()
            yield Bench(service, python, cores, database, Path(scratch), Path(disk), started)
