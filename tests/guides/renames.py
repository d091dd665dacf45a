"""The scenarios of the guide on renamed columns, in the first release: rows of before, and pods of before and after."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from app.items.backfill import backfill_items
from pydantic import SecretStr

from chassis.database import Database
from chassis.migrations.run import migrate
from chassis.settings import Settings
from chassis.testing import MakeClient
from chassis.testing.databases import drop_database, make_database, open_database

WRITES = {  # by pods of the release before, and of the one after
    "description": "UPDATE items SET description = $1 WHERE id = $2",
    "details": "UPDATE items SET details = $1 WHERE id = $2",
}
INSERT = "INSERT INTO items (name, {}, price_cents) VALUES ('a', $1, 1) RETURNING id"


@pytest.fixture
async def old_database(server_url: str) -> AsyncIterator[str]:
    """A database of the release before, with rows."""
    url = await make_database(server_url)
    await migrate(Settings(database_url=SecretStr(url)))
    await migrate(Settings(database_url=SecretStr(url)), down_to="0002")
    async with open_database(url) as database:
        await database.execute(
            "INSERT INTO items (name, description, price_cents) "
            "SELECT 'a', 'text ' || n, n FROM generate_series(1, 2500) AS n"
        )
    yield url
    await drop_database(server_url, url)


async def test_old_rows_are_copied_while_pods_write(old_database: str, make_client: MakeClient) -> None:
    await migrate(Settings(database_url=SecretStr(old_database)))
    client = await make_client(database_url=old_database)
    async with open_database(old_database) as database:
        assert await database.fetchval("SELECT count(*) FROM items WHERE details IS NULL") == 2500

        async def write(column: str, number: int) -> None:
            await database.execute(WRITES[column], f"new {column}", number)

        writes = [
            write(column, number) for number in range(1, 2500, 100) for column in (list(WRITES)[number // 100 % 2],)
        ]
        await asyncio.gather(client.run_command(backfill_items), *writes)
        different = "SELECT count(*) FROM items WHERE details IS DISTINCT FROM description"
        assert await database.fetchval(different) == 0
        assert await database.fetchval("SELECT count(*) FROM items WHERE details LIKE 'new %'") == 25


@pytest.mark.parametrize("column", list(WRITES))
async def test_both_columns_are_written_whoever_writes(database: Database, column: str) -> None:
    number = await database.fetchval(INSERT.format(column), "one")
    for text in ("one", "two", "two", "three"):
        await database.execute(WRITES[column], text, number)
        row = await database.fetchrow("SELECT description, details FROM items WHERE id = $1", number)
        assert row
        assert tuple(row) == (text, text)
