"""Streams of rows: complete, from one snapshot, in little memory, and on connections that statements do not need."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import asyncpg
import pytest
from pydantic import SecretStr

from chassis.database import Database, InTransaction
from chassis.errors import DatabaseUnavailableError, OverloadedError
from chassis.postgres.pool import Pool
from chassis.settings import Settings
from harness.toxic_proxy import toxic_proxy
from tests.chassis.conftest import Start

# In the list of columns, PostgreSQL makes the rows when they are fetched; in FROM, all of them at once.
NUMBERS = "SELECT generate_series(1, $1::bigint) AS number"
SLOW = f"SELECT pg_sleep(60) FROM ({NUMBERS}) AS numbers"
ROWS = 1050  # several chunks, the last of which is not full
MANY = 1_000_000
BOUND_SECONDS = 5


@pytest.fixture
def few(settings: Settings) -> Settings:
    """Settings with one connection for streams and one for statements."""
    sizes = {"database_pool_size": 1, "database_stream_pool_size": 1}
    return settings.model_copy(update={**sizes, "database_acquire_timeout_seconds": 0.05})


@pytest.fixture
async def pool(few: Settings) -> AsyncIterator[Pool]:
    """A pool with one connection for streams and one for statements."""
    async with Pool(few) as made:
        yield made


async def numbers(
    database: Database, count: int = ROWS, query: str = NUMBERS, then: Callable[[], Awaitable[object]] | None = None
) -> list[int]:
    """Return the first column of a stream's rows.

    Args:
        then: called after the first row.
    """
    async with database.stream(query, count) as rows:
        found = []
        async for row in rows:
            found.append(row[0])
            if then and len(found) == 1:
                await then()
        return found


async def backends(pool: Pool) -> tuple[int, int]:
    """Return the processes of PostgreSQL that run statements and that stream rows."""
    async with pool.connection() as connection, pool.stream("SELECT pg_backend_pid()") as rows:
        return connection.get_server_pid(), (await anext(rows))[0]


async def terminate(operator: Database, backend: int) -> None:
    await operator.fetch("SELECT pg_terminate_backend($1)", backend)


async def until(operator: Database, condition: str, backend: int) -> None:
    """Wait until a process of PostgreSQL is, or is not, in a state."""
    query = f"SELECT {condition} (SELECT FROM pg_stat_activity WHERE pid = $1 AND state <> 'idle')"
    async with asyncio.timeout(BOUND_SECONDS):
        while not (await operator.fetch(query, backend))[0][0]:
            await asyncio.sleep(0.01)


@pytest.mark.usefixtures("sessions_left_alone")
@pytest.mark.parametrize("count", [0, 1, 199, 200, 201, 400, ROWS])
async def test_all_rows_come_in_order(pool: Pool, count: int) -> None:
    assert await numbers(pool, count) == list(range(1, count + 1))


async def test_rows_are_a_snapshot(pool: Pool, database: Database) -> None:
    await database.fetch("CREATE TABLE letters AS SELECT generate_series(1, 1000) AS number")
    count = "RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT count(*) FROM letters); END'"
    await database.fetch(f"CREATE FUNCTION count_letters() {count}")

    async def change() -> None:
        await database.fetch("DELETE FROM letters WHERE number > 500")
        await database.fetch("INSERT INTO letters VALUES (1001)")

    try:
        query = "SELECT number FROM letters WHERE number < $1 ORDER BY number"
        assert await numbers(pool, 2000, query, change) == list(range(1, 1001))
        assert await numbers(pool, 2000, query) == [*range(1, 501), 1001]
        # A function of a later row sees no later state.
        query = f"SELECT count_letters() FROM ({NUMBERS}) AS numbers"
        assert set(await numbers(pool, ROWS, query, lambda: database.fetch("DELETE FROM letters"))) == {501}
    finally:
        await database.fetch("DROP FUNCTION count_letters")
        await database.fetch("DROP TABLE letters")


async def test_a_migration_of_a_table_does_not_break_its_later_streams(pool: Pool, database: Database) -> None:
    async def columns() -> list[str]:
        async with pool.stream("SELECT * FROM letters") as rows:
            return [*(await anext(rows)).keys()]

    await database.fetch("CREATE TABLE letters AS SELECT 1 AS number")
    try:
        assert await columns() == ["number"]
        await database.fetch("ALTER TABLE letters ADD COLUMN letter text")
        assert await columns() == ["number", "letter"]
    finally:
        await database.fetch("DROP TABLE letters")


@pytest.mark.usefixtures("sessions_left_alone")
async def test_a_stream_that_is_left_early_frees_its_connection(pool: Pool) -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    before = await backends(pool)
    async with pool.stream(NUMBERS, MANY) as rows:
        async for row in rows:
            if row["number"] == 300:
                break
    assert (pool.streams.size, pool.streams.idle) == (1, 1)
    with pytest.raises(ZeroDivisionError):
        await numbers(pool, MANY, then=fail)
    assert await numbers(pool) == list(range(1, ROWS + 1))
    assert await backends(pool) == before


async def test_a_stream_that_is_cancelled_between_two_rows_frees_its_connection(pool: Pool) -> None:
    read = asyncio.Event()

    async def wait() -> None:
        read.set()
        await asyncio.sleep(60)

    reading = asyncio.create_task(numbers(pool, MANY, then=wait))
    await read.wait()
    await until_cancelled(reading)
    assert await numbers(pool) == list(range(1, ROWS + 1))


async def test_a_stream_that_is_cancelled_while_postgresql_works_ends_its_statement(
    pool: Pool, database: Database
) -> None:
    _, backend = await backends(pool)
    reading = asyncio.create_task(numbers(pool, MANY, SLOW))
    await until(database, "EXISTS", backend)
    await until_cancelled(reading)
    assert await numbers(pool) == list(range(1, ROWS + 1))
    await until(database, "NOT EXISTS", backend)


async def until_cancelled(task: asyncio.Task[list[int]]) -> None:
    task.cancel()
    async with asyncio.timeout(BOUND_SECONDS):
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_rows_cannot_be_read_after_the_block(pool: Pool) -> None:
    async with pool.stream(NUMBERS, MANY) as rows:
        await anext(rows)
    with pytest.raises(asyncpg.InterfaceError, match="Read its rows inside of its `async with` block"):
        await anext(rows)


async def test_a_stream_may_pause_longer_than_other_transactions(few: Settings, database: Database) -> None:
    async def pause() -> None:
        await asyncio.sleep(1.4)

    async with Pool(few.model_copy(update={"request_timeout_seconds": 0.2})) as pool:
        async with pool.connection() as connection, pool.streams.connection() as other:
            timeout = "SHOW idle_in_transaction_session_timeout"
            assert [await each.fetchval(timeout) for each in (connection, other)] == [
                "1200ms",
                "1200ms",
            ]  # a second above the deadline
        assert await numbers(pool, then=pause) == list(range(1, ROWS + 1))


async def test_too_long_a_pause_ends_the_stream(few: Settings, database: Database) -> None:
    async with Pool(few.model_copy(update={"database_stream_idle_timeout_seconds": 0.1})) as pool:
        kept, backend = await backends(pool)
        async with pool.stream(NUMBERS, MANY) as rows:
            await anext(rows)
            await until(database, "NOT EXISTS", backend)
            with pytest.raises(DatabaseUnavailableError):  # in the block, too
                await numbers_of(rows)
        with pytest.raises(DatabaseUnavailableError):
            await numbers(pool, MANY, then=lambda: asyncio.sleep(0.5))
        assert await numbers(pool) == list(range(1, ROWS + 1))
        assert (await backends(pool))[0] == kept


async def numbers_of(rows: AsyncIterator[asyncpg.Record]) -> list[int]:
    return [row[0] async for row in rows]


async def test_a_connection_that_is_lost_between_two_rows(pool: Pool, database: Database) -> None:
    kept, backend = await backends(pool)
    with pytest.raises(DatabaseUnavailableError):
        await numbers(pool, MANY, then=lambda: terminate(database, backend))
    assert await numbers(pool) == list(range(1, ROWS + 1))
    assert (await backends(pool))[0] == kept


async def test_a_connection_that_is_lost_while_postgresql_works(pool: Pool, database: Database) -> None:
    _, backend = await backends(pool)
    reading = asyncio.create_task(numbers(pool, MANY, SLOW))
    await until(database, "EXISTS", backend)
    await terminate(database, backend)
    with pytest.raises(DatabaseUnavailableError):
        await reading
    assert await numbers(pool) == list(range(1, ROWS + 1))


async def test_a_network_that_swallows_everything(few: Settings, database_url: str) -> None:
    timeouts = {"connect": 0.2, "command": 1, "acquire": 1}
    changes = {f"database_{name}_timeout_seconds": seconds for name, seconds in timeouts.items()}
    async with toxic_proxy(database_url) as proxy:

        async def blackhole() -> None:
            proxy.blackhole()

        settings = few.model_copy(update={**changes, "database_url": SecretStr(proxy.url)})
        async with Pool(settings) as pool:
            assert await numbers(pool)
            async with asyncio.timeout(1.9):  # it waits once for a response, and not again for that of a ROLLBACK
                with pytest.raises(DatabaseUnavailableError):
                    await numbers(pool, MANY, then=blackhole)
            proxy.heal()
            assert await numbers(pool) == list(range(1, ROWS + 1))


async def test_the_time_of_a_statement_is_that_of_each_fetch(few: Settings) -> None:
    async with Pool(few.model_copy(update={"database_statement_timeout_seconds": 0.3})) as pool:
        before = await backends(pool)
        slow = f"SELECT pg_sleep(0.0005 * $2) FROM ({NUMBERS}) AS numbers"  # a fetch of 200 rows takes 0.1 s
        async with pool.stream(slow, ROWS, 1) as rows:
            assert len(await numbers_of(rows)) == ROWS
        with pytest.raises(DatabaseUnavailableError):
            await numbers(pool, MANY, SLOW)
        assert await backends(pool) == before  # the server responds


async def test_streams_beyond_their_connections_are_refused_and_statements_go_on(pool: Pool) -> None:
    async with pool.stream(NUMBERS, MANY) as rows:
        await anext(rows)
        with pytest.raises(OverloadedError):
            await numbers(pool)
        assert await pool.fetch("SELECT 1")
        assert await anext(rows)


async def test_statements_that_use_all_their_connections_hold_up_no_stream(pool: Pool) -> None:
    async with pool.connection():
        with pytest.raises(OverloadedError):
            await pool.fetch("SELECT 1")
        assert await numbers(pool) == list(range(1, ROWS + 1))


async def test_a_statement_that_fails_at_a_row_gives_the_fetches_before(pool: Pool) -> None:
    async with pool.stream(f"SELECT number, 1 / (1000 - number) FROM ({NUMBERS}) AS numbers", ROWS) as rows:
        assert [(await anext(rows))["number"] for _ in range(800)] == list(range(1, 801))
        with pytest.raises(asyncpg.DivisionByZeroError):
            await anext(rows)
    assert await numbers(pool) == list(range(1, ROWS + 1))


@pytest.mark.parametrize(
    ("query", "refusal"),
    [
        ("INSERT INTO idempotency_keys (id) SELECT '' WHERE $1 > 0 RETURNING id", asyncpg.ReadOnlySQLTransactionError),
        ("SELECT number FROM WHERE $1 > 0", asyncpg.PostgresSyntaxError),
        ("SELECT $1::int, $2::int", asyncpg.InterfaceError),  # without its second value
        ("SELECT $1::smallint", asyncpg.DataError),
    ],
)
async def test_a_statement_that_is_refused_leaves_all_connections_open(
    pool: Pool, query: str, refusal: type[Exception]
) -> None:
    before = await backends(pool)
    with pytest.raises(refusal):
        await numbers(pool, MANY, query)
    assert await backends(pool) == before


async def test_a_failover_moves_streams_too(pool: Pool) -> None:
    """A stream that only reads does not notice that its server became a standby."""
    before = await backends(pool)
    with pytest.raises(DatabaseUnavailableError):
        async with pool.connection() as connection, connection.transaction(readonly=True):
            await connection.execute("CREATE TABLE letters (letter text)")
    assert not {*before} & {*await backends(pool)}


async def test_a_stream_in_a_transaction_is_a_statement_of_it_for_each_fetch(pool: Pool) -> None:
    table = "TEMPORARY TABLE letters ON COMMIT DROP"
    async with pool.transaction() as connection:
        database = InTransaction(connection)

        async def change() -> None:
            await database.fetch("INSERT INTO letters VALUES (1001)")
            with pytest.raises(asyncpg.DivisionByZeroError):
                await database.fetch("SELECT 1 / 0")

        await connection.execute(f"CREATE {table} AS SELECT generate_series(1, 1000) AS number")
        query = "SELECT number FROM letters WHERE number < $1 ORDER BY number"
        assert await numbers(database, 2000, query, change) == list(range(1, 1001))
        with pytest.raises(asyncpg.DivisionByZeroError):
            await numbers(database, 500, "SELECT 1 / ($1 - number) FROM letters")
        async with database.stream("SELECT 1") as rows, database.stream("SELECT 2") as more:
            assert [await numbers_of(each) for each in (rows, more)] == [[1], [2]]
        with pytest.raises(asyncpg.InterfaceError):
            await anext(rows)
        assert await connection.fetchval("SELECT count(*) FROM letters") == 1001


async def test_two_tasks_may_share_the_rows_of_a_stream_in_a_transaction(pool: Pool) -> None:
    async with pool.transaction() as connection, InTransaction(connection).stream(NUMBERS, ROWS) as rows:

        async def read() -> list[int]:
            found = []
            async for row in rows:
                found.append(row["number"])
                await asyncio.sleep(0)
            return found

        one, other = await asyncio.gather(read(), read())
        assert sorted([*one, *other]) == list(range(1, ROWS + 1))


async def test_streams_leave_nothing_behind(pool: Pool) -> None:
    before, tasks = await backends(pool), len(asyncio.all_tasks())
    for number in range(1000):
        async with pool.stream(NUMBERS, MANY) as rows:
            if number % 2:
                await anext(rows)
    assert (pool.streams.size, pool.streams.idle, len(asyncio.all_tasks())) == (1, 1, tasks)
    assert await backends(pool) == before
    async with pool.stream("SELECT FROM pg_prepared_statements") as rows:
        assert len([row async for row in rows]) < 10


async def test_a_stream_that_does_not_end_does_not_hold_the_end_up(
    few: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both pools close at the same time."""
    monkeypatch.setattr("chassis.postgres.connection_pool._CLOSE_TIMEOUT_SECONDS", 0.5)
    async with AsyncExitStack() as kept:
        async with asyncio.timeout(0.9), Pool(few) as pool:
            rows = await kept.enter_async_context(pool.stream(NUMBERS, MANY))
            held = pool.connection()
            await held.__aenter__()
            await anext(rows)
        with pytest.raises(DatabaseUnavailableError):
            await numbers_of(rows)


