"""The behaviour of items that clients rely on."""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any, get_args

import asyncpg
import pytest
from time_machine import TimeMachineFixture
from yarl import URL

from app.items.models import Item
from chassis.database import Database
from chassis.testing import Client, Issuer, MakeClient, OtherService

JSON = {"Content-Type": "application/json"}
LAMP = {"name": "Lamp", "description": "Bright", "price_cents": 1999}


async def create(client: Client, **fields: Any) -> dict[str, Any]:
    response = await client.post("/v1/items", json={**LAMP, **fields})
    assert response.status == 201, await response.text()
    item: dict[str, Any] = await response.json()
    return item


# Columns that only the previous or the next release uses (expand and contract).
OF_OTHER_RELEASES: set[str] = set()


@pytest.mark.skipif("DATABASE_TEMPLATE" in os.environ, reason="the schema is that of later code")
async def test_the_model_has_the_columns_of_the_table(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    columns = await connection.fetch(
        "SELECT column_name, is_nullable FROM information_schema.columns "
        "WHERE table_schema = current_schema() AND table_name = 'items'"
    )
    await connection.close()
    nullable = {row["column_name"]: row["is_nullable"] == "YES" for row in columns}
    assert nullable.keys() >= OF_OTHER_RELEASES
    assert {name: nullable[name] for name in nullable.keys() - OF_OTHER_RELEASES} == {
        name: type(None) in get_args(field.annotation) for name, field in Item.model_fields.items()
    }


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


@pytest.mark.parametrize("media_type", ["application/merge-patch+json", "application/json"])
async def test_a_change_leaves_the_other_fields_alone(client: Client, media_type: str) -> None:
    item = await create(client)
    headers = {"Content-Type": media_type}
    response = await client.patch(f"/v1/items/{item['id']}", data='{"price_cents": 5.0}', headers=headers)
    changed = await response.json()
    assert (response.status, changed) == (200, {**item, "price_cents": 5, "updated_at": changed["updated_at"]})
    assert changed["updated_at"] > item["updated_at"]
    assert await (await client.get(f"/v1/items/{item['id']}")).json() == changed

    unchanged = await client.patch(f"/v1/items/{item['id']}", data="{}", headers=headers)
    assert {**await unchanged.json(), "updated_at": ""} == {**changed, "updated_at": ""}


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"name": None}, "#/name"),
        ({"description": None}, "#/description"),
        ({"name": ""}, "#/name"),
        ({"price_cents": "5"}, "#/price_cents"),
        ({"id": 1}, "#/id"),
        ({"version": 1}, "#/version"),
    ],
)
async def test_a_change_that_breaks_a_rule_is_named(client: Client, fields: dict[str, Any], pointer: str) -> None:
    item = await create(client)
    response = await client.patch(f"/v1/items/{item['id']}", json=fields)
    assert (response.status, [each["pointer"] for each in (await response.json())["errors"]]) == (422, [pointer])
    assert await (await client.get(f"/v1/items/{item['id']}")).json() == item


async def test_changes_of_different_fields_at_once_are_all_kept(client: Client) -> None:
    """Fails if the fields are read before the statement that writes."""
    path = f"/v1/items/{(await create(client))['id']}"
    changes = [{"name": "Candle"}, {"description": "Warm"}, {"price_cents": 5}]
    for _ in range(5):
        for response in await asyncio.gather(*(client.patch(path, json=each) for each in changes)):
            assert response.status == 200
    item = await (await client.get(path)).json()
    assert {name: item[name] for name in LAMP} == {"name": "Candle", "description": "Warm", "price_cents": 5}


async def test_a_deleted_item_is_gone(client: Client) -> None:
    item = await create(client)
    response = await client.delete(f"/v1/items/{item['id']}")
    assert (response.status, await response.read()) == (204, b"")
    assert (await client.get(f"/v1/items/{item['id']}")).status == 404


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
async def test_an_item_that_is_not_there_is_a_404_that_names_it(client: Client, method: str) -> None:
    response = await client.request(method, "/v1/items/404404", json=LAMP if method in {"PUT", "PATCH"} else None)
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
            await client.delete(f"/v1/items/{ids[1]}")  # an item of a page that was already read
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


