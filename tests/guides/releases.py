"""The scenarios of the guides on schema changes, in each release: it meets the schema of the next one."""

from typing import get_args

import asyncpg
import pytest
from app.orders.models import OrderStatus

from chassis.database import Database
from chassis.testing import Client


async def test_a_word_of_the_next_release_is_read_and_kept(client: Client, database: Database) -> None:
    try:
        number = await database.fetchval("INSERT INTO orders (status) VALUES ('paid') RETURNING id")
    except asyncpg.CheckViolationError:
        pytest.skip("no such word yet")
    path = f"/v1/orders/{number}"
    assert (await (await client.get(path)).json())["status"] == "paid"
    assert [order["status"] for order in (await (await client.get("/v1/orders")).json())["items"]] == ["paid"]
    assert (await client.patch(path, json={})).status == 200
    assert (await client.put(path, json={"status": "paid"})).status == (200 if "paid" in get_args(OrderStatus) else 422)
    assert (await (await client.get(path)).json())["status"] == "paid"


async def test_items_are_written_and_read(client: Client) -> None:
    fields = {"name": "Lamp", "description": "Bright", "price_cents": 5}
    created = await client.post("/v1/items", json=fields)
    path = created.headers["Location"]
    assert (await created.json()).items() >= fields.items()
    for change, method in (({"price_cents": 6}, "PATCH"), ({"description": "Dark"}, "PATCH"), (fields, "PUT")):
        changed = await client.request(method, path, json=change)
        assert (await changed.json())["description"] == change.get("description", "Bright")
        assert (await (await client.get(path)).json()) == await changed.json()
        assert (await (await client.get("/v1/items")).json())["items"] == [await changed.json()]
    assert (await client.delete(path)).status == 204
