"""The scenarios of the guide on deleted rows."""

import asyncio
from typing import Any

from chassis.database import Database
from chassis.testing import Client

LAMP = {"name": "Lamp", "description": "", "price_cents": 2**53 - 1}


async def create(client: Client) -> tuple[str, dict[str, Any], str]:
    response = await client.post("/v1/items", json=LAMP)
    return response.headers["Location"], await response.json(), response.headers["ETag"]


async def test_a_deleted_item_is_gone_and_comes_back_as_it_was(client: Client) -> None:
    path, item, tag = await create(client)
    assert (await client.post(f"{path}/restoration")).status == 404
    assert (await client.delete(path)).status == 204
    assert (await client.get(path)).status == 404
    assert (await (await client.get("/v1/items")).json())["items"] == []
    answers = await asyncio.gather(*(client.post(f"{path}/restoration") for _ in range(5)))
    assert sorted(answer.status for answer in answers) == [200, 404, 404, 404, 404]
    again = await client.get(path)
    assert (await again.json(), again.headers["ETag"]) == (item, tag)
    assert (await client.delete(path)).status == 204  # once more
    assert (await client.post(f"{path}/restoration")).status == 200


async def test_every_deletion_is_kept_and_one_that_is_rolled_back_is_not(client: Client, database: Database) -> None:
    ids = [(await create(client))[1]["id"] for _ in range(3)]
    try:
        async with database.transaction() as transaction:
            await transaction.execute("DELETE FROM items")
            raise ZeroDivisionError
    except ZeroDivisionError:
        assert await database.fetch("SELECT FROM deleted_rows") == []
    await database.execute("DELETE FROM items WHERE id <> $1", ids[0])
    kept = await database.fetch("SELECT id, content ->> 'name' AS name FROM deleted_rows WHERE table_name = 'items'")
    assert {tuple(row) for row in kept} == {(number, "Lamp") for number in ids[1:]}


async def test_a_name_that_is_taken_meanwhile_is_a_conflict(client: Client, database: Database) -> None:
    path, _, _ = await create(client)
    assert (await client.delete(path)).status == 204
    await create(client)
    await database.execute("ALTER TABLE items ADD CONSTRAINT items_name_key UNIQUE (name)")
    try:
        assert (await client.post(f"{path}/restoration")).status == 409
        assert len(await database.fetch("SELECT FROM deleted_rows")) == 1
    finally:
        await database.execute("ALTER TABLE items DROP CONSTRAINT items_name_key")


async def test_a_column_that_is_newer_than_the_row_gets_its_default(client: Client, database: Database) -> None:
    path, _, _ = await create(client)
    assert (await client.delete(path)).status == 204
    await database.execute("ALTER TABLE items ADD COLUMN colour text NOT NULL DEFAULT 'red'")
    try:
        restored = await database.fetchval(
            'SELECT colour FROM deleted_rows, jsonb_populate_record(NULL::items, \'{"colour": "red"}\' || content)'
        )
        assert restored == "red"
    finally:
        await database.execute("ALTER TABLE items DROP COLUMN colour")
