"""Database faults: responses arrive in time, the process stays alive, and it recovers without a restart."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TypeAlias
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from chassis.development.postgres import embedded_postgres
from chassis.migrations.run import migrate
from chassis.postgres.pool import Pool
from chassis.postgres.pool_metrics import measure_pool
from chassis.settings import Settings
from chassis.telemetry.metrics import CONNECTIONS
from chassis.testing.databases import make_database
from chassis.testing.processes import PATIENCE_SECONDS
from harness.toxic_proxy import ToxicProxy, toxic_proxy
from tests.chassis.conftest import Running, Start

COMMAND_TIMEOUT_SECONDS = 0.5
TIMEOUTS = {
    "database_connect_timeout_seconds": 0.2,
    "database_command_timeout_seconds": COMMAND_TIMEOUT_SECONDS,
    "database_statement_timeout_seconds": 0.4,
    "database_lock_timeout_seconds": 0.3,
    "database_pool_size": 5,
}
# Requests that are sent at once take turns, for as long as a busy machine needs.
ONE_CONNECTION = {"database_pool_size": 1, "database_acquire_timeout_seconds": 3}
# The longest that a request may take while the database is away: the sum of its timeouts, plus slack.
BOUND_SECONDS = 0.15 + 0.2 + COMMAND_TIMEOUT_SECONDS + 0.2 + 2
RECOVERY_SECONDS = 2 * COMMAND_TIMEOUT_SECONDS + 2


Operator: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
OTHERS = "pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


@pytest.fixture
async def operator(database_url: str) -> AsyncIterator[Operator]:
    """A direct connection to the database, which no fault affects."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def until_working(operator: Operator, count: int) -> None:
    """Wait until this many of the service's connections execute a statement."""
    async with asyncio.timeout(BOUND_SECONDS):
        while (
            await operator.fetchval(
                f"SELECT count(*) FROM {OTHERS} AND state = 'active' AND query LIKE 'SELECT pg_sleep%'"
            )
            < count
        ):
            await asyncio.sleep(0.01)


@pytest.fixture
async def proxy(database_url: str) -> AsyncIterator[ToxicProxy]:
    async with toxic_proxy(database_url) as made:
        yield made


@pytest.fixture
async def service(start: Start, proxy: ToxicProxy) -> Running:
    """The example with all its database connections open."""
    running = await start(database_url=SecretStr(proxy.url), **TIMEOUTS)
    await all_at_once(running, 200, "/sleep/20")
    return running


async def all_at_once(service: Running, status: int, path: str = "/transaction", most_seconds: float = 30) -> None:
    """Send one request per connection; check the statuses, the time, and that the process stays alive meanwhile."""
    begun = time.monotonic()
    asked = [asyncio.create_task(service.api.get(path)) for _ in range(5)]
    assert (await service.internal.get("/livez")).status == 200
    for response in await asyncio.gather(*asked):
        assert response.status == status, await response.text()
        assert (response.headers.get("Retry-After") is not None) == (status == 503)
    assert time.monotonic() - begun < most_seconds


async def until_recovered(service: Running, path: str = "/transaction") -> None:
    """Wait until the service responds with 200, and check that it keeps doing so."""
    async with asyncio.timeout(RECOVERY_SECONDS):
        while (await service.api.get(path)).status != 200:
            await asyncio.sleep(0.01)
    for _ in range(2):
        await all_at_once(service, 200, path)


async def test_a_network_that_swallows_everything(service: Running, proxy: ToxicProxy, operator: Operator) -> None:
    asked = asyncio.create_task(all_at_once(service, 503, "/sleep/300", BOUND_SECONDS))
    await until_working(operator, 5)
    proxy.blackhole()
    await asked
    await all_at_once(service, 503, most_seconds=BOUND_SECONDS)
    assert (await service.internal.get("/readyz")).status == 200  # an outage must not make every pod unready
    proxy.heal()
    await until_recovered(service)


async def test_connections_that_are_reset(service: Running, proxy: ToxicProxy, operator: Operator) -> None:
    asked = asyncio.create_task(all_at_once(service, 503, "/sleep/300", BOUND_SECONDS))
    await until_working(operator, 5)
    proxy.reset()
    await asked
    await all_at_once(service, 503, most_seconds=BOUND_SECONDS)
    proxy.heal()
    await all_at_once(service, 200)
    proxy.reset()  # while the connections are idle
    proxy.heal()
    await until_recovered(service)


async def test_a_slow_network_only_slows_down(service: Running, proxy: ToxicProxy) -> None:
    proxy.delay_seconds = 0.02
    await all_at_once(service, 200)


async def test_backends_that_an_operator_ends(service: Running, operator: Operator) -> None:
    asked = asyncio.create_task(all_at_once(service, 503, "/sleep/300", BOUND_SECONDS))
    await until_working(operator, 5)
    await operator.fetch(f"SELECT pg_terminate_backend(pid) FROM {OTHERS}")
    await asked
    await all_at_once(service, 200)


