"""The latency of the service at a fixed rate, 70 % of its peak: what clients that do not wait for each other see.

The load and PostgreSQL share a core. Where that core would be full at such a rate, the rate is lower: otherwise clients
would wait for it, and not for the service.

There is no CPU limit, as in the chart's defaults: a limit below one core stops the process for a part of every 100 ms,
which would hide all other effects.
"""

from contextlib import AsyncExitStack
from dataclasses import replace
from math import ceil
from statistics import median
from typing import Final

from benchmarks.bench import Bench
from benchmarks.judge import CONTROL
from benchmarks.keeping import Keep
from benchmarks.load import Load, carried
from benchmarks.measurement import PEAK_SHARE
from benchmarks.options import Options
from benchmarks.results import Operation, Sample
from benchmarks.rounds import Plan, measure
from benchmarks.subjects import Running, peer, service
from harness.console import say

OPERATIONS: Final[tuple[Operation, ...]] = ("get", "post", "put", "page")
CONNECTIONS: Final = 64
"""Of the closed loop that finds the peak, and the most of the open loop. Less than the limit of requests in flight."""
SAMPLES: Final = 100_000
"""Requests for a p99.9, over all rounds."""

_PEAKS: Final = 3
_TRIALS: Final = 3


async def run(options: Options, bench: Bench, keep: Keep) -> None:
    """Find the service's peaks in a closed loop. Then send requests at a share of them, beside the control."""
    async with AsyncExitStack() as started:
        control = await bench.start(peer(CONTROL), started)
        running = await bench.start(service(bench.python, bench.service), started)
        plans = []
        for operation in OPERATIONS:
            load = await _highest(options, bench, running, operation)
            say(f"tails, {operation}: {load.rate:,.0f}/s, {load.name}")
            plans.append(Plan("tails", operation, load, [running]))
        await measure(options, bench, keep, control, plans)


async def _highest(options: Options, bench: Bench, running: Running, operation: Operation) -> Load:
    """Find the highest rate, up to a share of the peak, that leaves a part of the load's core free."""
    closed = Load(CONNECTIONS, seconds=options.count(2, 0.3), warm_up=options.count(0.5, 0.1))

    async def tried(load: Load) -> Sample:
        [sample] = await bench.round("tails", [running], operation, 0, load)
        return sample

    peak = median([(await tried(closed)).per_second for _ in range(_PEAKS)])
    rate = round(PEAK_SHARE * peak)
    for _ in range(_TRIALS):
        if (possible := carried(await tried(replace(closed, rate=rate)))) == rate:
            break
        rate = possible
    turns = min(9, max(2, ceil(SAMPLES / options.rounds / max(1, rate))))
    load = Load(CONNECTIONS, seconds=1, warm_up=0.5, rate=rate, peak_share=round(rate / peak, 2), turns=turns)
    return replace(load, seconds=0.4, warm_up=0.1, turns=1) if options.quick else load