async def list_all(client: Client, url: str) -> list[dict[str, Any]]:
    """Return the items of all pages."""
    items: list[dict[str, Any]] = []
    while url:
        response = await client.get(url)
        assert response.status == 200, await response.text()
        items += (await response.json())["items"]
        link = response.links.get("next")
        url = str(URL(link["url"]).relative()) if link else ""
    return items


@pytest.mark.parametrize("sort", ["id", "-id", "price_cents", "-price_cents"])
async def test_items_are_sorted_as_is_asked(client: Client, sort: str) -> None:
    for price in (5, 1, 5, 3, 1):
        await create(client, price_cents=price)
    listed = await list_all(client, f"/v1/items?sort={sort}&limit=2")
    key = itemgetter(*dict.fromkeys([sort.removeprefix("-"), "id"]))
    assert listed == sorted(await list_all(client, "/v1/items"), key=key, reverse=sort.startswith("-"))
    assert len(listed) == 5


async def test_items_of_a_name_are_listed(client: Client) -> None:
    for name in ("Lamp", "Candle", "Lamp", "lamp", "Lamp & %"):
        await create(client, name=name)
    assert [item["name"] for item in await list_all(client, "/v1/items?name=Lamp&limit=1")] == ["Lamp", "Lamp"]
    assert [item["name"] for item in await list_all(client, "/v1/items?name=Lamp+%26+%25")] == ["Lamp & %"]
    listed = await list_all(client, "/v1/items?name=Lamp&name=Candle&sort=-id&limit=1")
    assert [item["name"] for item in listed] == ["Lamp", "Candle", "Lamp"]
    assert len(await list_all(client, "/v1/items?name=")) == 5


async def test_items_of_a_range_of_prices_are_listed(client: Client) -> None:
    for price in (1, 2, 3, 4):
        await create(client, price_cents=price)
    listed = await list_all(client, "/v1/items?price_cents_gte=2&price_cents_lt=4&sort=-price_cents&limit=1")
    assert [item["price_cents"] for item in listed] == [3, 2]


async def test_a_cursor_of_another_order_is_refused(client: Client) -> None:
    for _ in range(2):
        await create(client)
    cursor = (await (await client.get("/v1/items?limit=1")).json())["next_cursor"]
    for query in (
        f"cursor={cursor}&sort=price_cents",
        f"cursor={cursor}&name=Lamp",
        f"cursor={cursor}&price_cents_gte=0",
        "cursor=x",
        "limit=101",
        "sort=name",
        "price_cents_gte=null",
        "&".join(["name=Lamp"] * 21),
        f"price_cents_lt={2**63}",
    ):
        response = await client.get(f"/v1/items?{query}")
        assert response.status == 422
        assert len((await response.json())["errors"]) == 1


async def test_what_has_changed_since_it_was_read_is_not_overwritten(client: Client) -> None:
    created = await client.post("/v1/items", json=LAMP)
    path, old = created.headers["Location"], {"If-Match": created.headers["ETag"]}
    assert (await client.get(path, headers={"If-None-Match": created.headers["ETag"]})).status == 304

    replaced = await client.put(path, json={**LAMP, "name": "Candle"}, headers=old)
    assert (replaced.status, replaced.headers["ETag"] != created.headers["ETag"]) == (200, True)
    for late in (
        await client.put(path, json=LAMP, headers=old),
        await client.patch(path, json=LAMP, headers=old),
        await client.delete(path, headers=old),
    ):
        assert (late.status, (await late.json())["type"]) == (412, "urn:problem-type:precondition-failed")
    read = await client.get(path, headers={"If-None-Match": created.headers["ETag"]})
    assert (read.status, (await read.json())["name"]) == (200, "Candle")
    assert read.headers["ETag"] == replaced.headers["ETag"]
    assert (await client.delete(path, headers={"If-Match": read.headers["ETag"]})).status == 204
    assert (await client.delete(path, headers={"If-Match": "*"})).status == 404