async def test_the_connections_of_streams_are_measured_and_closed(start: Start, database: Database) -> None:
    service = await start()
    pool = service.application.injector.values[Database]
    _, backend = await backends(pool)
    async with pool.stream(NUMBERS, MANY) as rows, asyncio.timeout(BOUND_SECONDS):
        await anext(rows)
        wanted = {"db_client_stream_connections 1.0", 'db_client_connection_count{state="used"} 0.0'}
        while not wanted <= set((await (await service.internal.get("/metrics")).text()).splitlines()):
            await asyncio.sleep(0.05)
    service.stop.request(immediate=True)
    await service.served
    async with asyncio.timeout(BOUND_SECONDS):
        while await database.fetch("SELECT FROM pg_stat_activity WHERE pid = $1", backend):
            await asyncio.sleep(0.01)


# Prints the number of rows, and by how many MiB the peak of the process' memory has grown meanwhile.
_COUNT_SLOWLY = """
import asyncio
import sys
from pathlib import Path

from pydantic import SecretStr

from chassis.postgres.pool import Pool
from chassis.settings import Settings

QUERY = (
    "SELECT number, repeat('x', CASE number % 100 WHEN 0 THEN 10000 ELSE 100 END) "
    "FROM (SELECT generate_series(1, 1000000) AS number) AS numbers"
)


def peak_mib():
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024


async def main():
    async with Pool(Settings(database_url=SecretStr(sys.argv[1]))) as pool:
        async with pool.stream("SELECT 1") as rows:
            await anext(rows)
        count, before = 0, peak_mib()
        async with pool.stream(QUERY) as rows:
            async for _ in rows:
                count += 1
                if count % 1000 == 0:
                    await asyncio.sleep(0.001)
        print(count, peak_mib() - before)


asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_million_rows_take_little_memory(migrated_url: str) -> None:
    program = [sys.executable, "-c", _COUNT_SLOWLY, migrated_url]
    count, grown = subprocess.run(program, check=True, capture_output=True, text=True).stdout.split()
    assert int(count) == MANY
    assert float(grown) < 20
