"""Promise 3: during database faults the service stays alive, responds with 503 in time, and recovers by itself."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import asyncpg

from faults import pgbouncer, tmpfs
from faults.bench import SETTINGS, SLACK_SECONDS, Bench, Scenario
from faults.scenarios.writes import Writers
from faults.watch import Liveness, liveness
from harness.items import create_item
from harness.load import closed_loop, reads_and_writes
from harness.postgres import Postgres
from harness.record import Record, percentile
from harness.row import Row
from harness.service import Service
from harness.toxic_proxy import ToxicProxy

_CLIENTS = 8
_BEFORE_SECONDS = 1
_AFTER_SECONDS = 3
_FAST_SECONDS = 0.25  # the promised limit if the server refuses connections, instead of not responding
_BACK_SECONDS = 1  # the promised limit after a server is back
_PROMOTION_SECONDS = 5  # the promised limit
_DEADLINE_SECONDS = SETTINGS["request_timeout_seconds"]
_COMMAND_SECONDS = SETTINGS["database_command_timeout_seconds"]

Fault: TypeAlias = Callable[[], Awaitable[None]]


async def _experiment(
    name: str, service: Service, fault: Fault, bench: Bench, *, back: float = _BACK_SECONDS, fast: bool = False
) -> Row:
    """Run clients before, during and after a fault. The fault lasts until `fault` returns."""
    record = Record()
    choose = reads_and_writes(await create_item(service.port))
    async with liveness(service) as alive, closed_loop(service.port, choose, _CLIENTS, record):
        bench.status = "before the fault"
        await asyncio.sleep(_BEFORE_SECONDS)
        begun = time.perf_counter()
        bench.status = "the fault is on"
        await fault()
        end = time.perf_counter()
        bench.status = "after the fault"
        await asyncio.sleep(back + _AFTER_SECONDS)
    return _judged(name, record, alive, begun, end, back=back, fast=fast)


def _judged(name: str, record: Record, alive: Liveness, begun: float, end: float, *, back: float, fast: bool) -> Row:
    refused = record.seconds(status=503)
    recovery = record.recovery(end)
    bound = _FAST_SECONDS if fast else _DEADLINE_SECONDS
    row = Row(
        name,
        f"{_CLIENTS} keep-alive clients at full speed, 30 % writes",
        requests=len(record.outcomes),
        failures=record.failures,
        recovery_seconds=recovery,
        measured=f"fault of {end - begun:.1f} s; slowest answer {record.slowest():.2f} s; "
        + (f"p99 of 503 {percentile(refused, 99):.3f} s" if refused else "no 503"),
        promise=f"alive; nothing but 503, p99 within {bound:g} s, none after {_DEADLINE_SECONDS:g} s; "
        f"recovery within {back:g} s",
    )
    row.hold(alive.failed == 0, f"not alive {alive.failed} of {alive.asked} times")
    row.hold(not record.unexpected, f"answers other than 503: {record.unexpected}")
    row.hold(not refused or percentile(refused, 99) <= bound + SLACK_SECONDS, f"p99 of 503 over {bound:g} s")
    row.hold(record.slowest() <= _DEADLINE_SECONDS + SLACK_SECONDS, f"an answer after {record.slowest():.2f} s")
    if recovery is None:
        row.hold(False, "no recovery")
    else:
        row.hold(recovery <= back + SLACK_SECONDS, f"recovery took {recovery:.2f} s")
    return row


async def kill_backend(bench: Bench) -> Row:
    database = await bench.postgres()
    service = await bench.running_service(database.url)

    async def fault() -> None:
        await database.kill_backend()
        await database.until_answering()

    return await _experiment("kill -9 of a backend", service, fault, bench, fast=True)


async def kill_postmaster(bench: Bench) -> Row:
    database = await bench.postgres()
    service = await bench.running_service(database.url)

    async def fault() -> None:
        await database.kill()
        await asyncio.sleep(bench.count(10, 3))
        await database.start()

    return await _experiment("kill -9 of the postmaster, then a restart", service, fault, bench, fast=True)


async def terminate_backends(bench: Bench) -> Row:
    database = await bench.postgres()
    service = await bench.running_service(database.url)

    async def fault() -> None:
        await database.terminate_backends()

    return await _experiment("pg_terminate_backend of all connections", service, fault, bench, fast=True)


async def hang(bench: Bench) -> Row:
    database = await bench.postgres()
    service = await bench.running_service(database.url)

    async def fault() -> None:
        database.stop()
        await asyncio.sleep(bench.count(20, 8))
        database.resume()

    return await _experiment("SIGSTOP of the server: it hangs", service, fault, bench)


async def _through_proxy(
    name: str, bench: Bench, toxic: Callable[[ToxicProxy], object], seconds: float, *, back: float = _BACK_SECONDS,
    fast: bool = False,
) -> Row:  # fmt: skip
    database = await bench.postgres()
    proxy = await bench.proxy(database.url)
    service = await bench.running_service(proxy.url)

    async def fault() -> None:
        toxic(proxy)
        await asyncio.sleep(seconds)
        proxy.heal()

    return await _experiment(name, service, fault, bench, back=back, fast=fast)


def _slow(proxy: ToxicProxy) -> None:
    proxy.delay_seconds = 0.2


async def blackhole(bench: Bench) -> Row:
    name = "connections blackholed in the middle of queries, new ones too"
    return await _through_proxy(name, bench, ToxicProxy.blackhole, bench.count(30, 8), back=2 * _COMMAND_SECONDS)


async def blackhole_at_once(bench: Bench) -> Row:
    """New connections pass again before the service can have missed an answer on the old ones."""
    name = "connections blackholed in the middle of queries, new ones pass"
    return await _through_proxy(name, bench, ToxicProxy.blackhole, 0, back=2 * _COMMAND_SECONDS)


async def reset(bench: Bench) -> Row:
    return await _through_proxy(
        "connections reset, new ones too", bench, ToxicProxy.reset, bench.count(20, 5), fast=True
    )


async def slow(bench: Bench) -> Row:
    return await _through_proxy("200 ms more latency each way", bench, _slow, bench.count(20, 5))


async def too_many_connections(bench: Bench) -> Row:
    database = await bench.postgres(max_connections=20)
    service = await bench.running_service(database.url)

    async def fault() -> None:
        taken = await _take_all(database)
        await asyncio.sleep(bench.count(10, 3))
        for connection in taken:
            connection.terminate()

    return await _experiment("max_connections taken by others", service, fault, bench, fast=True)


async def _take_all(database: Postgres) -> list[asyncpg.Connection]:
    """Open connections until the server accepts no more, and end those of the service."""
    taken = [await database.connect()]
    while True:
        try:
            taken.append(await database.connect())
        except asyncpg.TooManyConnectionsError:
            pids = [connection.get_server_pid() for connection in taken]
            ended = await taken[0].fetchval(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                "WHERE backend_type = 'client backend' AND pid <> ALL ($1)",
                pids,
            )
            if ended == 0:
                return taken


async def disk_full(bench: Bench) -> Row:
    name = "no space left on the disk of the tables"
    small = bench.folder / "small"
    small.mkdir()
    if not await tmpfs.is_possible(small):
        return Row(name, not_run="needs a mount namespace, as root or with user namespaces")
    database = await bench.postgres(inside=tmpfs.inside(small, 64), tablespace=small)
    service = await bench.running_service(database.url)

    async def fault() -> None:
        filler = tmpfs.fill(database.pid, small)
        await asyncio.sleep(bench.count(10, 5))
        filler.unlink()

    row = await _experiment(name, service, fault, bench, fast=True)
    row.hold(bool(row.failures), "no write failed, so the disk was not full")
    return row


async def promotion(bench: Bench) -> Row:
    # Synchronous replication: without it, PostgreSQL itself could lose acknowledged writes.
    primary = await bench.postgres()
    standby = await bench.standby(primary)
    async with primary.connection() as connection:
        await connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        await connection.execute("SELECT pg_reload_conf()")
    hosts = f"127.0.0.1:{primary.port},127.0.0.1:{standby.port}"
    url = f"postgresql://postgres@{hosts}/items?target_session_attrs=read-write"
    service = await bench.running_service(url)

    async def fault() -> None:
        await primary.kill()
        await standby.promote()

    async with Writers(service.port, "/v1/items", "/v1/items") as writers:
        name = "the primary killed and its standby promoted while writing"
        row = await _experiment(name, service, fault, bench, back=_PROMOTION_SECONDS)
    await writers.judge(row, standby)
    return row


async def through_pgbouncer(bench: Bench) -> Row:
    name = "PgBouncer in transaction mode in between, killed and started again"
    found = await pgbouncer.program()
    if found is None:
        return Row(name, not_run=pgbouncer.NEEDED)
    pooler = pgbouncer.PgBouncer(found, bench.folder, bench.logs, await bench.postgres())
    bench.started.push_async_callback(pooler.kill)
    await pooler.start()
    service = await bench.running_service(pooler.url)
    record = Record()
    async with closed_loop(service.port, reads_and_writes(await create_item(service.port)), _CLIENTS, record):
        bench.status = "load through PgBouncer"
        await asyncio.sleep(bench.count(30, 5))

    async def fault() -> None:
        await pooler.kill()
        await asyncio.sleep(bench.count(5, 2))
        await pooler.start()

    row = await _experiment(name, service, fault, bench, fast=True)
    row.measured += f"; before it {record.failures} of {len(record.outcomes)} requests failed"
    row.promise += "; no failed request before it"
    row.hold(record.failures == 0, f"failed without a fault: {dict(record.errors)}")
    return row


SCENARIOS: dict[str, Scenario] = {
    "database.kill-backend": kill_backend,
    "database.kill-postmaster": kill_postmaster,
    "database.terminate": terminate_backends,
    "database.hang": hang,
    "database.blackhole": blackhole,
    "database.blackhole-at-once": blackhole_at_once,
    "database.reset": reset,
    "database.slow": slow,
    "database.too-many-connections": too_many_connections,
    "database.disk-full": disk_full,
    "database.promotion": promotion,
    "database.pgbouncer": through_pgbouncer,
}
