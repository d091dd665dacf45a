"""Tests of events: as they reach a listener, and the warehouse."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from app.outbox import send_events
from chassis.testing import Client, MakeClient, OtherService
from tests.app.conftest import Listening
from tests.app.test_drafts import order


@pytest.fixture
async def client(make_client: MakeClient, other_service: OtherService) -> Client:
    other_service.answer("POST", "/payments")
    return await make_client(payment_url=other_service.url, warehouse_url=other_service.url)


async def place(client: Client) -> dict[str, Any]:
    draft = await order(client)
    assert (await client.put(f"/v1/orders/{draft['id']}/placement")).status == 200
    return {"order_id": draft["id"], "status": "placed"}


@asynccontextmanager
async def events(client: Client, **options: Any) -> AsyncIterator[AsyncIterator[tuple[int, dict[str, Any]]]]:
    """Yield an iterator over the events of a stream, once the server waits for new ones."""
    async with client.get("/v1/order-events", **options) as stream:

        async def sent() -> AsyncIterator[tuple[int, dict[str, Any]]]:
            number = 0
            async for line in stream.content:
                name, _, value = line.decode().strip().partition(": ")
                if name == "id":
                    number = int(value)
                elif name == "data":
                    yield number, json.loads(value)

        yield sent()


async def test_a_listener_is_told_at_once_and_goes_on_where_it_was(client: Client, listening: Listening) -> None:
    await listening(client)
    async with events(client) as sent:
        event = await place(client)
        async with asyncio.timeout(5):
            first, told = await anext(sent)
        assert told == event
    later = await place(client)
    async with events(client, headers={"Last-Event-ID": str(first)}) as sent:
        assert await anext(sent) == (first + 1, later)


async def test_the_warehouse_is_told_the_events_of_an_order_in_their_order_until_it_has_taken_them(
    client: Client, other_service: OtherService, database: Any
) -> None:
    event = await place(client)
    other_service.answer("POST", "/orders", status=503)
    await client.run_background(send_events)
    await database.execute("UPDATE order_events SET due_at = now() + interval '1 hour'")
    await database.execute("INSERT INTO order_events (order_id, status) VALUES ($1, 'cancelled')", event["order_id"])
    other_service.answer("POST", "/orders")
    await client.run_background(send_events)
    await database.execute("UPDATE order_events SET due_at = now()")
    for _ in range(2):
        await client.run_background(send_events)
    calls = [(call.json, call.headers["Idempotency-Key"]) for call in other_service.calls if call.path == "/orders"]
    assert calls == [(event, "order-event-1")] * 2 + [(event | {"status": "cancelled"}, "order-event-2")]
