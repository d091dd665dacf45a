"""Tests of the API of orders."""

import asyncio
import os
from typing import Any, get_args

import asyncpg
import pytest
from yarl import URL

from app.orders import models
from chassis.database import Database
from chassis.testing import Client
from tests.app.test_customers import create as create_customer

PATH = "/v1/orders"
MISSING = 404404
ONE: dict[str, Any] = {
    "tags": ["One"],
    "metadata": {"a": [1, None]},
}
OTHER: dict[str, Any] = {
    "tags": ["One", "Two"],
    "metadata": [],
}


async def valid(client: Client, fields: dict[str, Any] = ONE) -> dict[str, Any]:
    """Return fields, with rows that they refer to and with values that no other row has."""
    return fields | {
        "customer_id": (await create_customer(client))["id"],
    }


async def create(client: Client, **fields: Any) -> dict[str, Any]:
    """Create an order."""
    response = await client.post(PATH, json=await valid(client) | fields)
    assert response.status == 201, await response.text()
    created: dict[str, Any] = await response.json()
    return created


async def pointers(response: Any) -> list[str]:
    return [each["pointer"] for each in (await response.json())["errors"]]


# Columns that only an earlier or a later release uses (expand, then contract).
OF_OTHER_RELEASES: set[str] = set()


@pytest.mark.skipif("DATABASE_TEMPLATE" in os.environ, reason="the schema belongs to newer code")
async def test_the_model_has_the_columns_of_the_table(migrated_url: str) -> None:
    connection = await asyncpg.connect(migrated_url)
    columns = await connection.fetch(
        "SELECT column_name, is_nullable FROM information_schema.columns "
        "WHERE table_schema = current_schema() AND table_name = 'orders'"
    )
    await connection.close()
    nullable = {row["column_name"]: row["is_nullable"] == "YES" for row in columns}
    assert nullable.keys() >= OF_OTHER_RELEASES
    assert {name: nullable[name] for name in nullable.keys() - OF_OTHER_RELEASES} == {
        name: type(None) in get_args(field.annotation) for name, field in models.Order.model_fields.items()
    }


@pytest.mark.skipif("DATABASE_TEMPLATE" in os.environ, reason="the schema belongs to newer code")
async def test_references_filters_and_orders_have_their_indexes(migrated_url: str) -> None:
    needed: list[tuple[list[str], str | None]] = [
        (["customer_id"], None),
    ]
    connection = await asyncpg.connect(migrated_url)
    indexes = await connection.fetch(
        "SELECT array_agg(attname::text ORDER BY number) AS columns, pg_get_expr(indpred, indrelid) AS condition "
        "FROM pg_index, unnest(indkey) WITH ORDINALITY AS part (attnum, number), pg_attribute AS attribute "
        "WHERE indrelid = 'orders'::regclass AND indisvalid "
        "AND attrelid = indrelid AND attribute.attnum = part.attnum GROUP BY indexrelid, indrelid, indpred"
    )
    await connection.close()
    found = [(row["columns"], row["condition"]) for row in indexes]
    for columns, condition in needed:
        assert (columns, condition) in [(each[: len(columns)], of) for each, of in found]


@pytest.mark.skipif("DATABASE_TEMPLATE" in os.environ, reason="the schema belongs to newer code")
async def test_the_database_has_the_rules_too(client: Client, database: Database) -> None:
    await create(client)
    for assignment in ("tags = ARRAY[NULL]::text[]",):
        with pytest.raises(asyncpg.CheckViolationError):
            await database.execute(f"UPDATE orders SET {assignment}")


async def test_what_is_created_can_be_read_at_its_location(client: Client) -> None:
    fields = await valid(client)
    response = await client.post(PATH, json=fields)
    assert response.status == 201
    created = await response.json()
    new = {"status": "draft", "total": "0.00", "placed_at": None}
    assert created == fields | new | {name: created[name] for name in ("id", "created_at", "updated_at")}
    assert created["created_at"] == created["updated_at"]
    read = await client.get(response.headers["Location"])
    assert (read.status, await read.json()) == (200, created)


async def test_values_at_their_bounds_are_stored_as_they_are(client: Client) -> None:
    extremes: dict[str, list[Any]] = {
        "tags": [[], ["One"] * 100],
        "metadata": ["text", 0.1, True, {}],
    }
    for name, values in extremes.items():
        for value in values:
            assert (name, (await create(client, **{name: value}))[name]) == (name, value)


async def test_a_patch_changes_one_field_and_leaves_the_others_alone(client: Client) -> None:
    current, others = await create(client), await valid(client, OTHER)
    for name, value in others.items():
        response = await client.patch(f"{PATH}/{current['id']}", json={name: value})
        changed = await response.json()
        assert (response.status, changed) == (200, current | {name: value, "updated_at": changed["updated_at"]})
        assert await (await client.get(f"{PATH}/{current['id']}")).json() == changed
        current = changed


