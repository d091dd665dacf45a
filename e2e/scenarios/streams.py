"""Rolling updates under open streams: every client is told of the end, and comes back to a new pod."""

import asyncio
import json
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from e2e.scenario import Scenario
from harness.cluster.bench import Bench
from harness.cluster.release import NAME, deploy, image
from harness.environments import python_for
from harness.repository import REPOSITORY
from harness.row import Row

_COME_BACK_SECONDS = 30

Reports = dict[str, dict[str, Any]]


async def rolling(bench: Bench) -> Row:
    """Restart all pods again and again, under server-sent events and WebSockets."""
    updates, clients = bench.count(5, 1), bench.count(50, 50)
    release, _ = await deploy(bench, image("streaming"))
    row = Row(
        f"{updates} rolling updates in turn, two pods, under open streams",
        f"{clients} clients of server-sent events, five events a second each, and {clients} WebSockets, two messages a "
        "second each, through the Ingress controller; they connect again, with `Last-Event-ID`, 1 s on average after "
        "their stream has ended",
        promise="server-sent events end properly, WebSockets with 1001; no event is missing; all clients are back on "
        "new pods",
    )
    seconds: list[float] = []
    async with _clients(bench, clients) as reports:
        await _until_all_on(bench, reports, await _names(release))
        for number in range(updates):
            bench.status = f"{number} of {updates}"
            old = await _names(release)
            begun = time.monotonic()
            await bench.kubectl("rollout", "restart", f"deployment/{NAME}")
            await bench.kubectl("rollout", "status", f"deployment/{NAME}", "--timeout=3m")
            await release.until_settled()
            new = await _names(release)
            row.hold(not old & new, f"{old & new} are not new")
            await _until_all_on(bench, reports, new)
            seconds.append(time.monotonic() - begun)
        found = await reports()
    row.requests = sum(each["received"] for each in found.values())
    row.failures = sum(sum(each["errors"].values()) for each in found.values())
    for name, each in found.items():
        row.hold(not each["errors"], f"{name}: {each['errors']}")
        ended, wanted = each["ended"], clients * updates
        row.hold(ended >= wanted, f"{name}: {ended} of {wanted} streams have ended properly")
    row.measured = (
        f"all clients on new pods after {min(seconds):.0f} to {max(seconds):.0f} s; "
        f"{sum(each['refused'] for each in found.values())} × 503 from draining pods, repeated"
    )
    return row


async def _names(release: Any) -> set[str]:
    return {pod["metadata"]["name"] for pod in await release.ready_pods()}


async def _until_all_on(bench: Bench, reports: Callable[[], Awaitable[Reports]], pods: set[str]) -> None:
    """Wait until each client is connected to one of the pods."""

    async def connected() -> bool:
        return all({*report["pods"]} <= pods for report in (await reports()).values())

    await bench.until(connected, f"all clients connected to {sorted(pods)}", _COME_BACK_SECONDS)


@asynccontextmanager
async def _clients(bench: Bench, count: int) -> AsyncIterator[Callable[[], Awaitable[Reports]]]:
    """Run the clients; yield a function that asks for their reports."""
    command = python_for(bench.service), "-m", "e2e.stream_clients", bench.options.ingress_port, bench.host, count
    process = await asyncio.create_subprocess_exec(*map(str, command), cwd=REPOSITORY, stdin=PIPE, stdout=PIPE)
    reader, writer = process.stdout, process.stdin
    assert reader
    assert writer

    async def reports() -> Reports:
        writer.write(b"\n")
        found: Reports = json.loads(await reader.readline())
        return found

    try:
        yield reports
    finally:
        writer.close()
        await process.wait()


SCENARIOS: dict[str, Scenario] = {"streams.rolling": rolling}
