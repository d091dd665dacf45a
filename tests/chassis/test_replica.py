"""Reads of a replica: they run on a real standby while it is up to date, and on the primary otherwise."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from pydantic import SecretStr
from structlog.testing import capture_logs

from app.settings import Settings as ServiceSettings
from chassis.database import Database, InTransaction
from chassis.errors import DatabaseUnavailableError
from chassis.postgres.pool import Pool
from chassis.postgres.pool_metrics import measure_pool
from chassis.settings import Settings
from chassis.telemetry.metrics import registry
from harness.postgres import Postgres
from harness.postgres_programs import scratch_folder
from harness.toxic_proxy import toxic_proxy
from harness.waiting import until
from tests.chassis.conftest import running

pytestmark = [
    pytest.mark.development,  # the programs of PostgreSQL
    pytest.mark.asyncio(loop_scope="module"),  # the servers start once
]

MAX_LAG_SECONDS = 1
INTERVAL_SECONDS = 0.05
IS_STANDBY = "SELECT pg_is_in_recovery()"
SLOW_ON_STANDBY = """
    SELECT pg_is_in_recovery(), (SELECT count(*) FROM notes WHERE word = 'first')
    WHERE CASE WHEN pg_is_in_recovery() THEN pg_sleep(4) IS NULL ELSE true END
