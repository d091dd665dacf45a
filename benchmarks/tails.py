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
from benchmarks.results import Operation
from benchmarks.rounds import Plan, measure, planned_seconds
from benchmarks.subjects import START_SECONDS, peer, service

OPERATIONS: Final[tuple[Operation, ...]] = ("get", "post", "put", "page")
CONNECTIONS: Final = 64
"""Of the closed loop that finds the peak, and the most of the open loop. Less than the limit of requests in flight."""
SAMPLES: Final = 100_000
"""Requests for a p99.9, over all rounds."""

_PEAKS: Final = 3
_TRIALS: Final = 3
_USUAL_PEAK: Final = 5_000  # an assumption for the plan, until the peaks are measured


def seconds(options: Options) -> float:
    """Return the planned duration."""
    peaks = len(OPERATIONS) * (_PEAKS + 1) * planned_seconds(_peak(options), 1)
    each = planned_seconds(_load(options, PEAK_SHARE * _USUAL_PEAK), 2)
    return 2 * START_SECONDS + peaks + options.rounds * len(OPERATIONS) * each


async def run(options: Options, bench: Bench, keep: Keep) -> None:
    """Find the service's peaks in a closed loop. Then send requests at a share of them, beside the control."""
    async with AsyncExitStack() as started:
        running = []
        for subject in (peer(CONTROL), service(bench.python, bench.service)):
            with keep.step(f"{subject.name} starts", START_SECONDS):
                running.append(await bench.start(subject, started))
        control, subject_running = running
        plans = []
        for operation in OPERATIONS:
            rates = []
            for number in range(_PEAKS):
                load = _peak(options)
                with keep.step(f"tails, {operation}, peak {number + 1}", planned_seconds(load, 1)):
                    [sample] = await bench.round("tails", [subject_running], operation, number, load)
                    rates.append(sample.per_second)
            peak = median(rates)
            rate = round(PEAK_SHARE * peak)
            for number in range(_TRIALS):
                load = replace(_peak(options), rate=rate)
                with keep.step(f"tails, {operation}, trial {number + 1}", planned_seconds(load, 1)):
                    [sample] = await bench.round("tails", [subject_running], operation, number, load)
                rate, tried = carried(sample), rate
                if rate == tried:
                    break
            found = _load(options, rate, round(rate / peak, 2))
            keep.say(f"tails, {operation}: {rate:,.0f}/s of {peak:,.0f}/s")
            usual = planned_seconds(_load(options, PEAK_SHARE * _USUAL_PEAK), 2)
            keep.plan(options.rounds * (planned_seconds(found, 2) - usual))
            plans.append(Plan("tails", operation, found, [subject_running]))
        await measure(options, bench, keep, control, plans)


def _peak(options: Options) -> Load:
    return Load(CONNECTIONS, seconds=options.count(2, 0.3), warm_up=options.count(0.5, 0.1))


def _load(options: Options, rate: float, share: float = PEAK_SHARE) -> Load:
    enough = SAMPLES / options.rounds / max(1, rate)
    turns = min(9, max(2, ceil(enough)))
    whole = Load(CONNECTIONS, seconds=1, warm_up=0.5, rate=rate, peak_share=share, turns=turns)
    return replace(whole, seconds=0.4, warm_up=0.1, turns=1) if options.quick else whole
