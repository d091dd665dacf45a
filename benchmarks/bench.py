"""The environment of an experiment: a database, running subjects, and the samples of loads."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import machine, postgres
from benchmarks.judge import CONTROL
from benchmarks.load import WRITES, Load, requests
from benchmarks.machine import Cores, pinned
from benchmarks.results import Conditions, Experiment, Operation, Sample, quantile
from benchmarks.subjects import Running, Subject
from harness.commands import run_command
from harness.load_generator import Generator, Outcome
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

    async def round(
        self, experiment: Experiment, subjects: Sequence[Running], operation: Operation, number: int, load: Load
    ) -> list[Sample]:
        """Load the subjects in turns, and return the sample of each. The rows are restored before its first turn."""
        loads: dict[str, _Loaded] = {}
        begun, used = core_usage(), sum(each.cpu_seconds() for each in subjects)
        for turn in range(load.turns):
            for running in subjects if turn % 2 == 0 else reversed(subjects):  # a drift affects all alike
                name = running.subject.name
                if name not in loads:
                    loads[name] = await self._begin(running, operation, load)
                server, database = running.cpu_seconds(), cpu_seconds(self.database.pid)
                await loads[name].generator.turn()
                loads[name].server += running.cpu_seconds() - server
                loads[name].database += cpu_seconds(self.database.pid) - database
        during, used = core_usage().since(begun), sum(each.cpu_seconds() for each in subjects) - used
        outcomes = {name: await each.generator.end() for name, each in loads.items()}
        return [
            Sample(
                experiment=experiment, subject=name, operation=operation, round=number,
                connections=load.connections, peak_share=load.peak_share, rate=load.rate, seconds=outcome.seconds,
                failures=dict(outcome.failures), cpu_seconds=loads[name].server,
                database_cpu_seconds=loads[name].database, memory_mib=loads[name].running.memory_mib(),
                histogram=dict(outcome.histogram),
                conditions=self.conditions(during, used, loads[name].database, outcome),
            )
            for name, outcome in outcomes.items()
        ]  # fmt: skip

    async def _begin(self, running: Running, operation: Operation, load: Load) -> "_Loaded":
        asked: Operation = "get" if running.subject.name == CONTROL else operation
        if asked in WRITES or self._written:
            await self.reset()
        self._written = asked in WRITES
        running.forget_log()
        generator = await Generator.start(
            requests(asked), running.ports, connections=load.connections, rate=load.rate or 0, warm_up=load.warm_up,
            seconds=load.seconds,
        )  # fmt: skip
        return _Loaded(running, generator)

    async def reset(self) -> None:
        """Restore the items to their state before a load."""
        async with self.database.connection() as connection:
            for statement in postgres.RESET:
                await connection.execute(statement)

    def conditions(
        self, during: CoreUsage, servers: float, database: float = 0, outcome: Outcome | None = None
    ) -> Conditions:
        """Return what happened on the machine during a round.

        Args:
            servers: CPU seconds of all subjects in it.
            database: CPU seconds of PostgreSQL during the turns of one.
            outcome: of the load of this one.
        """
        load = (database + outcome.cpu_seconds) / outcome.seconds / len(self.cores.load) if outcome else 0
        return Conditions(
            steal=during.steal,
            others=max(0.0, during.busy(self.cores.server) - servers / during.seconds / len(self.cores.server)),
            load_core=load,
            late_ms=quantile(outcome.lateness, 0.99) if outcome and outcome.lateness else 0,
            generator_us=outcome.cpu_seconds * 1e6 / max(1, outcome.requests) if outcome else 0,
        )


@dataclass
class _Loaded:
    """A subject of a round: its generator, and the CPU seconds of the subject and of PostgreSQL during its turns."""

    running: Running
    generator: Generator
    server: float = 0
    database: float = 0


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
