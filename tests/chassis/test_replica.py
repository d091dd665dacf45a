"""Reads of a replica: they run on a real standby while it is up to date, and on the primary otherwise."""

import asyncio
import math
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from chassis.database import Database, InTransaction
from chassis.errors import DatabaseUnavailableError
from chassis.postgres.pool import Pool
from chassis.postgres.pool_metrics import measure_pool
from chassis.postgres.replica import replica_url
from chassis.postgres.replication_lag import PrimaryPositions
from chassis.settings import Settings
from chassis.telemetry.metrics import registry
from harness.postgres import Postgres
from harness.postgres_programs import scratch_folder
from harness.toxic_proxy import ToxicProxy, toxic_proxy
from harness.waiting import until
from tests.chassis.conftest import Start

pytestmark = pytest.mark.development  # the programs of PostgreSQL

MAX_LAG_SECONDS = 0.4
CONNECT_TIMEOUT_SECONDS = 0.3
IS_STANDBY = "SELECT pg_is_in_recovery()"
FAST = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "16MB", "wal_level": "replica"}


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A folder for the data of servers."""
    with scratch_folder("replica-") as folder:
        yield folder


@pytest.fixture
async def primary(scratch: Path) -> AsyncIterator[Postgres]:
    server = Postgres(scratch, scratch, FAST)
    try:
        await server.set_up()
        async with server.connection() as connection:
            await connection.execute("CREATE TABLE notes (word text PRIMARY KEY)")
        yield server
    finally:
        await server.end()


@pytest.fixture
async def standby(scratch: Path, primary: Postgres) -> AsyncIterator[Postgres]:
    """A standby that replicates from the primary."""
    server = Postgres(scratch, scratch, FAST)
    try:
        await server.copy(primary)
        await server.start()
        yield server
    finally:
        await server.end()


@pytest.fixture
def both(primary: Postgres, standby: Postgres) -> Settings:
    return Settings(
        database_url=SecretStr(primary.url),
        database_replica_url=SecretStr(standby.url),
        database_replica_max_lag_seconds=MAX_LAG_SECONDS,
        database_connect_timeout_seconds=CONNECT_TIMEOUT_SECONDS,
    )


@asynccontextmanager
async def replicated(settings: Settings) -> AsyncIterator[Pool]:
    """Open the database, and wait until its replica is used."""
    async with Pool(settings) as pool:
        await until_on_standby(pool)
        yield pool


@pytest.fixture
async def pool(both: Settings) -> AsyncIterator[Pool]:
    async with replicated(both) as opened:
        yield opened


async def on_standby(database: Database) -> bool:
    row = await database.fetchrow(IS_STANDBY)
    assert row
    found: bool = row[0]
    return found


async def until_on_standby(pool: Pool, *, expected: bool = True) -> None:
    """Wait until reads run on the standby, or on the primary."""

    async def holds() -> bool:
        return await on_standby(pool.replica) is expected

    await until(holds, "reads run on the standby" if expected else "reads run on the primary")


async def words(database: Database) -> list[str]:
    return [row["word"] for row in await database.fetch("SELECT word FROM notes ORDER BY word")]


async def test_reads_of_the_replica_run_on_the_standby(pool: Pool, primary: Postgres) -> None:
    await pool.fetch("INSERT INTO notes VALUES ('replicated')")

    async def replicated() -> bool:
        return await words(pool.replica) == ["replicated"]

    await until(replicated, "the standby has the row")
    assert await pool.replica.fetch(IS_STANDBY) == [(True,)]
    async with pool.replica.connection() as connection:
        assert await connection.fetchval(IS_STANDBY)
    async with pool.replica.transaction() as connection:
        assert await connection.fetchval(IS_STANDBY)
    async with pool.replica.stream(IS_STANDBY) as rows:
        assert [row[0] async for row in rows] == [True]
    assert not await on_standby(pool)
    assert await primary.connections() > 0


async def test_reads_by_key_stay_on_the_primary(pool: Pool) -> None:
    row = await pool.replica.load("SELECT key, pg_is_in_recovery() FROM unnest($1::int[]) AS key", 7)
    assert row == (7, False)


async def test_a_replica_is_its_own_replica_and_that_of_a_transaction_the_transaction(pool: Pool) -> None:
    assert pool.replica.replica is pool.replica
    async with pool.transaction() as connection:
        inside = InTransaction(connection)
        await inside.fetch("INSERT INTO notes VALUES ('mine')")
        assert await words(inside.replica) == ["mine"]


async def test_without_the_setting_reads_run_on_the_primary(database_url: str) -> None:
    async with Pool(Settings(database_url=SecretStr(database_url))) as pool:
        assert pool.replica is pool


async def test_a_write_on_the_replica_is_refused_and_costs_no_connection(pool: Pool) -> None:
    insert = "INSERT INTO notes VALUES ('written') RETURNING word"
    backend = await pool.replica.fetch("SELECT pg_backend_pid()")
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await pool.replica.fetch(insert)
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await pool.replica.fetchrow(insert)
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        async with pool.replica.transaction() as connection:
            await connection.execute(insert)
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        async with pool.replica.stream("SELECT word FROM notes FOR UPDATE") as rows:
            await anext(rows)
    assert await pool.replica.fetch("SELECT pg_backend_pid()") == backend
    assert await on_standby(pool.replica)
    assert await words(pool) == []


async def test_reads_run_on_the_primary_while_the_replica_lags(pool: Pool, standby: Postgres) -> None:
    """A standby that replays nothing is not used for longer than the bound, on any of its connections."""
    assert pool.read_replica
    async with standby.connection() as operator:
        with capture_logs() as logs:
            await operator.execute("SELECT pg_wal_replay_pause()")
            await pool.fetch("INSERT INTO notes VALUES ('late')")
            written_at = asyncio.get_running_loop().time()
            while await on_standby(pool.replica):
                assert await words(pool.replica) in ([], ["late"])
            bound = MAX_LAG_SECONDS + pool.read_replica.state.interval_seconds
            assert asyncio.get_running_loop().time() - written_at < bound + 0.3
            assert await words(pool.replica) == ["late"]

            async def logged() -> bool:
                return bool(logs)

            await until(logged, "the state is logged")
            await operator.execute("SELECT pg_wal_replay_resume()")
            await until_on_standby(pool)
            assert await words(pool.replica) == ["late"]

            async def recovered() -> bool:
                return len(logs) > 1

            await until(recovered, "the recovery is logged")
    assert [(line["event"], line["log_level"]) for line in logs] == [
        ("replica_not_usable", "warning"),
        ("replica_usable", "info"),
    ]
    assert logs[0]["reason"] == "it is more than 0.4 s behind the primary"
    assert logs[0]["database"] == f"postgresql://127.0.0.1:{standby.port}/items"


async def test_an_idle_primary_is_no_lag(pool: Pool) -> None:
    assert pool.read_replica
    loop = asyncio.get_running_loop()
    end = loop.time() + 2 * MAX_LAG_SECONDS
    while loop.time() < end:
        assert await on_standby(pool.replica)
        assert pool.read_replica.state.lag_seconds < MAX_LAG_SECONDS


async def test_a_lagging_standby_gets_no_read_on_a_connection_that_was_idle(pool: Pool, standby: Postgres) -> None:
    """Also if the monitor does not know: each connection is checked before its use."""
    assert pool.read_replica
    async with pool.replica.connection(), pool.replica.connection():
        pass  # two are open now
    async with standby.connection() as operator:
        await operator.execute("SELECT pg_wal_replay_pause()")
        await pool.fetch("INSERT INTO notes VALUES ('late')")
        await until_on_standby(pool, expected=False)
        pool.read_replica.state.recover()  # as if the monitor had found another standby behind the same address
        assert not await on_standby(pool.replica)
        pool.read_replica.state.recover()
        async with pool.replica.stream(IS_STANDBY) as rows:
            assert [row[0] async for row in rows] == [False]
        await operator.execute("SELECT pg_wal_replay_resume()")


async def test_a_standby_that_dies_fails_no_read(pool: Pool, standby: Postgres) -> None:
    async with pool.replica.connection(), pool.replica.connection():
        pass
    await standby.kill()
    for _ in range(3):
        await words(pool.replica)
    await until_on_standby(pool, expected=False)
    async with pool.replica.transaction() as connection:
        assert not await connection.fetchval(IS_STANDBY)
    async with pool.replica.stream(IS_STANDBY) as rows:
        assert [row[0] async for row in rows] == [False]
    await standby.start()
    await until_on_standby(pool)


async def test_a_read_in_progress_when_its_connection_is_lost_runs_again(pool: Pool, standby: Postgres) -> None:
    reading = asyncio.create_task(pool.replica.fetch("SELECT pg_is_in_recovery() FROM pg_sleep(0.2)"))
    async with standby.connection() as operator:

        async def terminated() -> bool:
            found: bool = await operator.fetchval(
                "SELECT coalesce(bool_or(pg_terminate_backend(pid)), false) FROM pg_stat_activity "
                "WHERE query LIKE '%pg_sleep%' AND state = 'active' AND pid <> pg_backend_pid()"
            )
            return found

        await until(terminated, "the read runs on the standby")
    assert await reading == [(False,)]


async def test_a_read_that_conflicts_with_recovery_runs_again(primary: Postgres, standby: Postgres) -> None:
    """VACUUM has removed rows that the read on the standby may still see."""


async def test_a_statement_that_fails_on_a_running_stream_is_not_repeated(pool: Pool, standby: Postgres) -> None:
    async with standby.connection() as operator:
        with pytest.raises(DatabaseUnavailableError):
            async with pool.replica.stream("SELECT generate_series(1, 1000)") as rows:
                await anext(rows)
                await operator.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE state = 'idle in transaction' AND pid <> pg_backend_pid()"
                )
                async for _ in rows:
                    pass


async def test_a_promoted_standby_is_no_replica(pool: Pool, standby: Postgres) -> None:
    with capture_logs() as logs:
        await standby.promote()
        await until_on_standby(pool, expected=False)
        await pool.fetch("INSERT INTO notes VALUES ('of the primary')")

        async def logged() -> bool:
            return bool(logs)

        await until(logged, "the state is logged")
        assert await words(pool.replica) == ["of the primary"]
    assert logs[0]["reason"].startswith("it is not a standby: it was promoted")


@pytest.fixture
async def proxy(standby: Postgres) -> AsyncIterator[ToxicProxy]:
    async with toxic_proxy(standby.url) as made:
        yield made


async def test_a_network_that_swallows_everything_slows_no_read_once_it_is_known(
    both: Settings, proxy: ToxicProxy
) -> None:
    async with replicated(both.model_copy(update={"database_replica_url": SecretStr(proxy.url)})) as pool:
        assert pool.read_replica
        proxy.blackhole()

        async def known() -> bool:
            assert pool.read_replica
            return not pool.read_replica.state.usable

        await until(known, "the monitor has noticed", 5)
        async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):  # less than a connection that does not come
            for _ in range(20):
                assert not await on_standby(pool.replica)
        proxy.heal()
        await until_on_standby(pool)


async def test_a_full_pool_of_the_replica_leaves_reads_to_the_primary(both: Settings) -> None:
    async with (
        replicated(both.model_copy(update={"database_pool_size": 1})) as pool,
        pool.replica.connection() as connection,
    ):
        assert not await on_standby(pool.replica)
        assert await connection.fetchval(IS_STANDBY)


async def test_a_full_pool_of_the_primary_is_no_lag(both: Settings) -> None:
    async with replicated(both.model_copy(update={"database_pool_size": 1})) as pool, pool.connection():
        loop = asyncio.get_running_loop()
        end = loop.time() + 2 * MAX_LAG_SECONDS
        while loop.time() < end:
            assert await on_standby(pool.replica)


async def test_the_replica_serves_through_a_short_outage_of_the_primary(pool: Pool, primary: Postgres) -> None:
    await primary.kill()
    assert await on_standby(pool.replica)

    async def refused() -> bool:
        try:
            await on_standby(pool.replica)
        except DatabaseUnavailableError:
            return True
        return False

    await until(refused, "the replica is too old")
    await primary.start()
    await until_on_standby(pool)


async def test_a_table_that_the_replica_does_not_have_yet_is_read_from_the_primary(
    pool: Pool, standby: Postgres
) -> None:
    pool.mark_schema_current()
    async with standby.connection() as operator:
        await operator.execute("SELECT pg_wal_replay_pause()")
        await pool.fetch("CREATE TABLE newer (word text)")
        assert await pool.replica.fetch("SELECT word FROM newer") == []
        with pytest.raises(asyncpg.UndefinedTableError):
            await pool.replica.fetch("SELECT word FROM missing")
        await operator.execute("SELECT pg_wal_replay_resume()")


async def test_a_service_starts_without_its_replica(start: Start) -> None:
    with capture_logs() as logs:
        service = await start(database_replica_url=SecretStr("postgresql://postgres@127.0.0.1:1/items"))
        assert (await service.internal.get("/readyz")).status == 200

        async def logged() -> bool:
            return any(line["event"] == "replica_not_usable" for line in logs)

        await until(logged, "the state is logged")
        assert 'db_client_replica_usable{server_address="127.0.0.1:1"} 0.0' in await (
            await service.internal.get("/metrics")
        ).text()
    reason = next(line["reason"] for line in logs if line["event"] == "replica_not_usable")
    assert "ConnectionRefusedError" in reason


async def test_metrics(pool: Pool, standby: Postgres) -> None:
    def value(name: str, **labels: str) -> float | None:
        server = {"server_address": f"127.0.0.1:{standby.port}"}
        return registry().get_sample_value(f"db_client_replica_{name}", {**server, **labels})

    async with pool.replica.connection():
        measuring = asyncio.create_task(measure_pool(pool))
        await asyncio.sleep(0)
        assert value("usable") == 1
        assert value("lag_seconds", ) < MAX_LAG_SECONDS
        assert value("connections", state="used") == 1
        measuring.cancel()


@pytest.mark.parametrize(
    ("primary_url", "url", "expected"),
    [
        ("postgresql://me:p%40ss@one/name", "postgresql://two:5433/name", "postgresql://me:p%40ss@two:5433/name"),
        ("postgresql://me:p%40ss@one/name", "postgresql://two,three/name?target_session_attrs=standby",
         "postgresql://me:p%40ss@two,three/name?target_session_attrs=standby"),
        ("postgresql://me:p%40ss@one/name", "postgresql://you:own@two/name", "postgresql://you:own@two/name"),
        ("postgresql://me:p%40ss@one/name", "postgresql://two/name?user=you", "postgresql://two/name?user=you"),
        ("postgresql:///name?host=/one", "postgresql:///name?host=/two", "postgresql:///name?host=/two"),
    ],
)  # fmt: skip
def test_a_replica_has_the_credentials_of_its_primary(primary_url: str, url: str, expected: str) -> None:
    assert replica_url(Settings(database_url=SecretStr(primary_url), database_replica_url=SecretStr(url))) == expected


def test_the_lag_is_the_age_of_the_newest_position_that_is_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    positions = PrimaryPositions(10)
    assert positions.lag(1000) == math.inf  # none is known
    positions.add(91, 100)
    positions.add(95, 200)
    positions.add(99, 200)  # nothing was written
    assert [positions.lag(replayed) for replayed in (99, 100, 199, 200, 500)] == [math.inf, 9, 9, 1, 1]
    now = 104
    assert [positions.lag(replayed) for replayed in (100, 200)] == [math.inf, 5]
    positions.add(103, 150)  # a failover that has lost some of the WAL
    assert [positions.lag(replayed) for replayed in (149, 150, 200)] == [math.inf, 1, 1]
