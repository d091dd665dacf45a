"""The article's matrix: its deployments and one with `max_requests`, loaded by hey with GET, POST and PUT."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

from benchmarks import hey
from benchmarks.bench import Bench
from benchmarks.keeping import Keep
from benchmarks.limits import are_possible
from benchmarks.load import Recording, requests
from benchmarks.options import Options
from benchmarks.results import Operation
from benchmarks.scale import ARTICLE, URLS, connections, scaled
from benchmarks.subjects import Running, Subject, services

OPERATIONS: Final[tuple[Operation, ...]] = ("get", "post", "put")
T = TypeVar("T")

_START_SECONDS = 3.0
_OVERHEAD_SECONDS = 0.8  # resetting the rows before each load, and hey's report after it


def seconds(options: Options) -> float:
    """Return the planned duration."""
    load, warm_up = load_seconds(options)
    each = warm_up + options.rounds * (load + _OVERHEAD_SECONDS)
    return len(ARTICLE) * (_START_SECONDS + len(OPERATIONS) * each)


async def run(options: Options, bench: Bench, keep: Keep) -> None:
    """Warm up all deployments, then measure them in interleaved rounds."""
    load, warm_up = load_seconds(options)
    clients = connections(len(bench.cores.server))
    async with AsyncExitStack() as started:
        running = []
        for subject in deployments(bench, limits=are_possible()):
            async with keep.step(f"{subject.name} starts", _START_SECONDS):
                running.append(await bench.start(subject, started))
        for each in running:
            for operation in OPERATIONS:
                async with keep.step(f"{each.subject.name}, {operation.upper()}, warm-up", warm_up):
                    await _load(each, operation, clients, warm_up)
        for number in range(1, options.rounds + 1):
            for operation in OPERATIONS:
                for each in in_turn(running, number):
                    text = f"{each.subject.name}, {operation.upper()}, round {number} of {options.rounds}"
                    begin = partial(_load, each, operation, clients, load)
                    async with keep.step(text, load + _OVERHEAD_SECONDS):
                        keep.add(await bench.sample("article", each, operation, number, clients, begin))
            keep.save()


def deployments(bench: Bench, *, limits: bool) -> list[Subject]:
    """Return the article's deployments, scaled to this machine, with or without their limits."""
    found = []
    for name, subject in services(bench.python, bench.service).items():
        here = scaled(ARTICLE[name], len(bench.cores.server))
        found.append(replace(subject, pods=here.pods, limit=here.limit if limits else None))
    return found


def in_turn(running: Sequence[T], number: int) -> list[T]:
    """Rotate the order for each round, so that no item always follows the same other one."""
    first = number % len(running)
    return [*running[first:], *running[:first]]


async def _load(running: Running, operation: Operation, clients: int, seconds: float) -> Recording:
    return await hey.run(requests(operation, running.urls, URLS), clients, seconds)


def load_seconds(options: Options) -> tuple[float, float]:
    """Return the duration of a load, and that of a warm-up."""
    return options.count(30, 1), options.count(5, 0.5)
