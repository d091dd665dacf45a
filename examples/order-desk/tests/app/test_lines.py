"""Tests of the API of lines."""

import asyncio
import os
from typing import Any, get_args

import asyncpg
import pytest
from yarl import URL

from app.lines import models
from chassis.database import Database
from chassis.testing import Client
from tests.app.test_orders import create as create_order

MISSING = 404404
ONE: dict[str, Any] = {
    "sku": "One",
    "quantity": 1,
    "price": "1.00",
}
OTHER: dict[str, Any] = {
    "sku": "Two",
    "quantity": 2,
    "price": "2.00",
}


async def new_path(client: Client) -> str:
    """Return the path of the lines of a new order."""
    order = await create_order(client)
    return f"/v1/orders/{order['id']}/lines"


async def create(client: Client, path: str | None = None, **fields: Any) -> dict[str, Any]:
    """Create a line, in a new order unless there is a path."""
    response = await client.post(path or await new_path(client), json=ONE | fields)
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
        "WHERE table_schema = current_schema() AND table_name = 'lines'"
    )
    await connection.close()
    nullable = {row["column_name"]: row["is_nullable"] == "YES" for row in columns}
    assert nullable.keys() >= OF_OTHER_RELEASES
    assert {name: nullable[name] for name in nullable.keys() - OF_OTHER_RELEASES} == {
        name: type(None) in get_args(field.annotation) for name, field in models.Line.model_fields.items()
    }


@pytest.mark.skipif("DATABASE_TEMPLATE" in os.environ, reason="the schema belongs to newer code")
async def test_references_filters_and_orders_have_their_indexes(migrated_url: str) -> None:
    needed: list[tuple[list[str], str | None]] = [
        (["order_id", "id"], None),
    ]
    connection = await asyncpg.connect(migrated_url)
    indexes = await connection.fetch(
        "SELECT array_agg(attname::text ORDER BY number) AS columns, pg_get_expr(indpred, indrelid) AS condition "
        "FROM pg_index, unnest(indkey) WITH ORDINALITY AS part (attnum, number), pg_attribute AS attribute "
        "WHERE indrelid = 'lines'::regclass AND indisvalid "
        "AND attrelid = indrelid AND attribute.attnum = part.attnum GROUP BY indexrelid, indrelid, indpred"
    )
    await connection.close()
    found = [(row["columns"], row["condition"]) for row in indexes]
    for columns, condition in needed:
        assert (columns, condition) in [(each[: len(columns)], of) for each, of in found]


@pytest.mark.skipif("DATABASE_TEMPLATE" in os.environ, reason="the schema belongs to newer code")
async def test_the_database_has_the_rules_too(client: Client, database: Database) -> None:
    await create(client)
    for assignment in ("sku = ''",):
        with pytest.raises(asyncpg.CheckViolationError):
            await database.execute(f"UPDATE lines SET {assignment}")


async def test_what_is_created_can_be_read_at_its_location(client: Client) -> None:
    path = await new_path(client)
    fields = ONE
    response = await client.post(path, json=fields)
    assert response.status == 201
    created = await response.json()
    assert created == fields | {name: created[name] for name in ("id", "order_id", "created_at", "updated_at")}
    assert created["created_at"] == created["updated_at"]
    read = await client.get(response.headers["Location"])
    assert (read.status, await read.json()) == (200, created)


async def test_values_at_their_bounds_are_stored_as_they_are(client: Client) -> None:
    extremes: dict[str, list[Any]] = {
        "sku": ["ä" * 40],
        "quantity": [1, 1000],
        "price": ["9999999999.99", "0.00"],
    }
    for name, values in extremes.items():
        for value in values:
            assert (name, (await create(client, **{name: value}))[name]) == (name, value)


async def test_what_is_deleted_is_gone(client: Client) -> None:
    path = await new_path(client)
    created = await create(client, path)
    response = await client.delete(f"{path}/{created['id']}")
    assert (response.status, await response.read()) == (204, b"")
    assert (await client.get(f"{path}/{created['id']}")).status == 404


async def test_what_is_not_there_is_a_404_that_names_it(client: Client) -> None:
    path = await new_path(client)
    response = await client.get(f"{path}/{MISSING}")
    assert (response.status, (await response.json())["detail"]) == (404, f"There is no line {MISSING}.")
    response = await client.delete(f"{path}/{MISSING}")
    assert (response.status, (await response.json())["detail"]) == (404, f"There is no line {MISSING}.")


async def test_an_id_that_cannot_be_one_is_named(client: Client) -> None:
    path = await new_path(client)
    for identifier in ("0", "-1", "x", "01", str(2**63)):
        response = await client.get(f"{path}/{identifier}")
        assert (identifier, response.status) == (identifier, 422)
        assert [each["parameter"] for each in (await response.json())["errors"]] == ["line_id"]


async def test_a_parent_that_is_not_there_is_a_404_that_names_it(client: Client) -> None:
    missing = 404404
    path = f"/v1/orders/{missing}/lines"
    responses = [await client.post(path, json=ONE), await client.get(path)]
    for response in responses:
        assert response.status == 404
        assert (await response.json())["detail"] == f"There is no order {missing}."


async def test_the_path_of_another_parent_does_not_reach_it(client: Client) -> None:
    created, other = await create(client), await new_path(client)
    response = await client.get(f"{other}/{created['id']}")
    assert response.status == 404
    response = await client.delete(f"{other}/{created['id']}")
    assert response.status == 404


async def test_what_has_changed_since_it_was_read_is_not_overwritten(client: Client) -> None:
    path = await new_path(client)
    fields = ONE
    created = await client.post(path, json=fields)
    location, old = created.headers["Location"], {"If-Match": created.headers["ETag"]}
    deletions = await asyncio.gather(*(client.delete(location, headers=old) for _ in range(5)))
    assert sorted(response.status for response in deletions) == [204, 404, 404, 404, 404]


async def test_values_that_break_a_rule_are_named(client: Client) -> None:
    """Each wrong value stands beside the pointer into it."""
    all_wrong: dict[str, list[tuple[Any, str]]] = {
        "sku": [("", ""), ("x" * 41, ""), ("\x00", ""), (1, ""), (None, "")],
        "quantity": [("1", ""), (1.5, ""), (1001, ""), (0, ""), (None, "")],
        "price": [(1, ""), ("-0.01", ""), ("1e0", ""), ("NaN", ""), ("10000000000", ""), ("0.001", ""), (None, "")],
        "unknown": [(1, "")],
    }
    path = await new_path(client)
    fields = ONE
    for name, wrong in all_wrong.items():
        for value, into in wrong:
            response = await client.post(path, json=fields | {name: value})
            assert (value, response.status, await pointers(response)) == (value, 422, [f"#/{name}{into}"])


async def test_fields_that_are_required_are_named(client: Client) -> None:
    path = await new_path(client)
    fields = ONE
    for name in (
        "sku",
        "quantity",
        "price",
    ):
        response = await client.post(path, json={other: fields[other] for other in fields.keys() - {name}})
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
    path = await new_path(client)
    created = [await create(client, path) for _ in range(5)]
    assert await listed(client, path, limit=2) == created
    assert await listed(client, path, limit=2, sort="-id") == created[::-1]


async def test_a_parameter_of_the_list_that_cannot_be_is_named(client: Client) -> None:
    path = await new_path(client)
    for name, value in {"cursor": "x", "limit": "0", "sort": "x", "unknown": "1"}.items():
        response = await client.get(f"{path}?{name}={value}")
        assert response.status == 422
        assert [each["parameter"] for each in (await response.json())["errors"]] == [name]
