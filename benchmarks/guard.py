"""`make bench-guard` fails if a change makes requests more expensive: it compares CPU per GET with a bare handler's.

Both are loaded at the same time on the same core, so that other load on the machine affects both, and only the ratio
is checked. `make bench-guard RECORD=1` writes the ratio to guard.json. Commit that file together with a change that
justifies a new ratio.
"""

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from benchmarks import machine, vegeta
from benchmarks.baking import bake_service
from benchmarks.bench import Bench, opened
from benchmarks.comparison import CONNECTIONS, default_pool_size
from benchmarks.load import requests
from benchmarks.ratio import in_words, refusal
from benchmarks.statistics import Estimate, estimate
from benchmarks.subjects import Running, Subject, services
from harness.console import say
from harness.repository import REPOSITORY, commit

FILE: Final = Path(__file__).with_name("guard.json")
_LEAST_ROUNDS, _MOST_ROUNDS = 15, 60
_PRECISE: Final = 0.03
"""Rounds are added until the confidence interval is within this share of the median, on either side."""
_LOAD_SECONDS: Final = 1.0
_MOST_FAILURES: Final = 0.01
"""Share of all requests. A failure is limited because it costs a different amount of CPU than an answer."""


async def main() -> None:
    """Exit with 1 if requests have become more expensive, or if requests failed."""
    record = bool(os.environ.get("RECORD"))
    if not record and not FILE.exists():
        sys.exit("No ratio is recorded: make bench-guard RECORD=1 writes it, from a commit that is as it should be.")
    service, python = bake_service()
    async with opened(service, python) as bench:
        found = await _measure(bench)
        told = machine.machine(bench.cores, bench.disk)["processor"]
    say(f"The service takes {in_words(found)} times the CPU of its bare handler.")
    if record:
        kept = {"ratio": round(found.middle, 3), "low": round(found.low, 3), "high": round(found.high, 3)}
        of = {"commit": commit(), "python": machine.versions(python)["python"], "processor": told}
        FILE.write_text(json.dumps(kept | of, indent=2) + "\n")
        say(f"{FILE.relative_to(REPOSITORY)} is written.")
        return
    record_of = json.loads(FILE.read_text())
    recorded = record_of["ratio"]
    if (own := machine.versions(python)["python"]) != record_of["python"]:
        say(f"It was recorded with Python {record_of['python']}, and this is {own}: another one changes some percent.")
    if why := refusal(found, recorded):
        sys.exit(why)
    say(f"That is {found.middle / recorded - 1:+.1%} from the recorded {recorded:.2f}, which is let pass.")


async def _measure(bench: Bench) -> Estimate:
    """Measure the ratio of CPU per GET, in `_LEAST_ROUNDS` to `_MOST_ROUNDS` rounds, until it is precise.

    Raises:
        SystemExit: requests failed.
    """
    # On a busy machine a request may wait for a connection longer than the default allows. It must not fail here.
    patient = {"DATABASE_ACQUIRE_TIMEOUT_SECONDS": "2"}
    full = replace(services(bench.python, bench.service)["bare"], name="service", environment=patient)
    environment = {"DATABASE_POOL_SIZE": default_pool_size(bench)}
    bare = Subject("bare handler", (bench.python, "-m", "benchmarks.bare_handler"), REPOSITORY, environment)
    running = [await bench.start(full), await bench.start(bare)]
    await _cpu_us(bench, running)
    ratios: list[float] = []
    while True:
        of_service, of_bare = await _cpu_us(bench, running)
        ratios.append(of_service / of_bare)
        found = estimate(ratios)
        say(f"round {len(ratios)}: {of_service:.1f} µs / {of_bare:.1f} µs = {ratios[-1]:.3f}")
        precise = max(found.high - found.middle, found.middle - found.low) <= _PRECISE * found.middle
        if len(ratios) >= _LEAST_ROUNDS and (precise or len(ratios) >= _MOST_ROUNDS):
            return found


async def _cpu_us(bench: Bench, running: Sequence[Running]) -> list[float]:
    """Load the subjects at the same time, and return the CPU time per request of each, in µs."""
    before = [each.cpu_seconds() for each in running]
    loads = (vegeta.closed(requests("get", each.urls), CONNECTIONS, _LOAD_SECONDS, bench.scratch) for each in running)
    recordings = await asyncio.gather(*loads)
    after = [each.cpu_seconds() for each in running]
    outcomes = [recording() for recording in recordings]
    for each, outcome in zip(running, outcomes, strict=True):
        each.forget_log()
        if outcome.failures.total() > _MOST_FAILURES * outcome.requests:
            sys.exit(f"{each.subject.name}: {dict(outcome.failures)} of {outcome.requests} requests failed.")
    return [(end - begin) * 1e6 / outcome.requests for begin, end, outcome in zip(before, after, outcomes, strict=True)]


if __name__ == "__main__":
    asyncio.run(main())
