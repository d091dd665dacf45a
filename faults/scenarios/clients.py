"""Promise 6: slow and hostile clients do not affect other clients, and leave no resources behind."""

import asyncio
import time
from collections import Counter
from itertools import cycle

from faults.bench import SETTINGS, Bench, Scenario
from faults.footprint import GROWTH_PERCENT, Footprint, footprint
from faults.hostile import KINDS, attack
from faults.sockets import Dripping
from harness.http import request
from harness.items import ITEM, create_item
from harness.load import closed_loop
from harness.record import Record, percentile
from harness.row import Row
from harness.waiting import PATIENCE_SECONDS

_OTHERS = 4
_SLOW = 1000
_TIMES_P99 = 2  # the promised limit
_SLACK_SECONDS = 2
_TIMEOUTS = {"head": SETTINGS["header_timeout_seconds"], "body": SETTINGS["body_timeout_seconds"]}
_AT_A_TIME = 50


async def slow(bench: Bench) -> Row:
    """Measures others' latency without slow clients, and among a thousand of them."""
    slow_count, seconds = bench.count(_SLOW, 200), bench.count(30, 8)
    database = await bench.postgres()
    service = await bench.running_service(database.url)
    read = request("GET", f"/v1/items/{await create_item(service.port)}")

    async def others() -> Record:
        record = Record()
        async with closed_loop(service.port, lambda: read, _OTHERS, record):
            await asyncio.sleep(seconds)
        return record

    await others()  # warm-up
    bench.status = "without slow clients"
    without = await others()
    lived: dict[str, list[float]] = {kind: [] for kind in _TIMEOUTS}
    overdue: Counter[str] = Counter()
    beginnings = {
        "head": request("GET", "/v1/items")[:-2] + b"X-Slow: ",
        "body": request("POST", "/v1/items", ITEM)[:-20],
    }

    async def be_slow(kind: str, number: int) -> None:
        await asyncio.sleep(number / slow_count)  # spreads their bytes over the second
        while True:  # each is replaced when it ends
            async with Dripping(service.port, beginnings[kind]) as client:
                try:
                    await asyncio.wait_for(client.until_ended(), _TIMEOUTS[kind] + _SLACK_SECONDS)
                    lived[kind].append(time.perf_counter() - client.begun)
                except TimeoutError:
                    overdue[kind] += 1

    slow_clients = [asyncio.create_task(be_slow(("head", "body")[n % 2], n)) for n in range(slow_count)]
    await asyncio.sleep(1)
    bench.status = f"among {slow_count} slow clients"
    among = await others()
    await asyncio.sleep(max(_TIMEOUTS.values()) + _SLACK_SECONDS)
    for client in slow_clients:
        client.cancel()
    await asyncio.wait(slow_clients)
    p99_without, p99_among = (percentile(record.seconds(), 99) for record in (without, among))
    longest = ", ".join(
        f"a slow {kind} lived at most {max(values):.1f} s" if values else f"no slow {kind} was ended"
        for kind, values in lived.items()
    )
    row = Row(
        f"{slow_count} connections that send a byte a second, half in the head, half in the body",
        f"{_OTHERS} keep-alive clients that read at full speed",
        requests=len(among.outcomes),
        failures=among.failures,
        measured=f"p99 of the others {p99_without * 1000:.1f} ms without, {p99_among * 1000:.1f} ms among; {longest}",
        promise=f"p99 of the others at most {_TIMES_P99} ×, none failed; slow ones ended after {_timeouts()}",
    )
    row.hold(among.failures == 0, f"others failed: {dict(among.errors)}")
    row.hold(p99_among <= _TIMES_P99 * p99_without, f"p99 of the others {p99_among / p99_without:.1f} ×")
    for kind, count in overdue.items():
        row.hold(False, f"{count} with a slow {kind} were still open after {_TIMEOUTS[kind] + _SLACK_SECONDS:g} s")
    return row


def _timeouts() -> str:
    return ", ".join(f"{seconds:g} s ({kind})" for kind, seconds in _TIMEOUTS.items())


async def hostile(bench: Bench) -> Row:
    """Attacks in turn in a dozen ways, and looks for what is left of it."""
    total = bench.count(100_000, 2_000)
    database = await bench.postgres()
    service = await bench.running_service(database.url)
    await create_item(service.port)
    kinds, begun, wrong = cycle(KINDS), 0, Counter[str]()

    async def attack_until(count: int) -> None:
        nonlocal begun
        while begun < count:
            begun += 1
            if mistake := await attack(service.port, next(kinds)):
                wrong[mistake] += 1
            bench.status = f"{begun:,} of {total:,} hostile clients"

    async def attack_together(count: int) -> Footprint:
        async with asyncio.TaskGroup() as attackers:
            for _ in range(_AT_A_TIME):
                attackers.create_task(attack_until(count))
        return await footprint(service, database)

    early = await attack_together(total // 5)
    late = await attack_together(total)
    async with asyncio.timeout(PATIENCE_SECONDS):
        answers = bool(await create_item(service.port))
    row = Row(
        f"{total:,} hostile clients of {len(KINDS)} kinds",
        f"{_AT_A_TIME} at a time",
        requests=total,
        failures=wrong.total(),
        measured=late.since(early),
        promise=f"refused with a 4xx and closed; memory grows {GROWTH_PERCENT} % or less after the first fifth; no "
        "descriptor, connection or request is left",
    )
    row.hold(answers, "it does not answer any more")
    row.hold(not wrong, ", ".join(f"{count} × {mistake}" for mistake, count in wrong.items()))
    late.judge(row, early, judge_memory=not bench.quick)
    return row


SCENARIOS: dict[str, Scenario] = {"clients.slow": slow, "clients.hostile": hostile}
