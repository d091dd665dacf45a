"""Compares the server resources per request of the service with those of its peers and of the floors."""

import asyncio
import json
import subprocess
from asyncio.subprocess import PIPE
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from typing import Final

from benchmarks import vegeta
from benchmarks.article import in_turn
from benchmarks.bench import Bench
from benchmarks.keeping import Keep
from benchmarks.load import Recording, requests
from benchmarks.machine import pinned
from benchmarks.options import Options
from benchmarks.peers import environment
from benchmarks.results import Operation, Sample, Start
from benchmarks.subjects import Running, Subject, services
from harness.processes import WITH_HARNESS
from harness.repository import REPOSITORY
from harness.usage import pss_mib

CONNECTIONS: Final = 64
FLOOR_CONNECTIONS: Final = 4
"""Database connections of the floor's program: enough that it never waits only for PostgreSQL."""

_OPERATIONS: Final[tuple[Operation, ...]] = ("get", "post", "put", "page")
_FLOOR_QUERY: Final = "floor-query"
_SERVICES: Final[dict[str, dict[str, str]]] = {
    "service": {},
    "service-two-processes": {},
    "service-without-coalescing": {"DATABASE_COALESCE_READS": "false"},
    "service-four-connections": {"DATABASE_POOL_SIZE": "4"},
}
_NAMES: Final = (*_SERVICES, *environment.COMMANDS)
# Other operations would show nothing: these are settings of reads, and a constant answer.
_GET_ONLY: Final = {"service-without-coalescing", "service-four-connections", "floor-static"}

_START_SECONDS: Final = 3.0
_IDLE_SECONDS: Final = 1.0
_OVERHEAD_SECONDS: Final = 0.8  # resetting the rows before each load, and reading vegeta's results after it
_FLOOR_START_SECONDS: Final = 1.5  # start and warm-up of the floor's program


def seconds(options: Options) -> float:
    """Return the estimated duration."""
    loads = sum(len(_operations(name)) for name in _NAMES)
    each_load = _warm_up_seconds(options) + _load_seconds(options) + _OVERHEAD_SECONDS
    starts = len(_NAMES) * (_START_SECONDS + _IDLE_SECONDS)
    return options.rounds * (starts + loads * each_load + _floor_seconds(options))


async def run(options: Options, bench: Bench, keep: Keep) -> None:
    """Start and load all subjects in interleaved rounds.

    Only one subject runs at a time: two would share mapped memory, and each would seem to need less.
    """
    chosen = subjects(bench)
    for number in range(1, options.rounds + 1):
        for subject in in_turn(chosen, number):
            async with AsyncExitStack() as started:
                await _measure(options, bench, keep, subject, number, started)
        async with keep.step(f"{_FLOOR_QUERY}, round {number} of {options.rounds}", _floor_seconds(options)):
            keep.add(await _floor_query(bench, number, _load_seconds(options)))
        keep.save()


async def _measure(
    options: Options, bench: Bench, keep: Keep, subject: Subject, number: int, started: AsyncExitStack
) -> None:
    of = f"round {number} of {options.rounds}"
    async with keep.step(f"{subject.name} starts, {of}", _START_SECONDS + _IDLE_SECONDS):
        running = await bench.start(subject, started)
        await asyncio.sleep(_IDLE_SECONDS)
        keep.add(Start(subject.name, running.start_seconds, running.memory_mib()))
    for operation in _operations(subject.name):
        async with keep.step(f"{subject.name}, {operation}, warm-up", _warm_up_seconds(options)):
            recording = await _load(bench, running, operation, _warm_up_seconds(options))
            recording()  # reading a recording removes it
    for operation in _operations(subject.name):
        what = f"{subject.name}, {operation}, {of}"
        async with keep.step(what, _load_seconds(options) + _OVERHEAD_SECONDS):
            load = partial(_load, bench, running, operation, _load_seconds(options))
            sample = await bench.sample("comparison", running, operation, number, CONNECTIONS, load)
        keep.add(sample)
        if sample.failures:
            failed = ", ".join(f"{count} × {error}" for error, count in sample.failures.items())
            keep.say(f"{what}: {failed} of {sample.requests}")


def subjects(bench: Bench) -> list[Subject]:
    """Return the service with its defaults and with some changed settings, the peers, and the static floor."""
    bare = services(bench.python, bench.service)["bare"]
    pods = {"service-two-processes": 2}
    peers = {"DATABASE_POOL_SIZE": default_pool_size(bench)}
    return [
        *(replace(bare, name=name, environment=its, pods=pods.get(name, 1)) for name, its in _SERVICES.items()),
        *(Subject(name, environment.command(name, "{port}"), REPOSITORY, peers) for name in environment.COMMANDS),
    ]


async def _load(bench: Bench, running: Running, operation: Operation, seconds: float) -> Recording:
    return await vegeta.closed(requests(operation, running.urls), CONNECTIONS, seconds, bench.scratch)


async def _floor_query(bench: Bench, number: int, seconds: float) -> Sample:
    """Run the query of a GET in a loop. The program is its own load, so it runs on the servers' cores.

    Raises:
        RuntimeError: the program failed.
    """
    await bench.database.reset()
    module = (environment.python(), "-m", "benchmarks.peers.floor_query", str(seconds), str(FLOOR_CONNECTIONS))
    process = await asyncio.create_subprocess_exec(
        *pinned(bench.cores.server), *WITH_HARNESS, *module,
        stdin=PIPE, stdout=PIPE, cwd=REPOSITORY, env={"DATABASE_URL": bench.database.url}, limit=2**20,
    )  # fmt: skip
    assert process.stdin
    assert process.stdout
    await process.stdout.readline()  # the warm-up is over
    database = bench.database.cpu_seconds()
    process.stdin.write(b"\n")
    told = await process.stdout.readline()
    database = bench.database.cpu_seconds() - database
    memory = pss_mib(process.pid)
    process.stdin.close()
    if await process.wait() or not told:
        raise RuntimeError(f"{_FLOOR_QUERY} has failed; what it said is above")
    measured = json.loads(told)
    return Sample(
        experiment="comparison", subject=_FLOOR_QUERY, operation="get", round=number, connections=FLOOR_CONNECTIONS,
        peak_share=None, rate=None, seconds=measured["seconds"], failures={}, cpu_seconds=measured["cpu_seconds"],
        database_cpu_seconds=database, memory_mib=memory,
        histogram={int(step): count for step, count in measured["histogram"].items()},
    )  # fmt: skip


def default_pool_size(bench: Bench) -> str:
    """Return the default pool size of the service, as text for DATABASE_POOL_SIZE."""
    program = "from app.settings import Settings; print(Settings.model_fields['database_pool_size'].default)"
    return subprocess.check_output([bench.python, "-c", program], cwd=bench.service, text=True).strip()


def _operations(name: str) -> Sequence[Operation]:
    return _OPERATIONS[:1] if name in _GET_ONLY else _OPERATIONS


def _load_seconds(options: Options) -> float:
    return options.count(5, 0.5)


def _warm_up_seconds(options: Options) -> float:
    return options.count(1, 0.3)


def _floor_seconds(options: Options) -> float:
    return _load_seconds(options) + _OVERHEAD_SECONDS + _FLOOR_START_SECONDS
