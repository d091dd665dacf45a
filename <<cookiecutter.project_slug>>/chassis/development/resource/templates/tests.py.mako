"""Tests of the API of ${names.several}."""

import asyncio
import os
from typing import Any, get_args

import asyncpg
import pytest
from yarl import URL

from app.${names.many} import models
from chassis.testing import Client

ONE: dict[str, Any] = {
% for field in fields:
    "${field.name}": ${field.type.one},
% endfor
}
OTHER: dict[str, Any] = {
% for field in fields:
    "${field.name}": ${field.type.other},
% endfor
}


async def create(client: Client) -> dict[str, Any]:
    response = await client.post("/v1/${names.path}", json=ONE)
    assert response.status == 201, await response.text()
    created: dict[str, Any] = await response.json()
    return created


# Columns that only an earlier or a later release uses (expand, then contract).
OF_OTHER_RELEASES: set[str] = set()


@pytest.mark.skipif("DATABASE_TEMPLATE" in os.environ, reason="the schema belongs to newer code")
async def test_the_model_has_the_columns_of_the_table(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    columns = await connection.fetch(
        "SELECT column_name, is_nullable FROM information_schema.columns "
        "WHERE table_schema = current_schema() AND table_name = '${names.many}'"
    )
    await connection.close()
    nullable = {row["column_name"]: row["is_nullable"] == "YES" for row in columns}
    assert nullable.keys() >= OF_OTHER_RELEASES
    assert {name: nullable[name] for name in nullable.keys() - OF_OTHER_RELEASES} == {
        name: type(None) in get_args(field.annotation) for name, field in models.${names.model}.model_fields.items()
    }


async def test_what_is_created_can_be_read_at_its_location(client: Client) -> None:
    response = await client.post("/v1/${names.path}", json=ONE)
    assert response.status == 201
    created = await response.json()
    assert created == {**ONE, **{name: created[name] for name in ("id", "created_at", "updated_at")}}
    assert created["created_at"] == created["updated_at"]
    read = await client.get(response.headers["Location"])
    assert (read.status, await read.json()) == (200, created)


async def test_what_is_replaced_keeps_its_id_and_its_time_of_creation(client: Client) -> None:
    created = await create(client)
    response = await client.put(f"/v1/${names.path}/{created['id']}", json=OTHER)
    assert response.status == 200
    replaced = await response.json()
    assert replaced == {**created, **OTHER, "updated_at": replaced["updated_at"]}
    assert replaced["updated_at"] > created["updated_at"]
    assert await (await client.get(f"/v1/${names.path}/{created['id']}")).json() == replaced


async def test_what_is_deleted_is_gone(client: Client) -> None:
    created = await create(client)
    response = await client.delete(f"/v1/${names.path}/{created['id']}")
    assert (response.status, await response.read()) == (204, b"")
    assert (await client.get(f"/v1/${names.path}/{created['id']}")).status == 404


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_what_is_not_there_is_a_404_that_names_it(client: Client, method: str) -> None:
    response = await client.request(method, "/v1/${names.path}/404404", json=ONE if method == "PUT" else None)
    assert response.status == 404
    assert (await response.json())["detail"] == "There is no ${names.words} 404404."


async def test_pages_show_everything_once_in_order(client: Client) -> None:
    ids = [(await create(client))["id"] for _ in range(5)]
    seen, url = list[int](), "/v1/${names.path}?limit=2"
    while url:
        response = await client.get(url)
        assert response.status == 200
        seen += [each["id"] for each in (await response.json())["items"]]
        link = response.links.get("next")
        url = str(URL(link["url"]).relative()) if link else ""
    assert seen == ids


async def test_what_has_changed_since_it_was_read_is_not_overwritten(client: Client) -> None:
    created = await client.post("/v1/${names.path}", json=ONE)
    path, old = created.headers["Location"], {"If-Match": created.headers["ETag"]}
    replacements = await asyncio.gather(*(client.put(path, json=OTHER, headers=old) for _ in range(5)))
    assert sorted(response.status for response in replacements) == [200, 412, 412, 412, 412]
    assert (await client.delete(path, headers=old)).status == 412
    current = (await client.get(path)).headers["ETag"]
    assert (await client.delete(path, headers={"If-Match": current})).status == 204


@pytest.mark.parametrize(
    ("name", "value"),
    [
% for field in fields:
        ("${field.name}", ${field.type.wrong}),
        ("${field.name}", None),
% endfor
        ("unknown", 1),
    ],
)
async def test_a_value_that_breaks_its_rule_is_named(client: Client, name: str, value: object) -> None:
    response = await client.post("/v1/${names.path}", json={**ONE, name: value})
    assert response.status == 422
    assert [mistake["pointer"] for mistake in (await response.json())["errors"]] == [f"#/{name}"]
