"""What clients rely on when they work with items."""

from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from yarl import URL

Client = TestClient[web.Request, web.Application]
LAMP = {"name": "Lamp", "description": "Bright", "price_cents": 1999}


async def create(client: Client, **fields: Any) -> dict[str, Any]:
    response = await client.post("/v1/items", json={**LAMP, **fields})
    assert response.status == 201, await response.text()
    item: dict[str, Any] = await response.json()
    return item


async def test_a_created_item_can_be_read_at_its_location(client: Client) -> None:
    created = await client.post("/v1/items", json=LAMP)
    assert created.status == 201
    item = await created.json()
    assert item == {**LAMP, "id": item["id"], "created_at": item["created_at"], "updated_at": item["updated_at"]}
    assert item["created_at"] == item["updated_at"]
    assert item["created_at"].endswith("Z")

    read = await client.get(created.headers["Location"])
    assert (read.status, await read.json()) == (200, item)


async def test_the_description_may_be_left_out(client: Client) -> None:
    response = await client.post("/v1/items", json={"name": "Lamp", "price_cents": 0})
    assert (response.status, (await response.json())["description"]) == (201, "")


async def test_a_replaced_item_keeps_its_id_and_its_time_of_creation(client: Client) -> None:
    item = await create(client)
    response = await client.put(f"/v1/items/{item['id']}", json={"name": "Candle", "price_cents": 5})
    replaced = await response.json()
    assert response.status == 200
    fields = {"name": "Candle", "description": "", "price_cents": 5}
    assert replaced == {**item, **fields, "updated_at": replaced["updated_at"]}
    assert replaced["updated_at"] > item["updated_at"]
    assert await (await client.get(f"/v1/items/{item['id']}")).json() == replaced


async def test_a_deleted_item_is_gone(client: Client) -> None:
    item = await create(client)
    response = await client.delete(f"/v1/items/{item['id']}")
    assert (response.status, await response.read()) == (204, b"")
    assert (await client.get(f"/v1/items/{item['id']}")).status == 404


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_an_item_that_is_not_there_is_a_404_that_names_it(client: Client, method: str) -> None:
    response = await client.request(method, "/v1/items/404404", json=LAMP if method == "PUT" else None)
    assert response.status == 404
    assert (await response.json())["detail"] == "There is no item 404404."


async def test_pages_show_every_item_once_in_order_while_items_come_and_go(client: Client) -> None:
    ids = [(await create(client, name=f"Item {number}"))["id"] for number in range(7)]
    seen, url = list[int](), "/v1/items?limit=3"
    while url:
        response = await client.get(url)
        assert response.status == 200
        seen += [item["id"] for item in (await response.json())["items"]]
        link = response.links.get("next")
        url = str(URL(link["url"]).relative()) if link else ""
        if len(seen) == 3:
            await client.delete(f"/v1/items/{ids[1]}")  # on a page that was read
            ids.append((await create(client))["id"])
    assert seen == ids


async def test_the_last_page_names_no_next_one(client: Client) -> None:
    for _ in range(2):
        await create(client)
    response = await client.get("/v1/items?limit=2")
    page = await response.json()
    assert (len(page["items"]), page["next_cursor"], "next" in response.links) == (2, None, False)


async def test_an_empty_list_is_a_page_without_items(client: Client) -> None:
    assert await (await client.get("/v1/items")).json() == {"items": [], "next_cursor": None}


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"name": ""}, "#/name"),
        ({"name": "x" * 201}, "#/name"),
        ({"name": "a\x00b"}, "#/name"),
        ({"name": None}, "#/name"),
        ({"description": "x" * 2001}, "#/description"),
        ({"price_cents": -1}, "#/price_cents"),
        ({"price_cents": 2**53}, "#/price_cents"),
        ({"price_cents": "5"}, "#/price_cents"),
        ({"price_cents": 1.5}, "#/price_cents"),
        ({"colour/tone": "red"}, "#/colour~1tone"),
    ],
)
async def test_a_value_that_breaks_its_rule_is_named(client: Client, fields: dict[str, Any], pointer: str) -> None:
    response = await client.post("/v1/items", json={**LAMP, **fields})
    assert response.status == 422
    assert [mistake["pointer"] for mistake in (await response.json())["errors"]] == [pointer]


async def test_a_rule_is_told_in_its_own_words(client: Client) -> None:
    response = await client.post("/v1/items", json={**LAMP, "name": "", "price_cents": -1})
    assert [mistake["detail"] for mistake in (await response.json())["errors"]] == [
        "String should have at least 1 character",
        "Input should be greater than or equal to 0",
    ]


@pytest.mark.parametrize("item_id", ["0", "-1", "x", str(2**63)])
async def test_an_id_that_cannot_be_one_is_named(client: Client, item_id: str) -> None:
    response = await client.get(f"/v1/items/{item_id}")
    assert response.status == 422
    assert [mistake["parameter"] for mistake in (await response.json())["errors"]] == ["item_id"]


async def test_the_longest_values_are_stored_as_they_are(client: Client) -> None:
    item = await create(client, name="ä" * 200, description="🙂" * 2000, price_cents=2**53 - 1)
    assert await (await client.get(f"/v1/items/{item['id']}")).json() == item
