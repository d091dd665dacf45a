"""Tests of drafts: exact totals, and nothing changes in an order that is not a draft."""

import asyncio
from typing import Any

from app.orders.drafts import cancel_stale_drafts
from chassis.testing import Client
from tests.app import test_lines, test_orders


async def order(client: Client, **line: Any) -> dict[str, Any]:
    """Create an order with one line."""
    created = await test_orders.create(client)
    await test_lines.create(client, f"/v1/orders/{created['id']}/lines", **line)
    read: dict[str, Any] = await (await client.get(f"/v1/orders/{created['id']}")).json()
    return read


async def test_the_total_is_the_exact_sum_of_lines_that_come_at_the_same_time(client: Client) -> None:
    created = await test_orders.create(client)
    lines = f"/v1/orders/{created['id']}/lines"
    added = await asyncio.gather(*(test_lines.create(client, lines, quantity=3, price="0.10") for _ in range(10)))
    assert (await (await client.get(f"/v1/orders/{created['id']}")).json())["total"] == "3.00"
    await asyncio.gather(*(client.delete(f"{lines}/{line['id']}") for line in added[:9]))
    assert (await (await client.get(f"/v1/orders/{created['id']}")).json())["total"] == "0.30"


async def test_a_draft_that_nobody_changes_is_cancelled(client: Client, database: Any) -> None:
    old, new = await order(client), await order(client)
    await database.execute("UPDATE orders SET updated_at = now() - interval '8 days' WHERE id = $1", old["id"])
    await client.run_background(cancel_stale_drafts)
    [cancelled] = await test_orders.listed(client, "/v1/orders", status="cancelled")
    assert cancelled["id"] == old["id"]
    assert await test_orders.listed(client, "/v1/orders", status="draft", sort="-placed_at") == [new]
    assert (await client.put(f"/v1/orders/{old['id']}/placement")).status == 409
    assert await database.fetchval("SELECT status FROM order_events") == "cancelled"
