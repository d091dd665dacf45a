"""Reads by key that share a statement do not affect each other."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from prometheus_client import REGISTRY

from chassis.database import Database, InTransaction
from chassis.errors import DatabaseUnavailableError, OverloadedError
from chassis.postgres.pool import Pool
from chassis.settings import Settings
from harness.addresses import on_port

# Each statement is a transaction of its own, so the transaction id tells which statement returned a row.
STATEMENT = "SELECT key, pg_current_xact_id()::text AS statement FROM unnest($1::bigint[]) AS keys (key) WHERE key > 0"
INVERSE = "SELECT key, 60 / key AS inverse FROM unnest($1::bigint[]) AS keys (key)"
SLOW = "SELECT key, pg_sleep(0.2) FROM unnest($1::bigint[]) AS keys (key)"


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[Pool]:
    """A pool with one connection."""
    async with Pool(
        settings.model_copy(update={"database_pool_size": 1, "database_acquire_timeout_seconds": 5})
    ) as made:
        yield made


@asynccontextmanager
async def all_connections_in_use(pool: Pool) -> AsyncIterator[None]:
    async with pool.connection():
        yield


async def statements(database: Database, keys: range) -> Counter[str]:
    """Return how many rows each statement returned."""
    rows = await asyncio.gather(*(database.load(STATEMENT, key) for key in keys))
    assert [row["key"] for row in rows if row] == list(keys)
    return Counter(row["statement"] for row in rows if row)


async def test_reads_that_wait_for_a_connection_leave_together(pool: Pool) -> None:
    async with all_connections_in_use(pool):
        reading = asyncio.create_task(statements(pool, range(1, 51)))
        await asyncio.sleep(0)
    assert sorted((await reading).values()) == [1, 49]  # the first was alone


async def test_a_statement_carries_a_bounded_number_of_keys(pool: Pool) -> None:
    assert sorted((await statements(pool, range(1, 251))).values()) == [1, 49, 100, 100]


async def test_each_read_is_a_statement_where_that_is_switched_off(settings: Settings) -> None:
    async with Pool(settings.model_copy(update={"database_coalesce_reads": False})) as pool:
        assert set((await statements(pool, range(1, 11))).values()) == {1}


async def test_a_key_without_a_row_and_a_key_that_comes_twice(pool: Pool) -> None:
    none, once, twice = await asyncio.gather(*(pool.load(STATEMENT, key) for key in (-1, 1, 1)))
    assert none is None
    assert once == twice != None  # noqa: E711  (a row is equal by its values)


@pytest.mark.parametrize("given_up", [0, 1])  # the one that is alone, and one of the others, which are one statement
async def test_a_read_that_is_given_up_leaves_the_others_alone(pool: Pool, given_up: int) -> None:
    reading = [asyncio.create_task(pool.load(SLOW, key)) for key in range(4)]
    async with asyncio.timeout(5):
        while pool.idle or not pool.size:  # until a statement is sent
            await asyncio.sleep(0.005)
        if given_up:
            await reading[0]
    reading[given_up].cancel()
    async with asyncio.timeout(5):
        rows = await asyncio.gather(*reading, return_exceptions=True)
    assert isinstance(rows[given_up], asyncio.CancelledError)
    assert [row[0] for row in rows if isinstance(row, asyncpg.Record)] == [key for key in range(4) if key != given_up]


async def test_a_key_that_the_database_refuses_is_nothing_to_the_others(pool: Pool) -> None:
    rows = await asyncio.gather(*(pool.load(INVERSE, key) for key in (1, 0, 2)), return_exceptions=True)
    assert isinstance(rows[1], asyncpg.DivisionByZeroError)
    assert [row["inverse"] for row in rows if isinstance(row, asyncpg.Record)] == [60, 30]


async def test_a_database_that_is_away_is_told_to_each_reader(settings: Settings, database_url: str) -> None:
    away = type(settings.database_url)(on_port(database_url, 1, "127.0.0.1"))
    async with Pool(settings.model_copy(update={"database_url": away})) as pool:
        errors = await asyncio.gather(*(pool.load(STATEMENT, key) for key in range(5)), return_exceptions=True)
    assert [type(error) for error in errors] == [DatabaseUnavailableError] * 5


async def test_each_read_that_is_refused_with_its_batch_is_counted(settings: Settings) -> None:
    def refused() -> float:
        return REGISTRY.get_sample_value("db_client_connection_refusals_total", {"reason": "all_in_use"}) or 0

    fast = settings.model_copy(update={"database_pool_size": 1, "database_acquire_timeout_seconds": 0.05})
    before = refused()
    async with Pool(fast) as pool, all_connections_in_use(pool):
        failed = await asyncio.gather(*(pool.load(STATEMENT, key) for key in range(1, 11)), return_exceptions=True)
    assert {type(each) for each in failed} == {OverloadedError}
    assert refused() - before == 10


async def test_a_read_sees_what_was_written_before_it_began(settings: Settings) -> None:
    """Concurrent tasks write and read the same rows. No read misses a write that ended before the read began."""
    async with Pool(settings.model_copy(update={"database_pool_size": 3})) as pool:
        await pool.fetch("CREATE TABLE counts (id int PRIMARY KEY, count int NOT NULL)")
        try:
            await pool.fetch("INSERT INTO counts SELECT number, 0 FROM generate_series(1, 8) AS number")

            async def count(key: int) -> None:
                for _ in range(25):
                    written = await pool.fetchrow(
                        "UPDATE counts SET count = count + 1 WHERE id = $1 RETURNING count", key
                    )
                    read = await pool.load("SELECT id, count FROM counts WHERE id = ANY ($1)", key)
                    assert written
                    assert read
                    assert read["count"] >= written["count"]

            await asyncio.gather(*(count(1 + task % 8) for task in range(16)))
        finally:
            await pool.fetch("DROP TABLE counts")


async def test_a_transaction_reads_what_it_has_written(pool: Pool) -> None:
    async with pool.transaction() as connection:
        await connection.execute("CREATE TEMPORARY TABLE own (id int) ON COMMIT DROP")
        await connection.execute("INSERT INTO own VALUES (7)")
        row = await InTransaction(connection).load("SELECT id FROM own WHERE id = ANY ($1)", 7)
        assert row
        assert row["id"] == 7


async def test_a_key_that_is_equal_for_postgresql_alone_has_no_row(pool: Pool) -> None:
    """A read that is alone, and reads that share a statement, find the same."""
    query = "SELECT name FROM (VALUES ('a ')) AS names (name) WHERE name::char(9) = ANY ($1::char(9)[])"
    assert await pool.load(query, "a") is None
    assert await asyncio.gather(*(pool.load(query, "a") for _ in range(3))) == [None] * 3
    assert await pool.load(query, "a ") is not None