async def test_a_patch_with_null_is_null_where_the_field_may_be(client: Client) -> None:
    created = await create(client)
    for name in (
        "customer_id",
        "tags",
        "metadata",
    ):
        response = await client.patch(f"{PATH}/{created['id']}", json={name: None})
        assert (response.status, await pointers(response)) == (422, [f"#/{name}"])


async def test_what_is_not_there_is_a_404_that_names_it(client: Client) -> None:
    response = await client.get(f"{PATH}/{MISSING}")
    assert (response.status, (await response.json())["detail"]) == (404, f"There is no order {MISSING}.")
    response = await client.patch(f"{PATH}/{MISSING}", json=await valid(client))
    assert (response.status, (await response.json())["detail"]) == (404, f"There is no order {MISSING}.")


async def test_an_id_that_cannot_be_one_is_named(client: Client) -> None:
    for identifier in ("0", "-1", "x", "01", str(2**63)):
        response = await client.get(f"{PATH}/{identifier}")
        assert (identifier, response.status) == (identifier, 422)
        assert [each["parameter"] for each in (await response.json())["errors"]] == ["order_id"]


async def test_a_reference_to_what_is_not_there_is_a_422_that_names_the_field(client: Client) -> None:
    missing: dict[str, Any] = {
        "customer_id": 404404,
    }
    for name, key in missing.items():
        response = await client.post(PATH, json=await valid(client) | {name: key})
        assert (response.status, await pointers(response)) == (422, [f"#/{name}"])


async def test_what_customer_id_refers_to_cannot_be_deleted(client: Client) -> None:
    customer = await create_customer(client)
    await create(client, customer_id=customer["id"])
    response = await client.delete(f"/v1/customers/{customer['id']}")
    assert (response.status, "errors" in await response.json()) == (409, False)


async def test_what_has_changed_since_it_was_read_is_not_overwritten(client: Client) -> None:
    fields = await valid(client)
    created = await client.post(PATH, json=fields)
    location, old = created.headers["Location"], {"If-Match": created.headers["ETag"]}
    changes = await asyncio.gather(*(client.patch(location, json=fields, headers=old) for _ in range(5)))
    assert sorted(response.status for response in changes) == [200, 412, 412, 412, 412]
    assert (await client.patch(location, headers=old, json=fields)).status == 412
    current = {"If-Match": (await client.get(location)).headers["ETag"]}
    assert (await client.patch(location, headers=current, json=fields)).status == 200


async def test_values_that_break_a_rule_are_named(client: Client) -> None:
    """Each wrong value stands beside the pointer into it."""
    all_wrong: dict[str, list[tuple[Any, str]]] = {
        "customer_id": [("x", ""), (0, ""), (None, "")],
        "tags": [
            ("One", ""),
            ([None], "/0"),
            (["One", ""], "/1"),
            (["One", "x" * 201], "/1"),
            (["One", "\x00"], "/1"),
            (["One", 1], "/1"),
            (["One"] * 101, ""),
            (None, ""),
        ],
        "metadata": [({"a": ["\x00"]}, "/a/0"), (None, "")],
        "unknown": [(1, "")],
    }
    fields = await valid(client)
    for name, wrong in all_wrong.items():
        for value, into in wrong:
            response = await client.post(PATH, json=fields | {name: value})
            assert (value, response.status, await pointers(response)) == (value, 422, [f"#/{name}{into}"])


async def test_fields_that_are_required_are_named(client: Client) -> None:
    fields = await valid(client)
    for name in (
        "customer_id",
        "tags",
        "metadata",
    ):
        response = await client.post(PATH, json={other: fields[other] for other in fields.keys() - {name}})
        assert (response.status, await pointers(response)) == (422, [f"#/{name}"])


async def listed(client: Client, path: str, **parameters: Any) -> list[dict[str, Any]]:
    """Return what all pages have."""
    found, url = list[dict[str, Any]](), str(URL(path).with_query(parameters))
    while url:
        response = await client.get(URL(url, encoded=True))
        assert response.status == 200, await response.text()
        found += (await response.json())["items"]
        link = response.links.get("next")
        url = str(URL(link["url"]).relative()) if link else ""
    return found


async def test_pages_show_everything_once_in_order(client: Client) -> None:
    created = [await create(client) for _ in range(5)]
    assert await listed(client, PATH, limit=2) == created
    assert await listed(client, PATH, limit=2, sort="-id") == created[::-1]


async def test_a_parameter_of_the_list_that_cannot_be_is_named(client: Client) -> None:
    for name, value in {"cursor": "x", "limit": "0", "sort": "x", "unknown": "1"}.items():
        response = await client.get(f"{PATH}?{name}={value}")
        assert response.status == 422
        assert [each["parameter"] for each in (await response.json())["errors"]] == [name]
