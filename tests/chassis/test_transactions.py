"""Transactions: query functions work inside and outside of them, they nest, and conflicts are retried."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import asyncpg
import pytest

from chassis.database import Database, InTransaction
from chassis.errors import DatabaseUnavailableError
from chassis.postgres.pool import Pool
from chassis.settings import Settings
from chassis.telemetry.metrics import registry


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[Pool]:
    """A pool, and a table `stock`, which it drops."""
    async with Pool(settings) as made:
        await made.execute("CREATE TABLE stock (id int PRIMARY KEY, count int NOT NULL)")
        await made.execute("INSERT INTO stock VALUES (1, 10), (2, 10)")
        try:
            yield made
        finally:
            await made.execute("DROP TABLE stock")


async def take(database: Database, stock_id: int, number: int = 1) -> int:
    """Take from the stock, and return what is left."""
    left = await database.fetchval(
        "UPDATE stock SET count = count - $2 WHERE id = $1 RETURNING count", stock_id, number
    )
    assert isinstance(left, int)
    return left


async def count(database: Database, stock_id: int = 1) -> int:
    row = await database.fetchrow("SELECT count FROM stock WHERE id = $1", stock_id)
    assert row
    found: int = row["count"]
    return found


def retries(reason: str) -> float:
    return registry().get_sample_value("db_client_transaction_retries_total", {"reason": reason}) or 0


async def test_query_functions_work_inside_and_outside_of_a_transaction(pool: Pool) -> None:
    assert await take(pool, 1) == 9
    with suppress(ZeroDivisionError):
        async with pool.transaction() as transaction:
            assert await take(transaction, 1) == 8
            assert (await count(pool), await count(transaction)) == (9, 8)
            raise ZeroDivisionError
    async with pool.transaction() as transaction:
        await take(transaction, 2)
        row = await transaction.load("SELECT id, count FROM stock WHERE id = ANY ($1)", 2)
        assert row
        assert row["count"] == 9
    assert (await count(pool, 1), await count(pool, 2)) == (9, 9)
    assert await pool.execute("UPDATE stock SET count = 0") == "UPDATE 2"
    assert await pool.fetchval("SELECT count FROM stock WHERE id = 9") is None


async def test_a_transaction_has_what_a_connection_has(pool: Pool) -> None:
    """Code of release 0.2 gets asyncpg's connection."""
    async with pool.transaction() as connection:
        await connection.executemany("INSERT INTO stock VALUES ($1, 0)", [(3,), (4,)])
        await connection.copy_records_to_table("stock", records=[(5, 0)])
        assert [row["id"] async for row in connection.cursor("SELECT id FROM stock ORDER BY id")] == [1, 2, 3, 4, 5]
        assert await connection.fetchval("SELECT 1, 2", column=1, timeout=5) == 2
        statement = await connection.prepare("SELECT count(*) FROM stock")
        assert (await statement.fetchval(), connection.is_in_transaction(), connection.is_closed()) == (5, True, False)
        manual = connection.transaction(deferrable=True)
        await manual.start()
        await connection.execute("DELETE FROM stock")
        await manual.rollback()
        manual = connection.transaction()
        await manual.start()
        await take(connection, 1)
        await manual.commit()
        with pytest.raises(AttributeError):
            connection.fetchall  # noqa: B018
    assert await count(pool) == 9


async def test_a_transaction_in_a_transaction_is_a_savepoint(pool: Pool) -> None:
    async with pool.transaction() as outer:
        await take(outer, 1)
        with suppress(asyncpg.DivisionByZeroError):
            async with outer.transaction() as inner:
                await take(inner, 1)
                await take(outer, 2)  # the same transaction, so this is in the savepoint, too
                await inner.execute("SELECT 1 / 0")
        async with outer.transaction() as inner, inner.transaction() as innermost:
            await take(innermost, 1)
    assert (await count(pool, 1), await count(pool, 2)) == (8, 10)


async def test_statements_at_once_run_one_after_the_other(pool: Pool) -> None:
    async def take_in_savepoint(database: Database, number: int) -> None:
        async with database.transaction() as savepoint:
            await take(savepoint, 1)
            await asyncio.gather(savepoint.fetch("SELECT 1"), database.fetch("SELECT 2"))
            if number % 2:
                raise ZeroDivisionError

    async with pool.transaction() as transaction:
        calls = [take(transaction, 2), *(take_in_savepoint(transaction, number) for number in range(4))]
        ends = await asyncio.gather(*calls, take(transaction, 2), return_exceptions=True)
    assert [type(end) for end in ends] == [int, type(None), ZeroDivisionError, type(None), ZeroDivisionError, int]
    assert (await count(pool, 1), await count(pool, 2)) == (8, 8)


