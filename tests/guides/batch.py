"""The scenarios of the guide on many rows: they run in a service with its code."""

import json
from io import BytesIO
from typing import Any

import asyncpg
import pytest

from chassis.testing import Client

PATH = "/v1/items:batch"
LIST = "/v1/items?limit=100"


def items(count: int) -> list[dict[str, Any]]:
    return [{"name": f"Item {number}", "description": "", "price_cents": count - number} for number in range(count)]


async def listed(client: Client) -> list[dict[str, Any]]:
    page = await (await client.get(LIST)).json()
    rows: list[dict[str, Any]] = page["items"]
    return rows


async def test_all_are_created_in_the_order_of_the_request(client: Client) -> None:
    response = await client.post(PATH, json=items(1000))
    created = await response.json()
    assert response.status == 201, created
    assert [{name: item[name] for name in items(1)[0]} for item in created] == items(1000)
    assert [item["id"] for item in created] == sorted({item["id"] for item in created})
    assert await listed(client) == created[:100]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"name": ""}, "#/17/name"),
        ({"price_cents": "5"}, "#/17/price_cents"),
        ({"colour/tone": "red"}, "#/17/colour~1tone"),
        ({"name": None}, "#/17/name"),
    ],
)
async def test_one_wrong_value_refuses_all(client: Client, change: dict[str, Any], pointer: str) -> None:
    sent = items(20)
    sent[17] |= change
    response = await client.post(PATH, json=sent)
    assert (response.status, [each["pointer"] for each in (await response.json())["errors"]]) == (422, [pointer])
    assert await listed(client) == []


@pytest.mark.parametrize("sent", [[], items(1001), items(1)[0]], ids=["none", "too many", "an object"])
async def test_the_bounds_of_the_array(client: Client, sent: object) -> None:
    response = await client.post(PATH, json=sent)
    assert (response.status, [each["pointer"] for each in (await response.json())["errors"]]) == (422, ["#"])


async def test_a_broken_constraint_refuses_all(client: Client, database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute("ALTER TABLE items ADD CONSTRAINT items_name_key UNIQUE (name)")
    try:
        response = await client.post(PATH, json=[*items(20), items(1)[0]])
        problem = await response.json()
        assert (response.status, problem["errors"][0]["pointer"]) == (409, "#")
        assert await listed(client) == []
    finally:
        await connection.execute("ALTER TABLE items DROP CONSTRAINT items_name_key")
        await connection.close()


async def test_a_key_creates_them_once(client: Client) -> None:
    headers = {"Idempotency-Key": "of-many"}
    first, again = [await (await client.post(PATH, json=items(3), headers=headers)).json() for _ in range(2)]
    assert first == again == await listed(client)


async def test_the_longest_items_fit_the_limit_of_the_body(client: Client) -> None:
    longest = [{"name": "n" * 200, "description": "d" * 2000, "price_cents": 2**53 - 1}] * 1000
    body = BytesIO(json.dumps(longest).encode())
    assert (await client.post(PATH, data=body, headers={"Content-Type": "application/json"})).status == 201


async def test_the_document_has_the_path(client: Client) -> None:
    document = await (await client.get("/openapi.json")).json()
    body = document["paths"][PATH]["post"]["requestBody"]["content"]["application/json"]["schema"]
    items = {"$ref": "#/components/schemas/ItemFields"}
    assert body == {"type": "array", "items": items, "minItems": 1, "maxItems": 1000}
