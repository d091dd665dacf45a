"""`make bench-streams` measures what streams cost beside a bare aiohttp application, and writes docs/streams.md.

The service and the bare application run on the same core and are measured in turn, so that other load on the machine
affects both.
"""

import asyncio
import os
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from typing import Final, NamedTuple
from urllib.request import urlopen

from benchmarks import machine
from benchmarks.baking import bake_service
from benchmarks.bench import opened
from benchmarks.markdown import estimate_cell, renewed
from benchmarks.statistics import estimate
from benchmarks.subjects import Running, Subject, service
from harness.adding import add_streams
from harness.console import say
from harness.http import request
from harness.markdown import table
from harness.repository import REPOSITORY, commit

_PAGE: Final = REPOSITORY / "docs" / "streams.md"
_SETTLE_SECONDS: Final = 2.0


class Scale(NamedTuple):
    """How much is measured."""

    clients: int
    seconds: float
    rows: int
    rounds: int


_FULL, _QUICK = Scale(1000, 6, 300_000, 7), Scale(100, 2, 20_000, 2)
_NAMES: Final = (
    "CPU of {clients} idle clients of server-sent events, %",
    "memory of each of them, KiB",
    "CPU of an event, µs ({clients} clients, an event a second each)",
    "rows a second of an export",
    "CPU of a row, µs",
)


async def main() -> None:
    """Measure, and write the figures into the page; a quick run prints them only."""
    quick = bool(os.environ.get("QUICK"))
    scale = _QUICK if quick else _FULL
    folder, python = bake_service()
    add_streams(folder)
    async with opened(folder, python) as bench:
        bare = Subject("bare aiohttp", (python, "-m", "benchmarks.bare_streams"), REPOSITORY)
        subjects = [service(python, folder), bare]
        rounds: list[list[Sequence[float]]] = [[] for _ in subjects]
        for number in range(scale.rounds):
            async with AsyncExitStack() as started:  # anew: memory that is free already would not be counted
                running = [await bench.start(each, started) for each in subjects]
                for each, figures in zip(running, rounds, strict=True):
                    figures.append(await _round(each, scale))
                    told = ", ".join(f"{value:,.1f}" for value in figures[-1])
                    say(f"round {number + 1}, {each.subject.name}: {told}")
        about = machine.machine(bench.cores, bench.disk) | machine.versions(python)
    lines = _figures(scale, rounds, about)
    if quick:
        say("\n".join(lines))
        return
    _PAGE.write_text(renewed(_PAGE.read_text(encoding="utf-8"), {"streams": lines}), encoding="utf-8")
    say(f"{_PAGE.relative_to(REPOSITORY)} is written.")


async def _round(running: Running, scale: Scale) -> Sequence[float]:
    """Measure a subject. Return the figures of `_NAMES`."""
    before = running.memory_mib()
    clients = await _opened(running, scale.clients, "/v1/events/60000")
    idle = await _cpu_share(running, scale.seconds)
    memory = running.memory_mib() - before
    await _closed(clients)
    clients = await _opened(running, scale.clients, "/v1/events/1000")
    events = await _cpu_share(running, scale.seconds)
    await _closed(clients)
    running.forget_log()
    cpu, begun = running.cpu_seconds(), time.perf_counter()
    await asyncio.to_thread(_read, running, f"/v1/rows/{scale.rows}/0", scale.rows)
    seconds, cpu = time.perf_counter() - begun, running.cpu_seconds() - cpu
    events_us, memory_kib = events * 1e6 / scale.clients, memory * 1024 / scale.clients
    return 100 * idle, memory_kib, events_us, scale.rows / seconds, cpu * 1e6 / scale.rows


async def _cpu_share(running: Running, seconds: float) -> float:
    """Return how many cores the subject uses, after a while."""
    await asyncio.sleep(_SETTLE_SECONDS)
    cpu, begun = running.cpu_seconds(), time.perf_counter()
    await asyncio.sleep(seconds)
    return (running.cpu_seconds() - cpu) / (time.perf_counter() - begun)


async def _opened(running: Running, count: int, path: str) -> list[asyncio.Task[None]]:
    """Open streams, and read from each until it is closed. Return when each has got something."""
    begun = asyncio.Semaphore(0)

    async def follow() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.ports[0])
        writer.write(request("GET", path))
        try:
            await reader.readuntil(b"\n\n")
            begun.release()
            while await reader.read(65536):
                pass
        finally:
            writer.transport.abort()

    clients = [asyncio.create_task(follow()) for _ in range(count)]
    for _ in clients:
        await begun.acquire()
    return clients


async def _closed(clients: Sequence[asyncio.Task[None]]) -> None:
    for client in clients:
        client.cancel()
    for client in clients:
        with suppress(asyncio.CancelledError):
            await client
    await asyncio.sleep(_SETTLE_SECONDS)


def _read(running: Running, path: str, rows: int) -> None:
    """Read an export to its end.

    Raises:
        RuntimeError: it is not complete.
    """
    with urlopen(f"http://127.0.0.1:{running.ports[0]}{path}") as response:
        lines = sum(received.count(b"\n") for received in iter(lambda: response.read(2**18), b""))
    if lines != rows:
        raise RuntimeError(f"{running.subject.name} has sent {lines} of {rows} rows")


def _figures(scale: Scale, rounds: Sequence[Sequence[Sequence[float]]], about: dict[str, str]) -> list[str]:
    rows = []
    for number, name in enumerate(_NAMES):
        ours, bare = ([figures[number] for figures in each] for each in rounds)
        ratios = [one / other for one, other in zip(ours, bare, strict=True) if other]
        ratio = estimate_cell(estimate(ratios)) if len(ratios) == scale.rounds else "–"
        cells = (estimate_cell(estimate(ours)), estimate_cell(estimate(bare)), ratio)
        rows.append((name.format(clients=f"{scale.clients:,}"), *cells))
    measured = ", ".join(f"{name} {about[name]}" for name in ("processor", "python", "aiohttp", "asyncpg", "uvloop"))
    taken = f"Measured in {scale.rounds} rounds on {datetime.now(UTC).date().isoformat()}, commit {commit()}"
    return [*table(("", "service", "bare aiohttp", "ratio"), rows), f"{taken}: {measured}.", ""]


if __name__ == "__main__":
    asyncio.run(main())