async def test_connections_that_an_operator_ends_while_they_are_idle_are_not_counted(
    settings: Settings, operator: Operator
) -> None:
    async with Pool(settings) as pool:
        await asyncio.gather(*(pool.fetch("SELECT pg_sleep(0.05)") for _ in range(2)))
        assert (pool.size, pool.idle) == (2, 2)
        assert len(await operator.fetch(f"SELECT pg_terminate_backend(pid) FROM {OTHERS}")) == 2
        async with asyncio.timeout(PATIENCE_SECONDS):
            while pool.size or pool.idle:
                assert 0 <= pool.idle <= pool.size
                await asyncio.sleep(0)
        measuring = asyncio.create_task(measure_pool(pool))
        await asyncio.sleep(0)  # the gauges are set at once, and then every second
        measuring.cancel()
    assert [CONNECTIONS.labels(state)._value.get() for state in ("used", "idle")] == [0, 0]


async def test_no_connection_is_left(start: Start, database_url: str, operator: Operator) -> None:
    await operator.execute("DROP ROLE IF EXISTS few")
    await operator.execute("CREATE ROLE few LOGIN PASSWORD 'few' CONNECTION LIMIT 10 IN ROLE pg_read_all_data")
    address = urlsplit(database_url)
    host = address.netloc.rpartition("@")[2]
    service = await start(database_url=SecretStr(address._replace(netloc=f"few:few@{host}").geturl()), **TIMEOUTS)
    await all_at_once(service, 200)
    await operator.execute("ALTER ROLE few CONNECTION LIMIT 0")
    await operator.fetch(f"SELECT pg_terminate_backend(pid) FROM {OTHERS}")
    for _ in range(2):
        await all_at_once(service, 503, most_seconds=BOUND_SECONDS)
    await operator.execute("ALTER ROLE few CONNECTION LIMIT 10")
    await all_at_once(service, 200)
    service.stop.request(immediate=True)
    await service.served
    await operator.execute("DROP ROLE few")


async def test_a_server_that_became_a_standby_is_left_for_the_one_that_takes_writes(
    start: Start, database_url: str, operator: Operator
) -> None:
    name = await operator.fetchval("SELECT quote_ident(current_database())")
    await operator.execute("CREATE TABLE IF NOT EXISTS notes (text text)")
    try:
        await operator.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        service = await start(**TIMEOUTS)
        for _ in range(2):
            answer = await service.api.post("/search-and-write?word=a")
            assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
        await operator.execute("SET default_transaction_read_only = off")
        await operator.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
        assert (await service.api.post("/search-and-write?word=a")).status == 200
    finally:
        await operator.execute("SET default_transaction_read_only = off")
        await operator.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
        await operator.execute("DROP TABLE notes")


async def test_where_a_connection_has_to_take_writes_a_standby_is_not_available(
    start: Start, database_url: str, operator: Operator
) -> None:
    name = await operator.fetchval("SELECT quote_ident(current_database())")
    asked = "target_session_attrs=read-write"
    url = f"{database_url}{'&' if '?' in database_url else '?'}{asked}"
    service = await start(database_url=SecretStr(url), **TIMEOUTS)
    await all_at_once(service, 200)
    try:
        await operator.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        await operator.execute(f"SELECT pg_terminate_backend(pid) FROM {OTHERS}")
        for _ in range(2):
            answer = await service.api.get("/sleep/1")
            assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    finally:
        await operator.execute("SET default_transaction_read_only = off")
        await operator.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    await until_recovered(service)


async def test_a_host_that_says_nothing_leaves_time_for_the_others(
    start: Start, proxy: ToxicProxy, database_url: str
) -> None:
    async with toxic_proxy(database_url) as other:
        one, two = (urlsplit(each.url) for each in (proxy, other))
        hosts = f"{one.netloc},{two.netloc.rpartition('@')[2]}"
        url = one._replace(netloc=hosts, query="target_session_attrs=read-write").geturl()
        proxy.blackhole()
        service = await start(database_url=SecretStr(url), **TIMEOUTS)
        await all_at_once(service, 200)
        proxy.heal()
        other.blackhole()  # fails over to the first host again
        await all_at_once(service, 503, most_seconds=BOUND_SECONDS)
        await until_recovered(service)


async def test_a_statement_that_waits_for_a_lock_is_given_up(
    start: Start, database_url: str, operator: Operator
) -> None:
    longer = {"database_statement_timeout_seconds": 8, "database_command_timeout_seconds": 9}
    service = await start(**{**TIMEOUTS, **longer})
    other = await asyncpg.connect(database_url)
    await other.execute("CREATE TABLE IF NOT EXISTS notes (text text)")
    async with other.transaction():
        await other.execute("LOCK TABLE notes")
        begun = time.monotonic()
        answer = await service.api.post("/search-and-write?word=a")
        assert answer.status == 503
        assert time.monotonic() - begun < BOUND_SECONDS
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        assert await other.fetchval(waiting) == 0
    assert (await service.api.post("/search-and-write?word=a")).status == 200
    await other.execute("DROP TABLE notes")
    await other.close()


