"""`make bench-guard` fails if a change makes requests more expensive: it compares their CPU with that of the peer
`aiohttp`, which has the same libraries and nothing of the service.

Both are loaded at the same time on the same core, so that other load on the machine affects both, and only the ratios
are checked. `make bench-guard RECORD=1` writes them to guard.json. Commit that file together with a change that
justifies a new ratio.
"""

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Final

from benchmarks import machine
from benchmarks.baking import bake_service
from benchmarks.bench import Bench, opened
from benchmarks.load import WRITES, requests
from benchmarks.measurement import NAMES
from benchmarks.ratio import in_words, refusal
from benchmarks.results import Operation
from benchmarks.rounds import in_turn
from benchmarks.statistics import Estimate, estimate
from benchmarks.subjects import Running, peer, pool_size, service
from harness.console import say
from harness.load_generator import Generator
from harness.repository import REPOSITORY, commit

FILE: Final = Path(__file__).with_name("guard.json")
_OPERATIONS: Final[tuple[Operation, ...]] = ("get", "post", "put", "page", "keyed-post")
_CONNECTIONS: Final = (4, 64)
"""Of each of the two. With 4, no read waits for another; with 64, the service coalesces reads."""
_LEAST_ROUNDS, _MOST_ROUNDS = 11, 30
_PRECISE: Final = 0.03
"""Rounds are added to a cell until its interval is within this share of the median, on either side."""
_WARM_UP_SECONDS, _LOAD_SECONDS = 0.1, 0.6
_MOST_FAILURES: Final = 0.01
"""Share of all requests. A failure is limited because it costs a different amount of CPU than an answer."""
# On a busy machine a request may wait for a connection longer than the default allows. It must not fail here.
_PATIENT: Final = {"DATABASE_ACQUIRE_TIMEOUT_SECONDS": "2"}


async def main() -> None:
    """Exit with 1 if requests have become more expensive, or if requests failed."""
    folder, python = bake_service()
    async with opened(folder, python) as bench:
        subjects = service(python, folder, **_PATIENT), peer("aiohttp", pool_size(python, folder))
        running = [await bench.start(each) for each in subjects]
        found = await _measure(bench, running)
        told = machine.machine(bench.cores, bench.disk)["processor"]
    say("CPU a request of the service, in multiples of the peer's, by operation and connections:")
    for cell, one in found.items():
        say(f"  {cell}: {in_words(one)}")
    if os.environ.get("RECORD"):
        kept = {"ratios": {cell: round(one.middle, 3) for cell, one in found.items()}}
        of = {"commit": commit(), "python": machine.versions(python)["python"], "processor": told}
        FILE.write_text(json.dumps(kept | of, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        say(f"{FILE.relative_to(REPOSITORY)} is written.")
        return
    recorded = json.loads(FILE.read_text(encoding="utf-8"))
    if (own := machine.versions(python)["python"]) != recorded["python"]:
        say(f"It was recorded with Python {recorded['python']}, and this is {own}: another one changes some percent.")
    if missing := found.keys() - recorded["ratios"].keys():
        say(f"Not recorded, and so not checked: {', '.join(sorted(missing))}. RECORD=1 records them.")
    if why := refusal(found, recorded["ratios"]):
        sys.exit(why)
    say("No cell is dearer than what is recorded and let pass.")


async def _measure(bench: Bench, running: Sequence[Running]) -> dict[str, Estimate]:
    """Measure the ratio of CPU per request in each cell, in interleaved rounds, until it is precise.

    Raises:
        SystemExit: requests failed.
    """
    cells = {f"{NAMES[each]} × {count}": (each, count) for each, count in product(_OPERATIONS, _CONNECTIONS)}
    ratios: dict[str, list[float]] = {cell: [] for cell in cells}
    own, other = (each.subject.name for each in running)
    for number in range(1, _MOST_ROUNDS + 1):
        asked = [cell for cell in cells if number <= _LEAST_ROUNDS or not _precise(estimate(ratios[cell]))]
        for cell in asked:
            costs = await _cpu_us(bench, in_turn(running, number), *cells[cell])  # the first to start costs a bit more
            ratios[cell].append(costs[own] / costs[other])
        if not asked:
            break
        say(f"round {number}: {'; '.join(f'{cell} {ratios[cell][-1]:.2f}' for cell in asked)}")
    return {cell: estimate(each) for cell, each in ratios.items()}


def _precise(found: Estimate) -> bool:
    return max(found.high - found.middle, found.middle - found.low) <= _PRECISE * found.middle


async def _cpu_us(bench: Bench, running: Sequence[Running], operation: Operation, connections: int) -> dict[str, float]:
    """Load both at the same time, and return the CPU time per request of each, in µs."""
    if operation in WRITES:
        await bench.reset()

    async def load(one: Running) -> float:
        generator = await Generator.start(
            requests(operation), one.ports, connections=connections, warm_up=_WARM_UP_SECONDS, seconds=_LOAD_SECONDS
        )
        before = one.cpu_seconds()
        await generator.turn()
        used, outcome = one.cpu_seconds() - before, await generator.end()
        one.forget_log()
        if outcome.failures.total() > _MOST_FAILURES * outcome.requests:
            sys.exit(f"{one.subject.name}: {dict(outcome.failures)} of {outcome.requests} requests failed.")
        return used * 1e6 / outcome.requests

    costs = await asyncio.gather(*map(load, running))
    return {one.subject.name: cost for one, cost in zip(running, costs, strict=True)}


if __name__ == "__main__":
    asyncio.run(main())
