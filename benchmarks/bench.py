"""The environment of an experiment: a database, running subjects, and the samples of loads."""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmarks import machine, postgres
from benchmarks.judge import CONTROL
from benchmarks.load import WRITES, Load, requests
from benchmarks.machine import Cores, pinned
from benchmarks.results import Conditions, Experiment, Operation, Sample, quantile
from benchmarks.subjects import Running, Subject
from harness.commands import run_command
from harness.load_generator import Outcome, send
from harness.postgres import Postgres
from harness.postgres_programs import scratch_folder
from harness.processes import allow_many_sockets
from harness.usage import CoreUsage, core_usage, cpu_seconds

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
    database: Postgres
    scratch: Path
    disk: Path
    started: AsyncExitStack = field(default_factory=AsyncExitStack)
    _written: bool = False

    async def start(self, subject: Subject, started: AsyncExitStack | None = None) -> Running:
        """Start a subject on the servers' cores. It stops when `started` closes, by default with the bench."""
        running = Running(subject, self.scratch / f"{subject.name}.log")
        environment = {"DATABASE_URL": self.database.url, "DRAIN_SECONDS": "0", "TMPDIR": str(self.scratch)}
        environment["PYTHONDONTWRITEBYTECODE"] = ""  # later starts find compiled code, as in an image
        await running.start(started or self.started, pinned(self.cores.server), environment)
        return running

    async def sample(
        self, experiment: Experiment, running: Running, operation: Operation, number: int, load: Load
    ) -> Sample:
        """Restore the rows, load a subject, and return the outcome of round `number` and the resources used."""
        asked: Operation = "get" if running.subject.name == CONTROL else operation
        if asked in WRITES or self._written:
            await self.reset()
        self._written = asked in WRITES
        running.forget_log()
        before: list[_Usage] = []
        outcome = await send(
            requests(asked), running.ports, connections=load.connections, rate=load.rate or 0, warm_up=load.warm_up,
            seconds=load.seconds, ready=lambda: before.append(self._usage(running)),
        )  # fmt: skip
        used = self._usage(running).since(before[0])
        return Sample(
            experiment=experiment, subject=running.subject.name, operation=operation, round=number,
            connections=load.connections, peak_share=load.peak_share, rate=load.rate, seconds=outcome.seconds,
            failures=dict(outcome.failures), cpu_seconds=used.server, database_cpu_seconds=used.database,
            memory_mib=running.memory_mib(), histogram=dict(outcome.histogram),
            conditions=self.conditions(used.server, used.machine, outcome),
        )  # fmt: skip

    async def reset(self) -> None:
        """Restore the items to their state before a load."""
        async with self.database.connection() as connection:
            for statement in postgres.RESET:
                await connection.execute(statement)

    def conditions(self, server_cpu_seconds: float, used: CoreUsage, outcome: Outcome | None = None) -> Conditions:
        """Return what else happened on the machine during a load."""
        return Conditions(
            steal=used.steal,
            others=max(0.0, used.busy(self.cores.server) - server_cpu_seconds / used.seconds / len(self.cores.server)),
            load_core=used.busy(self.cores.load),
            late_ms=quantile(outcome.lateness, 0.99) if outcome and outcome.lateness else 0,
            generator_us=outcome.cpu_seconds * 1e6 / max(1, outcome.requests) if outcome else 0,
        )

    def _usage(self, running: Running) -> "_Usage":
        return _Usage(running.cpu_seconds(), cpu_seconds(self.database.pid), core_usage())


class _Usage(NamedTuple):
    """CPU seconds of a subject and of PostgreSQL, and the use of all cores."""

    server: float
    database: float
    machine: CoreUsage

    def since(self, before: "_Usage") -> "_Usage":
        used = self.machine.since(before.machine)
        return _Usage(self.server - before.server, self.database - before.database, used)


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
            database = Postgres(disk, disk, postgres.OPTIONS, pinned(cores.load))
            started.push_async_callback(database.end)
            await database.set_up()
            await run_command(
                python, "-m", "app", "migrate", folder=service, environment={"DATABASE_URL": database.url}
            )
            bench = Bench(service, python, cores, database, Path(scratch), disk, started)
            await bench.reset()
            yield bench