async def test_a_transaction_that_has_ended_is_refused(pool: Pool) -> None:
    async with pool.transaction() as outer:
        async with outer.transaction() as inner:
            pass
        with pytest.raises(asyncpg.InterfaceError, match="has ended"):
            await inner.fetch("SELECT 1")
        assert await outer.fetchval("SELECT 1") == 1
    with pytest.raises(asyncpg.InterfaceError, match="has ended"):
        await outer.execute("SELECT 1")
    with pytest.raises(asyncpg.InterfaceError, match="has ended"):
        outer.cursor("SELECT 1")


@pytest.mark.parametrize("savepoint", [False, True])
async def test_the_error_of_a_task_is_not_hidden_by_a_statement_of_another_one(pool: Pool, savepoint: bool) -> None:
    async def fail(database: Database) -> None:
        await count(pool)  # the statement has begun meanwhile
        raise ZeroDivisionError

    async def at_once(database: Database) -> None:
        await take(database, 1)
        await asyncio.gather(database.execute("SELECT pg_sleep(0.2)"), take(database, 2), fail(database))

    async with pool.transaction() as outer:
        with pytest.raises(ZeroDivisionError):
            await (outer if savepoint else pool).transaction().run(at_once)
        assert await count(outer) == 10
    assert (await count(pool, 1), await count(pool, 2)) == (10, 10)


@pytest.mark.parametrize("fails", [False, True])
async def test_a_transaction_ends_after_the_savepoints_of_other_tasks(pool: Pool, fails: bool) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def in_savepoint(database: Database) -> None:
        async with database.transaction() as savepoint:
            await take(savepoint, 1)
            begun.set()
            await go_on.wait()
            await take(savepoint, 2)
            if fails:
                raise ZeroDivisionError

    async with pool.transaction() as transaction:
        task = asyncio.create_task(in_savepoint(transaction))
        await begun.wait()
        asyncio.get_running_loop().call_later(0.1, go_on.set)
    async with pool.transaction() as another:  # on the same connection
        await another.execute("INSERT INTO stock VALUES (3, 0)")
        await asyncio.wait([task])
    assert isinstance(task.exception(), ZeroDivisionError) == fails
    left = [10, 10, 0] if fails else [9, 9, 0]
    assert [row["count"] for row in await pool.fetch("SELECT count FROM stock ORDER BY id")] == left


async def test_a_savepoint_that_nobody_has_ended_ends_with_its_transaction(pool: Pool) -> None:
    async with pool.transaction() as transaction:
        forgotten = transaction.transaction()
        await forgotten.start()
        await take(transaction, 1)
    async with pool.transaction() as another:  # on the same connection
        await take(another, 1)
        with pytest.raises(asyncpg.InterfaceError, match="has ended"):
            await forgotten.commit()
    assert await count(pool) == 8

    async def fail(transaction: Database) -> None:
        await transaction.transaction().start()
        await transaction.execute("SELECT 1 / 0")

    with pytest.raises(asyncpg.DivisionByZeroError):
        await asyncio.wait_for(pool.transaction().run(fail), 5)


async def test_a_savepoint_in_the_savepoint_of_another_transaction(pool: Pool) -> None:
    async with asyncio.timeout(5), pool.transaction() as one, pool.transaction() as another:
        async with one.transaction(), another.transaction():
            await take(one, 1)
            await take(another, 2)
        await take(one, 1)
    assert (await count(pool, 1), await count(pool, 2)) == (8, 9)


async def test_the_isolation_level_is_honoured_or_refused(pool: Pool) -> None:
    async with pool.transaction(isolation="repeatable_read") as transaction:
        assert await transaction.fetchval("SHOW transaction_isolation") == "repeatable read"
        async with transaction.transaction(isolation="repeatable_read") as inner:
            await inner.execute("SELECT 1")
        with pytest.raises(asyncpg.InterfaceError, match="repeatable_read, and cannot become serializable"):
            async with transaction.transaction(isolation="serializable"):
                pass
        await take(transaction, 1)
    assert await count(pool) == 9


