"""The article's matrix: its deployments and one with `max_requests`, in a closed loop of GET, POST and PUT."""

from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Final

from benchmarks.bench import Bench
from benchmarks.judge import CONTROL
from benchmarks.keeping import Keep
from benchmarks.limits import are_possible
from benchmarks.load import Load
from benchmarks.options import Options
from benchmarks.results import Operation
from benchmarks.rounds import Plan, measure
from benchmarks.scale import ARTICLE, connections, scaled
from benchmarks.subjects import Subject, peer, services

OPERATIONS: Final[tuple[Operation, ...]] = ("get", "post", "put")


async def run(options: Options, bench: Bench, keep: Keep) -> None:
    """Start all deployments and the control, and measure them in interleaved rounds."""
    async with AsyncExitStack() as started:
        subjects = [peer(CONTROL), *deployments(bench, limits=are_possible())]
        control, *running = [await bench.start(each, started) for each in subjects]
        clients = connections(len(bench.cores.server))
        load = Load(clients, seconds=options.count(5, 0.5), warm_up=options.count(0.5, 0.2))
        plans = [Plan("article", operation, load, running) for operation in OPERATIONS]
        await measure(options, bench, keep, control, plans)


def deployments(bench: Bench, *, limits: bool) -> list[Subject]:
    """Return the article's deployments, scaled to this machine, with or without their limits."""
    found = []
    for name, subject in services(bench.python, bench.service).items():
        here = scaled(ARTICLE[name], len(bench.cores.server))
        found.append(replace(subject, pods=here.pods, limit=here.limit if limits else None))
    return found