"""
OPTIONS: Mapping[str, str | int] = {
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "max_standby_streaming_delay": 0,
}


@pytest.fixture(scope="module")
def scratch() -> Iterator[Path]:
    """A folder for the data of servers."""
    with scratch_folder("replica-") as folder:
        yield folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def primary(scratch: Path) -> AsyncIterator[Postgres]:
    server = Postgres(scratch, scratch, OPTIONS)
    try:
        await server.set_up()
        async with server.connection() as connection:
            await connection.execute("CREATE TABLE notes (word text PRIMARY KEY)")
        yield server
    finally:
        await server.end()


@asynccontextmanager
async def standby_of(primary: Postgres, scratch: Path) -> AsyncIterator[Postgres]:
    """Start a standby that replicates from the primary."""
    server = Postgres(scratch, scratch, OPTIONS)
    try:
        await server.copy(primary)
        await server.start()
        yield server
    finally:
        await server.end()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def standby(scratch: Path, primary: Postgres) -> AsyncIterator[Postgres]:
    """A standby that replicates from the primary, and does so again at the end of each test."""
    async with standby_of(primary, scratch) as server:
        yield server


def settings_of(primary: Postgres, standby_url: str, **changes: object) -> Settings:
    return Settings(
        database_url=SecretStr(primary.url),
        database_replica_url=SecretStr(standby_url),
    ).model_copy(update=changes)


@asynccontextmanager
async def replicated(settings: Settings) -> AsyncIterator[Pool]:
    """Open the database, and wait until its replica is used and has no rows."""
    pool = Pool(settings)
    assert pool.read_replica
    pool.read_replica.state.interval_seconds = INTERVAL_SECONDS
    async with pool:
        await pool.fetch("TRUNCATE notes")
        await until_on_standby(pool)
        await until_words(pool)
        yield pool


@pytest_asyncio.fixture(loop_scope="module")
async def pool(primary: Postgres, standby: Postgres) -> AsyncIterator[Pool]:
    async with replicated(settings_of(primary, standby.url)) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def strict(primary: Postgres, standby: Postgres) -> AsyncIterator[Pool]:
    """A pool with a bound of the lag that a test can wait for."""
    async with replicated(
        settings_of(primary, standby.url, database_replica_max_lag_seconds=MAX_LAG_SECONDS)
    ) as opened:
        yield opened


@asynccontextmanager
async def paused(standby: Postgres) -> AsyncIterator[None]:
    """Have a standby replay nothing in the block."""
    async with standby.connection() as operator:
        await operator.execute("SELECT pg_wal_replay_pause()")
        try:
            yield
        finally:
            await operator.execute("SELECT pg_wal_replay_resume()")


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


async def until_words(pool: Pool, *expected: str) -> None:
    """Wait until the replica has these rows."""

    async def holds() -> bool:
        return await words(pool.replica) == [*expected]

    await until(holds, f"the replica has {expected}")


async def until_logged(logs: Sequence[Mapping[str, object]], event: str) -> None:
    """Wait until an event is logged."""

    async def holds() -> bool:
        return any(line["event"] == event for line in logs)

    await until(holds, f"{event} is logged")


async def test_reads_of_the_replica_run_on_the_standby(pool: Pool) -> None:
    await pool.fetch("INSERT INTO notes VALUES ('replicated')")
    await until_words(pool, "replicated")
    assert [row[0] for row in await pool.replica.fetch(IS_STANDBY)] == [True]
    assert await on_standby(pool.replica)
    async with pool.replica.connection() as connection:
        assert await connection.fetchval(IS_STANDBY)
    async with pool.replica.transaction() as connection:
        assert await connection.fetchval(IS_STANDBY)
    async with pool.replica.stream(IS_STANDBY) as rows:
        assert [row[0] async for row in rows] == [True]
    assert not await on_standby(pool)


async def test_reads_by_key_stay_on_the_primary(pool: Pool) -> None:
    row = await pool.replica.load("SELECT key, pg_is_in_recovery() FROM unnest($1::int[]) AS key", 7)
    assert row
    assert tuple(row) == (7, False)


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
    assert pool.read_replica
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
    assert (pool.read_replica.connections.servers_lost, pool.read_replica.streams.servers_lost) == (0, 0)
    assert await on_standby(pool.replica)
    assert await words(pool) == []


async def test_reads_run_on_the_primary_while_the_replica_lags(strict: Pool, standby: Postgres) -> None:
    loop = asyncio.get_running_loop()
    with capture_logs() as logs:
        async with paused(standby):
            await strict.fetch("INSERT INTO notes VALUES ('late')")
            written_at = loop.time()
            await until_on_standby(strict, expected=False)
            assert loop.time() - written_at < MAX_LAG_SECONDS + INTERVAL_SECONDS + 0.5
            assert await words(strict.replica) == ["late"]
            await until_logged(logs, "replica_not_usable")
        await until_on_standby(strict)
        assert await words(strict.replica) == ["late"]
        await until_logged(logs, "replica_usable")
    assert [(line["event"], line["log_level"]) for line in logs] == [
        ("replica_not_usable", "warning"),
        ("replica_usable", "info"),
    ]
    assert logs[0]["reason"] == "it is more than 1 s behind the primary"
    assert logs[0]["database"] == f"postgresql://127.0.0.1:{standby.port}/items"


async def test_an_idle_primary_is_no_lag(strict: Pool) -> None:
    assert strict.read_replica
    loop = asyncio.get_running_loop()
    end = loop.time() + 1.5 * MAX_LAG_SECONDS
    while loop.time() < end:
        assert await on_standby(strict.replica)
        assert strict.read_replica.state.lag_seconds < MAX_LAG_SECONDS


async def test_each_connection_is_checked_before_its_use(strict: Pool, standby: Postgres) -> None:
    """Also if the monitor has found the replica usable: it may have reached another standby at the same address."""
    assert strict.read_replica
    async with strict.replica.connection(), strict.replica.connection(), strict.replica.stream(IS_STANDBY):
        pass  # three are open now
    async with paused(standby):
        await strict.fetch("INSERT INTO notes VALUES ('late')")
        await until_on_standby(strict, expected=False)
        strict.read_replica.state.recover()
        assert not await on_standby(strict.replica)
        strict.read_replica.state.recover()
        async with strict.replica.connection() as connection:
            assert not await connection.fetchval(IS_STANDBY)
        strict.read_replica.state.recover()
        async with strict.replica.stream(IS_STANDBY) as rows:
            assert [row[0] async for row in rows] == [False]

        async def all_closed() -> bool:
            assert strict.read_replica
            return strict.read_replica.connections.size == 0

        await until(all_closed, "all connections are closed, as others may lead to another standby")


async def test_a_standby_that_dies_fails_no_read(pool: Pool, standby: Postgres) -> None:
    async with pool.replica.connection(), pool.replica.connection():
        pass
    await standby.kill()
    assert await words(pool.replica) == []
    await until_on_standby(pool, expected=False)
    async with pool.replica.transaction() as connection:
        assert not await connection.fetchval(IS_STANDBY)
    async with pool.replica.stream(IS_STANDBY) as rows:
        assert [row[0] async for row in rows] == [False]
    await standby.start()
    await until_on_standby(pool)


async def test_a_read_whose_connection_is_lost_runs_again_on_the_primary(pool: Pool, standby: Postgres) -> None:
    reading = await slow_read(pool, standby)
    await standby.terminate_backends()
    assert [tuple(row) for row in await reading] == [(False, 1)]


async def test_a_read_that_conflicts_with_recovery_runs_again_on_the_primary(pool: Pool, standby: Postgres) -> None:
    """The rows that it sees on the standby are vacuumed on the primary. The other connections stay."""
    assert pool.read_replica
    reading = await slow_read(pool, standby)
    await pool.fetch("DELETE FROM notes WHERE word = 'second'")
    await pool.fetch("VACUUM notes")
    assert [tuple(row) for row in await reading] == [(False, 1)]
    assert pool.read_replica.connections.servers_lost == 0


async def slow_read(pool: Pool, standby: Postgres) -> "asyncio.Task[list[asyncpg.Record]]":
    """Begin a read on the standby which takes no time on the primary."""
    await pool.fetch("INSERT INTO notes VALUES ('first'), ('second')")
    await until_words(pool, "first", "second")
    reading = asyncio.create_task(pool.replica.fetch(SLOW_ON_STANDBY))
    async with standby.connection() as operator:

        async def runs() -> bool:
            found: bool = await operator.fetchval(
                "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
            )
            return found

        await until(runs, "the read runs on the standby")
    return reading


async def test_a_stream_that_has_begun_does_not_begin_again(pool: Pool, standby: Postgres) -> None:
    async with pool.replica.stream("SELECT generate_series(1, 1000)") as rows:
        await anext(rows)
        await standby.terminate_backends()
        with pytest.raises(DatabaseUnavailableError):
            [row async for row in rows]


async def test_a_promoted_standby_is_no_replica(primary: Postgres, scratch: Path) -> None:
    async with standby_of(primary, scratch) as standby, replicated(settings_of(primary, standby.url)) as pool:
        with capture_logs() as logs:
            await standby.promote()
            await until_on_standby(pool, expected=False)
            await pool.fetch("INSERT INTO notes VALUES ('of the primary')")
            await until_logged(logs, "replica_not_usable")
            assert await words(pool.replica) == ["of the primary"]
    assert logs[0]["reason"].startswith("it is not a standby: it was promoted")


async def test_a_network_that_swallows_everything_slows_no_read_once_it_is_known(
    primary: Postgres, standby: Postgres
) -> None:
    async with toxic_proxy(standby.url) as proxy, replicated(settings_of(primary, proxy.url)) as pool:
        assert pool.read_replica
        state = pool.read_replica.state
        proxy.blackhole()

        async def known() -> bool:
            return not state.usable

        await until(known, "the monitor has noticed")
        async with asyncio.timeout(Settings.model_fields["database_connect_timeout_seconds"].default):
            for _ in range(20):
                assert not await on_standby(pool.replica)
        proxy.heal()
        await until_on_standby(pool)


async def test_a_replica_may_be_whichever_of_several_hosts_is_a_standby(primary: Postgres, standby: Postgres) -> None:
    hosts = f"127.0.0.1:{primary.port},127.0.0.1:{standby.port}"
    async with replicated(settings_of(primary, f"postgresql://{hosts}/items?target_session_attrs=standby")) as pool:
        assert await on_standby(pool.replica)


async def test_a_full_pool_of_the_replica_leaves_reads_to_the_primary(primary: Postgres, standby: Postgres) -> None:
    async with (
        replicated(settings_of(primary, standby.url, database_pool_size=1)) as pool,
        pool.replica.connection() as connection,
    ):
        assert not await on_standby(pool.replica)
        assert await connection.fetchval(IS_STANDBY)


async def test_a_full_pool_of_the_primary_is_no_lag(primary: Postgres, standby: Postgres) -> None:
    small = {"database_pool_size": 1, "database_replica_max_lag_seconds": MAX_LAG_SECONDS}
    async with replicated(settings_of(primary, standby.url, **small)) as pool, pool.connection():
        loop = asyncio.get_running_loop()
        end = loop.time() + 1.5 * MAX_LAG_SECONDS
        while loop.time() < end:
            assert await on_standby(pool.replica)


async def test_the_replica_serves_through_a_short_outage_of_the_primary(strict: Pool, primary: Postgres) -> None:
    await primary.kill()
    assert await on_standby(strict.replica)

    async def refused() -> bool:
        try:
            await on_standby(strict.replica)
        except DatabaseUnavailableError:
            return True
        return False

    await until(refused, "the replica is too old")
    await primary.start()
    await until_on_standby(strict)


async def test_a_table_that_the_replica_does_not_have_yet_is_read_from_the_primary(
    pool: Pool, standby: Postgres
) -> None:
    pool.mark_schema_current()
    await pool.fetch("DROP TABLE IF EXISTS newer")
    async with paused(standby):
        await pool.fetch("CREATE TABLE newer (word text)")
        assert await pool.replica.fetch("SELECT word FROM newer") == []
        with pytest.raises(asyncpg.UndefinedTableError):
            await pool.replica.fetch("SELECT word FROM missing")


async def test_a_service_starts_without_its_replica(settings: ServiceSettings) -> None:
    away = settings.model_copy(update={"database_replica_url": SecretStr("postgresql://postgres@127.0.0.1:1/items")})
    with capture_logs() as logs:
        async with running(away, lambda _: None) as service:
            await service.until_ready()
            await until_logged(logs, "replica_not_usable")
            metrics = await (await service.internal.get("/metrics")).text()
    assert 'db_client_replica_usable{server_address="127.0.0.1:1"} 0.0' in metrics
    line = next(line for line in logs if line["event"] == "replica_not_usable")
    assert "ConnectionRefusedError" in line["reason"]


async def test_metrics(pool: Pool, standby: Postgres) -> None:
    def value(name: str, **labels: str) -> float | None:
        server = {"server_address": f"127.0.0.1:{standby.port}"}
        return registry().get_sample_value(f"db_client_replica_{name}", {**server, **labels})

    async with pool.replica.connection():
        measuring = asyncio.create_task(measure_pool(pool))
        await asyncio.sleep(0)  # its first step
        measuring.cancel()
    assert value("usable") == 1
    assert 0 <= (value("lag_seconds") or -1) < MAX_LAG_SECONDS
    assert (value("connections", state="used"), value("connections", state="idle")) == (1, 0)
