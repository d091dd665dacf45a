"""The scenarios of the guide on read models: the table is what a GROUP BY would say, whatever happens."""

import asyncio
import random
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import SimpleNamespace

from chassis.database import Database
from chassis.project import ROOT
from chassis.testing import Client

SAID = "SELECT name, items, price_cents FROM item_totals WHERE items > 0 ORDER BY name"
TRUE = "SELECT name, count(*), sum(price_cents) FROM items GROUP BY name ORDER BY name"


async def compare(database: Database, least: int, most: int) -> None:
    said, true = await database.fetch(SAID), await database.fetch(TRUE)
    assert [tuple(row) for row in said] == [tuple(row) for row in true]
    assert least <= len(said) <= most


def fields(name: str, price: int) -> dict[str, object]:
    return {"name": name, "price_cents": price}


async def test_the_totals_are_right_after_many_writes_at_once(client: Client, database: Database) -> None:
    chance = random.Random(7)
    names = [f"name {number}" for number in range(5)]

    async def live() -> None:
        for _ in range(3):
            created = await client.post("/v1/items", json=fields(chance.choice(names), chance.randrange(100)))
            path = created.headers["Location"]
            await client.put(path, json=fields(chance.choice(names), chance.randrange(100)))
            await client.patch(path, json={"name": chance.choice(names)})
            if chance.random() < 0.5:
                assert (await client.delete(path)).status == 204

    await asyncio.gather(*(live() for _ in range(10)))
    await compare(database, 1, len(names))
    await database.execute("UPDATE items SET name = 'all', price_cents = price_cents + 1")  # by psql
    await compare(database, 1, 1)
    total = await (await client.get("/v1/item-totals/all")).json()
    assert total["items"] == await database.fetchval("SELECT count(*) FROM items")
    await database.execute("DELETE FROM items")
    await compare(database, 0, 0)
    assert (await client.get("/v1/item-totals/all")).status == 404


async def test_a_write_that_is_rolled_back_changes_no_total(client: Client, database: Database) -> None:
    await client.post("/v1/items", json=fields("Lamp", 5))
    try:
        async with database.transaction() as transaction:
            await transaction.execute("UPDATE items SET price_cents = 7")
            raise ZeroDivisionError
    except ZeroDivisionError:
        assert await (await client.get("/v1/item-totals/Lamp")).json() == {"name": "Lamp", "items": 1, "price_cents": 5}


async def test_the_migration_counts_the_rows_that_there_are(client: Client, database: Database) -> None:
    for number in range(5):
        await client.post("/v1/items", json=fields(f"name {number % 2}", number))
    await database.execute("DROP TABLE item_totals")
    await database.execute("DROP FUNCTION keep_item_totals CASCADE")
    for statement in statements_of(next(ROOT.glob("migrations/versions/*_keep_a_read_model.py"))):
        await database.execute(statement)
    await compare(database, 2, 2)


def statements_of(revision: Path) -> list[str]:
    """Return what a revision would execute."""
    found: list[str] = []
    spec = spec_from_file_location("revision", revision)
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    vars(module)["op"] = SimpleNamespace(execute=found.append)
    module.upgrade()
    return found
