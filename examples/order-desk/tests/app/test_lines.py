"""Tests of the API of lines."""

import asyncio
import os
from typing import Any, get_args

import asyncpg
import pytest
from yarl import URL

from app.lines import models
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
async def test_the_model_has_the_columns_of_the_table(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
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
@pytest.mark.parametrize(
    "columns",
    [
        ["order_id", "id"],
    ],
)
async def test_references_filters_and_orders_have_their_indexes(database_url: str, columns: list[str]) -> None:
    connection = await asyncpg.connect(database_url)
    indexes = await connection.fetch(
        "SELECT array_agg(attname::text ORDER BY number) AS columns FROM pg_index, "
        "unnest(indkey) WITH ORDINALITY AS part (attnum, number), pg_attribute AS attribute "
        "WHERE indrelid = 'lines'::regclass AND indisvalid "
        "AND attrelid = indrelid AND attribute.attnum = part.attnum GROUP BY indexrelid"
    )
    await connection.close()
    assert columns in [row["columns"][: len(columns)] for row in indexes]


@pytest.mark.skipif("DATABASE_TEMPLATE" in os.environ, reason="the schema belongs to newer code")
@pytest.mark.parametrize(
    "assignment",
    [
        "sku = ''",
    ],
)
async def test_the_database_has_the_rules_too(client: Client, database_url: str, assignment: str) -> None:
    await create(client)
    connection = await asyncpg.connect(database_url)
    with pytest.raises(asyncpg.CheckViolationError):
        await connection.execute(f"UPDATE lines SET {assignment}")
    await connection.close()


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


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("sku", ["ä" * 40]),
        ("quantity", [1, 1000]),
        ("price", ["9999999999.99", "0.00"]),
    ],
)
async def test_values_at_their_bounds_are_stored_as_they_are(client: Client, name: str, values: list[Any]) -> None:
    for value in values:
        assert (await create(client, **{name: value}))[name] == value


async def test_what_is_deleted_is_gone(client: Client) -> None:
    path = await new_path(client)
    created = await create(client, path)
    response = await client.delete(f"{path}/{created['id']}")
    assert (response.status, await response.read()) == (204, b"")
    assert (await client.get(f"{path}/{created['id']}")).status == 404


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_what_is_not_there_is_a_404_that_names_it(client: Client, method: str) -> None:
    path = await new_path(client)
    response = await client.request(method, f"{path}/{MISSING}", json=ONE if method in {"PUT", "PATCH"} else None)
    assert response.status == 404
    assert (await response.json())["detail"] == f"There is no line {MISSING}."


@pytest.mark.parametrize("identifier", ["0", "-1", "x", "01", str(2**63)])
async def test_an_id_that_cannot_be_one_is_named(client: Client, identifier: str) -> None:
    path = await new_path(client)
    response = await client.get(f"{path}/{identifier}")
    assert response.status == 422
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


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("sku", [("", ""), ("x" * 41, ""), ("\x00", ""), (1, ""), (None, "")]),
        ("quantity", [("1", ""), (1.5, ""), (1001, ""), (0, ""), (None, "")]),
        ("price", [(1, ""), ("-0.01", ""), ("1e0", ""), ("NaN", ""), ("10000000000", ""), ("0.001", ""), (None, "")]),
        ("unknown", [(1, "")]),
    ],
)
async def test_values_that_break_a_rule_are_named(client: Client, name: str, wrong: list[tuple[Any, str]]) -> None:
    """Each wrong value stands beside the pointer into it."""
    path = await new_path(client)
    fields = ONE
    for value, into in wrong:
        response = await client.post(path, json=fields | {name: value})
        assert (value, response.status, await pointers(response)) == (value, 422, [f"#/{name}{into}"])


@pytest.mark.parametrize("name", ["sku", "quantity", "price"])
async def test_a_field_that_is_required_is_named(client: Client, name: str) -> None:
    path = await new_path(client)
    fields = ONE
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


@pytest.mark.parametrize(
    ("query", "name"), [("cursor=x", "cursor"), ("limit=0", "limit"), ("sort=x", "sort"), ("unknown=1", "unknown")]
)
async def test_a_parameter_of_the_list_that_cannot_be_is_named(client: Client, query: str, name: str) -> None:
    path = await new_path(client)
    response = await client.get(f"{path}?{query}")
    assert response.status == 422
    assert [each["parameter"] for each in (await response.json())["errors"]] == [name]