async def test_a_read_only_transaction_refuses_writes(pool: Pool) -> None:
    async with pool.transaction() as outer:
        await take(outer, 1)
        async with outer.transaction(readonly=True) as inner:
            assert await count(inner) == 9
        with pytest.raises(asyncpg.InterfaceError, match="readonly=True"):
            async with outer.transaction(readonly=True) as inner:
                await take(inner, 1)
        await take(outer, 1)  # the outer one may write
    lost = pool.servers_lost
    with pytest.raises(asyncpg.InterfaceError, match="readonly=True"):
        async with pool.transaction(readonly=True) as transaction, transaction.transaction() as inner:
            await take(inner, 1)
    assert (await count(pool), pool.servers_lost) == (8, lost)


async def test_rows_are_streamed_as_the_transaction_sees_them(pool: Pool) -> None:
    async with pool.transaction() as transaction:
        await take(transaction, 1, 5)
        async with transaction.stream("SELECT count FROM stock ORDER BY id") as rows:
            found = [row["count"] async for row in rows]
            await transaction.execute("SELECT 1")
    assert found == [5, 10]


async def in_turns(database: Database, first: int, second: int, both: asyncio.Barrier, runs: list[int]) -> None:
    """Take from two stocks; the first time, when another task has taken from its first, too: a deadlock."""
    runs.append(first)
    await take(database, first)
    if runs.count(first) == 1:
        await both.wait()
    await take(database, second)


async def read_and_write(database: Database, read: int, write: int, both: asyncio.Barrier, runs: list[int]) -> None:
    """Write what another task reads: a serialization failure if both do it at once."""
    runs.append(read)
    await count(database, read)
    if runs.count(read) == 1:
        await both.wait()
    await take(database, write)


@pytest.mark.parametrize("savepoint", [False, True])
async def test_a_deadlock_is_retried(pool: Pool, savepoint: bool) -> None:
    before, both, runs = retries("deadlock"), asyncio.Barrier(2), list[int]()

    async def run(first: int, second: int) -> None:
        if savepoint:
            async with pool.transaction() as outer:
                await outer.transaction(retry=3).run(in_turns, first, second, both, runs)
        else:
            await pool.transaction(retry=3).run(in_turns, first, second, both, runs)

    await asyncio.gather(run(1, 2), run(2, 1))
    assert (await count(pool, 1), await count(pool, 2)) == (8, 8)
    assert len(runs) == 3
    assert retries("deadlock") == before + 1


async def test_a_serialization_failure_is_retried(pool: Pool) -> None:
    before, both, runs = retries("serialization_failure"), asyncio.Barrier(2), list[int]()
    transaction = pool.transaction(isolation="serializable", retry=3)
    await asyncio.gather(
        transaction.run(read_and_write, 1, 2, both, runs), transaction.run(read_and_write, 2, 1, both, runs)
    )
    assert (await count(pool, 1), await count(pool, 2)) == (9, 9)
    assert len(runs) == 3
    assert retries("serialization_failure") == before + 1


async def test_the_last_conflict_is_raised(pool: Pool) -> None:
    runs = []

    async def conflict(database: Database, code: str) -> None:
        runs.append(code)
        await database.execute(f"DO $$ BEGIN RAISE SQLSTATE '{code}'; END $$")

    with pytest.raises(DatabaseUnavailableError):
        await pool.transaction(retry=2).run(conflict, "40001")
    with pytest.raises(asyncpg.UniqueViolationError):
        await pool.transaction(retry=2).run(conflict, "23505")
    assert runs == ["40001"] * 3 + ["23505"]


async def test_a_block_is_not_retried(pool: Pool) -> None:
    with pytest.raises(TypeError, match="run"):
        async with pool.transaction(retry=1):
            pass


async def test_columns_that_change_in_a_transaction(pool: Pool) -> None:
    """Elsewhere, asyncpg itself prepares the statement again."""
    query = "SELECT * FROM stock WHERE id = 1"
    runs = []

    async def read(database: Database) -> tuple[object, ...]:
        runs.append(1)
        return tuple(await database.fetchrow(query) or ())

    async with pool.connection() as connection:
        await connection.fetchrow(query)
    await pool.execute("ALTER TABLE stock ADD COLUMN name text")
    with pytest.raises(DatabaseUnavailableError):
        await pool.transaction().run(read)
    async with pool.connection() as connection:
        await connection.fetchrow(query)
    await pool.execute("ALTER TABLE stock DROP COLUMN name")
    assert await pool.transaction(retry=1).run(read) == (1, 10)
    assert len(runs) == 3

    async with pool.connection() as connection, connection.transaction():
        database = InTransaction(connection)
        assert await read(database) == (1, 10)
        await connection.execute("ALTER TABLE stock ADD COLUMN name text")
        assert await read(database) == (1, 10, None)  # in a savepoint of its own, so it is repeated
