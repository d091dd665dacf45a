"""Sends requests at fixed rates, independent of the answers. Measures the latency of clients that act independently.

The article's limits are left out, as in the chart's defaults: a limit below one core stops the process for a part of
every 100 ms, which would hide all other effects.
"""

import math
from contextlib import AsyncExitStack
from functools import partial
from statistics import median
from typing import Final

from benchmarks import vegeta
from benchmarks.article import OPERATIONS, deployments, in_turn
from benchmarks.bench import Bench
from benchmarks.keeping import Keep
from benchmarks.load import requests
from benchmarks.options import Options
from benchmarks.results import Operation
from benchmarks.scale import ARTICLE
from benchmarks.subjects import Running

SHARES: Final = (0.5, 0.7, 0.9)
SAMPLES: Final = 100_000
"""Least number of requests for a p99.9, over all rounds."""
CONNECTIONS: Final = 64
"""Connections of the closed loop that finds the peak. Less than the limit of requests in flight of a process."""

_LEAST_SECONDS = 5.0
_START_SECONDS = 3.0
_OVERHEAD_SECONDS = 1.0  # resetting the rows before each load, and reading vegeta's results after it
_USUAL_PEAK = 2_500  # an assumption for the plan, until the peaks are measured


def seconds(options: Options) -> float:
    """Return the estimated duration."""
    subjects = len(_names(options))
    peaks = subjects * (_START_SECONDS + len(OPERATIONS) * _peak_rounds(options) * _peak_seconds(options))
    return peaks + subjects * len(OPERATIONS) * sum(
        options.rounds * _step_seconds(options, share * _USUAL_PEAK) for share in SHARES
    )


async def run(options: Options, bench: Bench, keep: Keep) -> None:
    """Find each subject's peak in a closed loop. Then send requests at shares of the peak, in interleaved rounds."""
    async with AsyncExitStack() as started:
        running = []
        for subject in deployments(bench, limits=False):
            if subject.name in _names(options):
                async with keep.step(f"{subject.name} starts", _START_SECONDS):
                    running.append(await bench.start(subject, started))
        peaks = await _peaks(options, bench, keep, running)
        planned = sum(options.rounds * _step_seconds(options, share * _USUAL_PEAK) for _ in peaks for share in SHARES)
        known = [options.rounds * _step_seconds(options, share * peak) for peak in peaks.values() for share in SHARES]
        keep.plan(sum(known) - planned)
        for number in range(1, options.rounds + 1):
            for share in SHARES:
                for operation in OPERATIONS:
                    for each in in_turn(running, number):
                        rate = max(1, round(share * peaks[each.subject.name, operation]))
                        await _round(options, bench, keep, each, operation, number, share, rate)
            keep.save()


async def _peaks(
    options: Options, bench: Bench, keep: Keep, running: list[Running]
) -> dict[tuple[str, Operation], float]:
    """Return answers/s by subject and operation: the median of the rounds after a warm-up round."""
    found: dict[tuple[str, Operation], list[float]] = {}
    for number in range(_peak_rounds(options)):
        for operation in OPERATIONS:
            for each in in_turn(running, number):
                load = _peak_seconds(options) - _OVERHEAD_SECONDS
                async with keep.step(f"{each.subject.name}, {operation.upper()}, peak", _peak_seconds(options)):
                    sample = await bench.sample(
                        "open-loop", each, operation, number, CONNECTIONS,
                        partial(vegeta.closed, requests(operation, each.urls), CONNECTIONS, load, bench.scratch),
                    )  # fmt: skip
                if number:
                    keep.add(sample)
                    found.setdefault((each.subject.name, operation), []).append(sample.per_second)
    return {name: median(rates) for name, rates in found.items()}


async def _round(
    options: Options,
    bench: Bench,
    keep: Keep,
    running: Running,
    operation: Operation,
    number: int,
    share: float,
    rate: int,
) -> None:
    settle, load = _settle_seconds(options), _load_seconds(options, rate)
    what = f"{running.subject.name}, {operation.upper()} at {share:.0%} of the peak, {rate}/s for {load:.0f} s"
    if number == 1:
        keep.say(f"{what}: {options.rounds * rate * load:,.0f} samples in {options.rounds} rounds")
    async with keep.step(f"{what}, round {number} of {options.rounds}", _step_seconds(options, rate)):
        keep.add(await bench.sample(
            "open-loop", running, operation, number, vegeta.OPEN_CONNECTIONS,
            partial(vegeta.open_loop, requests(operation, running.urls), rate, load, settle, bench.scratch),
            settle_seconds=settle, rate=rate, peak_share=share,
        ))  # fmt: skip


def _names(options: Options) -> list[str]:
    return ["bare"] if options.quick else [*ARTICLE]


def _peak_rounds(options: Options) -> int:
    return 2 if options.quick else 4


def _peak_seconds(options: Options) -> float:
    return options.count(5, 1) + _OVERHEAD_SECONDS


def _settle_seconds(options: Options) -> float:
    return options.count(1, 0.3)


def _load_seconds(options: Options, rate: float) -> float:
    enough = math.ceil(SAMPLES / options.rounds / max(1, rate))
    return 0.7 if options.quick else max(_LEAST_SECONDS, enough)


def _step_seconds(options: Options, rate: float) -> float:
    return _settle_seconds(options) + _load_seconds(options, rate) + _OVERHEAD_SECONDS
