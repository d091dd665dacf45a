"""Tests of placing orders, with a payment service whose answers the test decides."""

import asyncio
import hmac
import json
from typing import Any

import pytest

from app.orders.placing import finish_placing
from chassis.testing import Client, MakeClient, OtherService
from tests.app.test_drafts import order


@pytest.fixture
async def client(make_client: MakeClient, other_service: OtherService) -> Client:
    other_service.answer("POST", "/payments")
    return await make_client(payment_url=other_service.url)


async def place(client: Client, order_id: int) -> tuple[int, dict[str, Any]]:
    async with client.put(f"/v1/orders/{order_id}/placement") as response:
        return response.status, await response.json()


async def refund(client: Client, order_id: int, secret: bytes = b"for tests") -> int:
    body = json.dumps({"order_id": order_id}).encode()
    headers = {"Content-Type": "application/json", "X-Signature": hmac.new(secret, body, "sha256").hexdigest()}
    return (await client.post("/v1/refunds", data=body, headers=headers)).status


async def test_an_order_is_paid_once_and_placed(client: Client, other_service: OtherService) -> None:
    draft = await order(client, quantity=3, price="0.10")
    answers = await asyncio.gather(*(place(client, draft["id"]) for _ in range(5)))
    placed = answers[0][1]
    assert answers == [(200, placed)] * 5
    assert (placed["status"], placed["total"], placed["placed_at"]) == ("placed", "0.30", placed["updated_at"])
    assert {call.headers["Idempotency-Key"] for call in other_service.calls} == {f"order-{draft['id']}-3"}
    assert other_service.calls[0].json == {"order_id": draft["id"], "amount": "0.30"}
    changes = [
        await client.patch(f"/v1/orders/{draft['id']}", json={"tags": []}),
        await client.post(f"/v1/orders/{draft['id']}/lines", json={"sku": "LAMP", "quantity": 1, "price": "1"}),
    ]
    assert [response.status for response in changes] == [409, 409]


async def test_a_declined_payment_leaves_a_draft(client: Client, other_service: OtherService) -> None:
    draft = await order(client)
    other_service.answer("POST", "/payments", status=402)
    status, problem = await place(client, draft["id"])
    assert (status, problem["type"].rpartition(":")[2]) == (402, "payment-declined")
    other_service.answer("POST", "/payments")
    assert (await place(client, draft["id"]))[1]["status"] == "placed"
    assert len({call.headers["Idempotency-Key"] for call in other_service.calls}) == 2


async def test_an_order_of_nothing_is_not_placed(client: Client) -> None:
    draft = await order(client, price="0")
    assert (await place(client, draft["id"]))[0] == 409
    assert (await place(client, 404404))[0] == 404


async def test_what_was_begun_is_finished(client: Client, database: Any, other_service: OtherService) -> None:
    draft = await order(client)
    other_service.answer("POST", "/payments", status=303, headers={"Location": "/paid"})
    other_service.answer("GET", "/paid")  # which is no payment
    assert (await place(client, draft["id"]))[0] == 503
    assert await refund(client, draft["id"]) == 409  # nobody knows yet whether it was paid
    await database.execute("UPDATE orders SET updated_at = now() - interval '1 hour'")
    await client.run_background(finish_placing)  # the payment service does not work yet
    other_service.answer("POST", "/payments")
    await client.run_background(finish_placing)
    assert (await place(client, draft["id"]))[1]["status"] == "placed"
    assert len({call.headers["Idempotency-Key"] for call in other_service.calls}) == 1


async def test_a_refund_cancels_a_placed_order_once(client: Client, database: Any) -> None:
    draft, other = await order(client), await order(client)
    placed = (await place(client, draft["id"]))[1]
    assert await refund(client, draft["id"], b"guessed") == 403
    statuses = [await refund(client, order_id) for order_id in (draft["id"], draft["id"], other["id"], 404404)]
    assert statuses == [204] * 4
    cancelled = await (await client.get(f"/v1/orders/{draft['id']}")).json()
    assert cancelled == placed | {"status": "cancelled", "updated_at": cancelled["updated_at"]}
    assert await database.fetchval("SELECT array_agg(status ORDER BY id) FROM order_events") == ["placed", "cancelled"]