async def test_updates_at_once_are_not_lost(client: Client) -> None:
    """Fails if the version is checked separately from the statement that writes."""
    path = f"/v1/items/{(await create(client, price_cents=0))['id']}"

    async def add_one() -> None:
        while True:
            read = await client.get(path)
            item = {**LAMP, "price_cents": (await read.json())["price_cents"] + 1}
            if (await client.put(path, json=item, headers={"If-Match": read.headers["ETag"]})).status == 200:
                return

    await asyncio.gather(*(add_one() for _ in range(25)))
    assert (await (await client.get(path)).json())["price_cents"] == 25


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


async def test_a_whole_number_may_be_written_as_json_does(client: Client) -> None:
    response = await client.post("/v1/items", data='{"name": "Lamp", "price_cents": 5.0}', headers=JSON)
    assert (response.status, (await response.json())["price_cents"]) == (201, 5)


async def test_a_rule_is_told_in_its_own_words(client: Client) -> None:
    response = await client.post("/v1/items", json={**LAMP, "name": "", "price_cents": -1})
    assert [mistake["detail"] for mistake in (await response.json())["errors"]] == [
        "String should have at least 1 character",
        "Input should be greater than or equal to 0",
    ]


@pytest.mark.parametrize("item_id", ["0", "-1", "x", str(2**63), "01", "+1", "1.0", "1_0", "%201", "1%0A", "%D9%A1"])
async def test_an_id_that_cannot_be_one_is_named(client: Client, item_id: str) -> None:
    response = await client.get(f"/v1/items/{item_id}")
    assert response.status == 422
    assert [mistake["parameter"] for mistake in (await response.json())["errors"]] == ["item_id"]


async def test_the_longest_values_are_stored_as_they_are(client: Client) -> None:
    item = await create(client, name="ä" * 200, description="🙂" * 2000, price_cents=2**53 - 1)
    assert await (await client.get(f"/v1/items/{item['id']}")).json() == item


async def test_a_stored_item_is_listed(client: Client, database: Database) -> None:
    await database.fetch("INSERT INTO items (name, description, price_cents) VALUES ('Lamp', '', 5)")
    [item] = (await (await client.get("/v1/items")).json())["items"]
    assert (item["name"], item["price_cents"]) == ("Lamp", 5)


async def test_writing_needs_its_own_scope(make_client: MakeClient, issuer: Issuer) -> None:
    client = await make_client(**issuer.settings)
    assert (await client.post("/v1/items", json=LAMP)).status == 401
    assert (await client.post("/v1/items", json=LAMP, headers=issuer.authorization("items:read"))).status == 403
    assert (await client.post("/v1/items", json=LAMP, headers=issuer.authorization("items:write"))).status == 201


async def test_a_caller_is_refused_when_the_token_has_expired(
    make_client: MakeClient, issuer: Issuer, time_machine: TimeMachineFixture
) -> None:
    client, reader = await make_client(**issuer.settings), issuer.authorization("items:read")
    assert (await client.get("/v1/items", headers=reader)).status == 200
    time_machine.move_to(datetime.now(UTC) + timedelta(hours=1))
    refused = await client.get("/v1/items", headers=reader)
    assert (refused.status, (await refused.json())["detail"].partition(".")[0]) == (401, "The token has expired")


async def test_callers_get_a_503_while_the_issuer_does_not_answer(
    make_client: MakeClient, issuer: Issuer, other_service: OtherService
) -> None:
    other_service.answer("GET", "/keys", status=500)
    client = await make_client(**issuer.settings | {"oidc_jwks_url": f"{other_service.url}/keys"})
    response = await client.get("/v1/items", headers=issuer.authorization("items:read"))
    assert (response.status, (await response.json())["type"]) == (503, "urn:problem-type:dependency-unavailable")
    assert {(call.method, call.path) for call in other_service.calls} == {("GET", "/keys")}
