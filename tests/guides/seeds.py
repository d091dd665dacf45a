"""The scenarios of the guide on data for development."""

import pytest
from app.seed import seed

from chassis.database import Database
from chassis.errors import ConflictError
from chassis.testing import Client

ROWS = "SELECT id, name, price_cents FROM items ORDER BY id"


async def test_an_empty_database_gets_the_same_rows_each_time(client: Client, database: Database) -> None:
    assert await client.run_command(seed) == 0
    rows = await database.fetch(ROWS)
    assert len(rows) == 1000
    page = await (await client.get("/v1/items?limit=100&sort=-price_cents")).json()
    assert len(page["items"]) == 100
    await database.execute("TRUNCATE items RESTART IDENTITY")
    assert await client.run_command(seed, "--items", "50") == 0
    assert [row["id"] for row in await database.fetch(ROWS)] == list(range(1, 51))
    await database.execute("TRUNCATE items RESTART IDENTITY")
    await client.run_command(seed)
    assert await database.fetch(ROWS) == rows


async def test_a_table_with_rows_is_left_alone(client: Client, database: Database) -> None:
    await client.post("/v1/items", json={"name": "mine", "price_cents": 5})
    with pytest.raises(ConflictError, match="already"):
        await client.run_command(seed)
    assert len(await database.fetch(ROWS)) == 1


async def test_a_number_that_makes_no_sense_is_refused(client: Client) -> None:
    with pytest.raises(ValueError, match="items"):
        await client.run_command(seed, "--items", "0")
