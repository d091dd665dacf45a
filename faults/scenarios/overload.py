"""Promise 5: under three times its capacity, the service works at capacity and rejects the other requests quickly."""

import asyncio
import re
import time
from pathlib import Path

from faults.bench import SLACK_SECONDS, Bench, Scenario
from faults.commands import EXAMPLE
from harness.http import Answer, request
from harness.load import open_loop
from harness.record import percentile
from harness.row import Row

_CONNECTIONS = 10
_QUERY_MILLISECONDS = 100
_CAPACITY = _CONNECTIONS * 1000 / _QUERY_MILLISECONDS  # requests per second
_NORMAL, _OVER = 0.7, 3
_GOODPUT, _TIMES_P99, _FAST_SECONDS, _NORMAL_AGAIN_SECONDS = 0.9, 3, 0.25, 2  # the promised limits


async def overload(bench: Bench) -> Row:
    """Sends 70 % of the capacity, three times it, and 70 % again."""
    database = await bench.postgres()
    service = await bench.running_service(database.url, EXAMPLE, DATABASE_POOL_SIZE=_CONNECTIONS)
    question = request("GET", f"/sleep/{_QUERY_MILLISECONDS}")
    normal_seconds, over_seconds = bench.count(20, 5), bench.count(30, 5)
    bench.status = "warming up"  # the pool connects on demand
    await open_loop(service.port, question, _CAPACITY * _NORMAL, 2)
    bench.status = f"{_NORMAL:.0%} of the capacity"
    before = await open_loop(service.port, question, _CAPACITY * _NORMAL, normal_seconds)
    bench.status = f"{_OVER:.0%} of the capacity"
    begun = time.perf_counter()
    during = asyncio.create_task(open_loop(service.port, question, _CAPACITY * _OVER, over_seconds))
    await asyncio.sleep(over_seconds)
    end = time.perf_counter()  # responses are still arriving
    bench.status = f"{_NORMAL:.0%} of the capacity again"
    after = await open_loop(service.port, question, _CAPACITY * _NORMAL, normal_seconds)
    return _judged(before, await during, after, begun, end, service.memory("VmHWM"))


def _judged(
    before: list[Answer], during: list[Answer], after: list[Answer], begun: float, end: float, memory: float
) -> Row:
    answered = sum(each.ok and each.ended <= end for each in during) / (end - begun)
    normal, over = (percentile([each.seconds for each in some if each.ok], 99) for some in (before, during))
    refused = [each for each in during if each.status == 503]
    fast = percentile([each.seconds for each in refused], 99)
    bad = [each for each in during if not each.ok and each.status != 503]
    silent = sum(b"\r\nretry-after:" not in each.head for each in refused)
    troubled = [each.begun - end for each in after if not each.ok or each.seconds > _TIMES_P99 * normal]
    recovery = max(troubled, default=0.0)
    limit = memory_limit()
    row = Row(
        f"{_OVER} times the capacity of {_CAPACITY:.0f} requests/s",
        f"open loop, {end - begun:.0f} s; `DATABASE_POOL_SIZE={_CONNECTIONS}`, queries of {_QUERY_MILLISECONDS} ms",
        requests=len(during),
        failures=sum(not each.ok for each in during),
        recovery_seconds=recovery,
        measured=f"goodput {answered:.0f}/s; p99 of the answered {over * 1000:.0f} ms, {normal * 1000:.0f} ms at "
        f"{_NORMAL:.0%}; p99 of 503 {fast * 1000:.0f} ms; at most {memory:.0f} MiB",
        promise=f"goodput {_GOODPUT:.0%} of the capacity, p99 of the answered {_TIMES_P99} × that at {_NORMAL:.0%}, "
        f"the rest a 503 with Retry-After, p99 {_FAST_SECONDS} s; normal after {_NORMAL_AGAIN_SECONDS} s; {limit} MiB",
    )
    lost_before = sum(not each.ok for each in before)
    row.hold(lost_before == 0, f"{lost_before} failed at {_NORMAL:.0%}")
    row.hold(answered >= _GOODPUT * _CAPACITY, f"goodput {answered:.0f}/s")
    row.hold(over <= _TIMES_P99 * normal, f"p99 of the answered {over / normal:.1f} × that at {_NORMAL:.0%}")
    row.hold(bool(refused), "nothing was refused")
    row.hold(not bad, f"{len(bad)} answers other than 200 and 503")
    row.hold(silent == 0, f"{silent} × 503 without Retry-After")
    row.hold(not refused or fast <= _FAST_SECONDS + SLACK_SECONDS, f"p99 of 503 {fast:.2f} s")
    row.hold(recovery <= _NORMAL_AGAIN_SECONDS, f"normal after {recovery:.1f} s")
    row.hold(memory <= limit, f"{memory:.0f} MiB of memory")
    return row


def memory_limit() -> int:
    """Return the memory limit of a pod in the chart, in MiB."""
    found = re.search(r"limits:\n(?:\s+\w+:.*\n)*?\s+memory: (\d+)Mi", Path("chart/values.yaml").read_text())
    assert found
    return int(found[1])


SCENARIOS: dict[str, Scenario] = {"overload.thrice": overload}