async def test_a_slow_statement_is_given_up_by_postgresql_and_costs_no_connection(
    start: Start, database_url: str, operator: Operator
) -> None:
    service = await start(**TIMEOUTS | ONE_CONNECTION)
    backends = (
        "SELECT array_agg(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await all_at_once(service, 200)
    before = await operator.fetchval(backends)
    assert (await service.api.get("/sleep/60000")).status == 503
    await all_at_once(service, 200)
    assert await operator.fetchval(backends) == before


@pytest.mark.parametrize(
    ("other", "status", "kind"), [("file", 500, "internal-error"), ("service", 503, "dependency-unavailable")]
)
async def test_what_fails_between_two_statements_is_no_fault_of_the_database(
    start: Start, operator: Operator, other: str, status: int, kind: str
) -> None:
    service = await start(**ONE_CONNECTION)
    await all_at_once(service, 200)
    before = await operator.fetchval(f"SELECT array_agg(pid) FROM {OTHERS}")
    answer = await service.api.post(f"/transaction-with/{other}")
    assert (answer.status, (await answer.json())["type"]) == (status, f"urn:problem-type:{kind}")
    await all_at_once(service, 200)
    assert await operator.fetchval(f"SELECT array_agg(pid) FROM {OTHERS}") == before


async def test_a_connection_that_is_not_given_back_does_not_hold_the_end_up(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.postgres.connection_pool._CLOSE_TIMEOUT_SECONDS", 0.2)
    with capture_logs() as logs:
        async with asyncio.timeout(BOUND_SECONDS), Pool(settings) as pool:
            kept = pool.connection()
            await kept.__aenter__()
    assert [line["event"] for line in logs] == ["database_pool_terminated"]


@pytest.fixture
def server() -> Iterator[str]:
    """A PostgreSQL server of its own, which the test may stop or crash."""
    with embedded_postgres() as url:
        yield url


async def _own(start: Start, server: str) -> Running:
    url = await make_database(server)
    await migrate(Settings(database_url=SecretStr(url)))
    service = await start(database_url=SecretStr(url), **TIMEOUTS)
    await all_at_once(service, 200, "/sleep/20")
    return service


def _postmaster(server: str) -> int:
    folder = parse_qs(urlsplit(server).query)["host"][0]
    return int(Path(folder, "data", "postmaster.pid").read_text(encoding="utf-8").split()[0])


@pytest.mark.development
async def test_a_server_that_hangs_and_one_that_crashes(start: Start, server: str) -> None:
    service = await _own(start, server)
    leaving = await start(database_url=service.application.settings.database_url, **TIMEOUTS)
    await all_at_once(leaving, 200, "/sleep/20")
    operator = await asyncpg.connect(server)
    backends = [
        row["pid"]
        for row in await operator.fetch(
            "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
    ]
    stopped = [_postmaster(server), *backends]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        await all_at_once(service, 503, most_seconds=BOUND_SECONDS)
        await all_at_once(service, 503, most_seconds=BOUND_SECONDS)
        leaving.stop.request(immediate=True)
        async with asyncio.timeout(5):  # as documented: closing the pool is bounded
            await leaving.served
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    await until_recovered(service)

    [victim] = await operator.fetch("SELECT pid FROM pg_stat_activity WHERE datname LIKE 'test_%' LIMIT 1")
    os.kill(victim["pid"], signal.SIGKILL)  # PostgreSQL then ends all its backends and recovers from the WAL
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not operator.is_closed():
            await asyncio.sleep(0.01)
    await until_recovered(service)
    operator.terminate()


async def test_connections_that_a_peak_has_left_over_are_closed(
    start: Start, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.postgres.connection_pool._SPARE_SECONDS", 0.05)
    monkeypatch.setattr("chassis.postgres.connection_pool._LONGEST_IDLE_SECONDS", 0.05)
    service = await start(**TIMEOUTS)
    await all_at_once(service, 200, "/sleep/50")
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await operator.fetchval(f"SELECT count(*) FROM {OTHERS}"):
            await asyncio.sleep(0.01)
    await all_at_once(service, 200)


async def test_a_transaction_that_was_not_ended_is_nothing_to_the_next_request(settings: Settings) -> None:
    async with Pool(settings.model_copy(update={"database_pool_size": 1})) as pool:
        async with pool.connection() as connection:
            await connection.execute("BEGIN")
        async with pool.connection() as connection:
            assert not connection.is_in_transaction()
