"""The CPU and the latency of a request at several loads: of the service, its peers, and what is the least possible."""

import asyncio
import json
from asyncio.subprocess import PIPE
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from typing import Final

from benchmarks.bench import Bench
from benchmarks.judge import CONTROL
from benchmarks.keeping import Keep
from benchmarks.load import Load, requests
from benchmarks.machine import pinned
from benchmarks.measurement import ALONE, FLOOR_LOAD, MIDDLE, PEERS
from benchmarks.options import Options
from benchmarks.peers import environment
from benchmarks.results import Footprint, Operation, Sample
from benchmarks.rounds import Plan, measure
from benchmarks.subjects import Running, Subject, peer, pool_size, service
from harness.console import say
from harness.load_generator import send
from harness.processes import WITH_HARNESS
from harness.repository import REPOSITORY
from harness.usage import core_usage, cpu_seconds

OPERATIONS: Final[tuple[Operation, ...]] = ("get", "post", "put", "page", "keyed-post")
CONNECTIONS: Final = (1, 4, 16, 64)
RATES: Final = (500, 2_000)
WHOLE: Final = ("service", "aiohttp", "blacksheep")
"""Subjects that are measured at all loads."""
_RIVAL_OF_PAGES: Final = "litestar"  # the fastest peer there, so its pages are measured at all loads

_FLOOR_QUERY: Final = "floor-query"
_FLOOR_CONNECTIONS: Final = 4  # database connections: enough that the floor never waits only for PostgreSQL
_IDLE_SECONDS: Final = 1.0


async def run(options: Options, bench: Bench, keep: Keep) -> None:
    """Measure the footprint of each subject alone; then start all, and load them in turn in interleaved rounds."""
    subjects = _subjects(bench)
    await _footprints(options, bench, keep, list(subjects.values()))
    async with AsyncExitStack() as started:
        running = {name: await bench.start(each, started) for name, each in subjects.items()}
        await measure(options, bench, keep, running[CONTROL], list(_plans(options, bench, running)))


def _subjects(bench: Bench) -> dict[str, Subject]:
    bare = service(bench.python, bench.service)
    alone = service(bench.python, bench.service, ALONE, DATABASE_COALESCE_READS="false")
    size = pool_size(bench.python, bench.service)
    return {each.name: each for each in (bare, alone, *(peer(name, size) for name in (*PEERS, CONTROL)))}


def _plans(options: Options, bench: Bench, running: Mapping[str, Running]) -> Iterator[Plan]:
    for load in _loads(options):
        for operation in OPERATIONS:
            subjects = [running[name] for name in _names(operation, load)]
            floor = operation == "get" and load.name == FLOOR_LOAD
            extra = partial(_floor_query, bench, load) if floor else None
            yield Plan("matrix", operation, load, subjects, extra)


def _names(operation: Operation, load: Load) -> Sequence[str]:
    """Return the names of the subjects of a cell."""
    if operation == "keyed-post":
        return ("service",)  # the peers have no idempotency keys
    whole = (*WHOLE[:1], ALONE, *WHOLE[1:]) if operation == "get" else WHOLE
    if load.name == MIDDLE:
        return (*whole, *(each for each in PEERS if each not in WHOLE))
    return (*whole, _RIVAL_OF_PAGES) if operation == "page" else whole


def _loads(options: Options) -> list[Load]:
    closed = [_load(options, 1.2, each) for each in CONNECTIONS]
    return closed + [_load(options, 2.4 if each < 1_000 else 1.2, max(CONNECTIONS), each) for each in RATES]


def _load(options: Options, seconds: float, connections: int, rate: float | None = None) -> Load:
    """Return a load of so many seconds in turns."""
    # At the end of a turn fewer connections are busy than in the middle, so many connections take longer turns.
    turn = 0.1 if rate or connections < max(CONNECTIONS) else 0.24
    whole = Load(connections, turn, warm_up=0.3, rate=rate, turns=round(seconds / turn))
    return replace(whole, warm_up=0.1, turns=1) if options.quick else whole


async def _footprints(options: Options, bench: Bench, keep: Keep, subjects: Sequence[Subject]) -> None:
    """Start each subject alone: two at a time share mapped memory, and each would seem to need less."""
    for number in keep.rounds("footprints", 1 if options.quick else 5):
        for subject in subjects:
            say(f"footprint {number} of {subject.name}")
            keep.results.footprints.append(await _footprint(options, bench, subject))
    await bench.reset()


async def _footprint(options: Options, bench: Bench, subject: Subject) -> Footprint:
    async with AsyncExitStack() as started:
        running = await bench.start(subject, started)
        await asyncio.sleep(_IDLE_SECONDS)
        idle = running.memory_mib()
        for operation in OPERATIONS[: 1 if subject.name == CONTROL else 4]:
            load = options.count(0.5, 0.1)
            await send(requests(operation), running.ports, connections=max(CONNECTIONS), seconds=load)
        return Footprint(subject.name, running.start_seconds, idle, running.memory_mib())


async def _floor_query(bench: Bench, load: Load, number: int) -> Sample:
    """Run the query of a GET in a loop. The program is its own load, so it runs on the servers' cores.

    Raises:
        RuntimeError: the program failed.
    """
    module = ("-m", "benchmarks.peers.floor_query", str(load.turns * load.seconds), str(_FLOOR_CONNECTIONS))
    process = await asyncio.create_subprocess_exec(
        *pinned(bench.cores.server), *WITH_HARNESS, environment.python(), *module,
        stdin=PIPE, stdout=PIPE, cwd=REPOSITORY, env={"DATABASE_URL": bench.database.url}, limit=2**20,
    )  # fmt: skip
    assert process.stdin
    assert process.stdout
    await process.stdout.readline()  # the warm-up is over
    database, used = cpu_seconds(bench.database.pid), core_usage()
    process.stdin.write(b"\n")
    told = await process.stdout.readline()
    database, used = cpu_seconds(bench.database.pid) - database, core_usage().since(used)
    if await process.wait() or not told:
        raise RuntimeError(f"{_FLOOR_QUERY} has failed; what it said is above")
    measured = json.loads(told)
    return Sample(
        experiment="matrix", subject=_FLOOR_QUERY, operation="get", round=number, connections=load.connections,
        peak_share=None, rate=None, seconds=measured["seconds"], failures={}, cpu_seconds=measured["cpu_seconds"],
        database_cpu_seconds=database, memory_mib=0,
        histogram={int(step): count for step, count in measured["histogram"].items()},
        conditions=bench.conditions(used, measured["cpu_seconds"]),
    )  # fmt: skip
