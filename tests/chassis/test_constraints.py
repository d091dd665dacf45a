"""Constraints of the database that a request breaks: which status, and which fields."""

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

import aiohttp
import asyncpg
import pytest
from aiohttp.test_utils import TestServer
from pydantic import Field

from app.settings import Settings
from chassis.application import create_application
from chassis.contract import Route
from chassis.database import Database
from chassis.errors import Problem
from chassis.http.database_errors import is_still_referred_to
from chassis.models import Body, Id
from chassis.service import Service

# The keys of the first two tables have the same name, so that the columns do not tell which of them PostgreSQL names.
TABLES = """
    CREATE TABLE customers (customer_id bigint PRIMARY KEY, tenant bigint, email text, UNIQUE (tenant, email));
    CREATE TABLE orders (
        order_id bigint PRIMARY KEY, customer_id bigint CONSTRAINT of_somebody REFERENCES customers,
        follows bigint REFERENCES orders, "Number" text, tenant bigint, email text,
        FOREIGN KEY (tenant, email) REFERENCES customers (tenant, email),
        EXCLUDE USING btree (tenant WITH =, email WITH =)
    );
    CREATE UNIQUE INDEX ON orders (lower("Number"));
    CREATE TABLE wishes (customer_id bigint REFERENCES customers ON DELETE RESTRICT);
    INSERT INTO customers VALUES (1, 1, 'a'), (2, 1, 'b'), (3, 1, 'c');
    INSERT INTO orders VALUES (1, 1, NULL, 'A', 1, 'a'), (2, 1, 1, 'B', 1, 'b');
    INSERT INTO wishes VALUES (3);
"""


class Fields(Body):
    """Columns of each table."""

    customer_id: int | None = None
    order_id: int | None = None
    follows: int | None = None
    Number: str | None = None
    email: str | None = None


async def insert(database: Database, table: str, values: dict[str, Any]) -> None:
    columns = ", ".join(f'"{name}"' for name in values)
    places = ", ".join(f"${n}" for n in range(1, len(values) + 1))
    await database.fetch(f"INSERT INTO {table} ({columns}) VALUES ({places})", *values.values())


async def add_customer(body: Fields, database: Database) -> None:
    await insert(database, "customers", {**body.model_dump(exclude_unset=True), "tenant": 1})


async def add_order(body: Fields, database: Database) -> None:
    await insert(database, "orders", body.model_dump(exclude_unset=True))


async def add_orders_of_tenant(body: Annotated[list[Fields], Field(max_length=9)], database: Database) -> None:
    async with database.transaction() as transaction:
        for each in body:
            await insert(transaction, "orders", {**each.model_dump(exclude_unset=True), "tenant": 1})


async def add_order_of_tenant(body: Fields, database: Database) -> None:
    await insert(database, "orders", {**body.model_dump(exclude_unset=True), "tenant": 1})


async def add_order_of_customer(customer_id: Id, body: Fields, database: Database) -> None:
    await insert(database, "orders", {**body.model_dump(exclude_unset=True), "customer_id": customer_id})


async def touch_customer(customer_id: Id, database: Database) -> None:
    await insert(database, "wishes", {"customer_id": customer_id})


async def follow_nothing(order_id: Id, database: Database) -> None:
    await insert(database, "orders", {"order_id": order_id, "follows": 8})


async def rename_customer(customer_id: Id, body: Fields, database: Database) -> None:
    await database.fetch("UPDATE customers SET customer_id = $2 WHERE customer_id = $1", customer_id, body.customer_id)


async def delete_customer(customer_id: Id, database: Database) -> None:
    await database.fetch("DELETE FROM customers WHERE customer_id = $1", customer_id)


async def delete_order(order_id: Id, database: Database) -> None:
    await database.fetch("DELETE FROM orders WHERE order_id = $1", order_id)


ROUTES = [
    Route("POST", "/customers", add_customer),
    Route("POST", "/customers/{customer_id}/orders", add_order_of_customer),
    Route("POST", "/customers/{customer_id}/wishes", touch_customer),
    Route("POST", "/orders/{order_id}", follow_nothing),
    Route("PUT", "/customers/{customer_id}", rename_customer),
    Route("DELETE", "/customers/{customer_id}", delete_customer),
    Route("POST", "/orders", add_order),
    Route("POST", "/orders-of-tenant", add_order_of_tenant),
    Route("POST", "/orders-of-tenant:batch", add_orders_of_tenant),
    Route("DELETE", "/orders/{order_id}", delete_order),
]


@pytest.fixture
async def tables(database_url: str) -> AsyncIterator[None]:
    """The tables."""
    connection = await asyncpg.connect(database_url)
    await connection.execute(TABLES)
    yield
    await connection.execute("DROP TABLE wishes, orders, customers")
    await connection.close()


@pytest.fixture
async def client(settings: Settings, tables: None) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of a service with these routes."""
    async with (
        TestServer(create_application(ROUTES, settings).api) as server,
        aiohttp.ClientSession(server.make_url("/")) as session,
    ):
        yield session


@pytest.mark.parametrize(
    ("path", "fields", "status", "errors"),
    [
        ("/customers", {"customer_id": 1}, 409, [{"pointer": "#/customer_id"}]),
        ("/customers", {"customer_id": 9, "email": "a"}, 409, [{"pointer": "#/email"}]),
        ("/orders", {"order_id": 9, "Number": "a"}, 409, [{"pointer": "#"}]),
        ("/orders", {"order_id": 9, "customer_id": 9}, 422, [{"pointer": "#/customer_id"}]),
        ("/orders", {"order_id": 9, "follows": 8}, 422, [{"pointer": "#/follows"}]),
        ("/orders", {"Number": "z"}, 422, [{"pointer": "#/order_id"}]),
        ("/orders-of-tenant", {"order_id": 9, "email": "z"}, 422, [{"pointer": "#/email"}]),
        ("/orders-of-tenant", {"order_id": 9, "email": "a"}, 409, [{"pointer": "#/email"}]),
        ("/customers/9/orders", {"order_id": 9}, 422, [{"parameter": "customer_id"}]),
    ],
)
async def test_the_fields_of_a_broken_constraint_are_named(
    client: aiohttp.ClientSession, path: str, fields: dict[str, Any], status: int, errors: list[dict[str, str]]
) -> None:
    response = await client.post(path, json=fields)
    problem = await response.json()
    found = [{name: value for name, value in each.items() if name != "detail"} for each in problem["errors"]]
    assert (response.status, found) == (status, errors)
    for inside in ("violates", "Key (", "tenant", "of_somebody"):
        assert inside not in json.dumps(problem)


@pytest.mark.parametrize(
    ("rows", "status", "rules"),
    [
        ([{"order_id": 8}, {"order_id": 8}], 409, ["Is taken already: order_id"]),
        ([{"order_id": 8}, {"order_id": 9, "email": "z"}], 422, ["Refers to what does not exist: email"]),
    ],
)
async def test_the_columns_of_a_constraint_that_a_row_of_an_array_breaks_are_in_the_rule(
    client: aiohttp.ClientSession, rows: list[dict[str, Any]], status: int, rules: list[str]
) -> None:
    response = await client.post("/orders-of-tenant:batch", json=rows)
    errors = [{"pointer": "#", "detail": rule} for rule in rules]
    assert (response.status, (await response.json())["errors"]) == (status, errors)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("DELETE", "/customers/1", None),
        ("DELETE", "/customers/3", None),  # ON DELETE RESTRICT, which has an SQLSTATE of its own since PostgreSQL 18
        ("DELETE", "/orders/1", None),
        ("PUT", "/customers/1", {"customer_id": 7}),
    ],
)
async def test_a_row_that_is_still_referred_to_is_a_409_without_fields(
    client: aiohttp.ClientSession, method: str, path: str, body: dict[str, int] | None
) -> None:
    response = await client.request(method, path, json=body)
    problem = await response.json()
    assert (response.status, problem["type"]) == (409, "urn:problem-type:conflict")
    assert problem["detail"] == "Other data still refers to this. Delete or change that first."
    assert "errors" not in problem


async def test_a_request_without_a_body_has_no_pointers(client: aiohttp.ClientSession) -> None:
    response = await client.post("/customers/9/wishes")
    problem = await response.json()
    assert response.status == 422
    assert problem["errors"] == [{"parameter": "customer_id", "detail": "Refers to what does not exist"}]
    response = await client.post("/orders/9")
    assert (response.status, "errors" in await response.json()) == (422, False)


async def test_what_a_service_maps_a_foreign_key_to_holds_for_both(settings: Settings, tables: None) -> None:
    errors = {asyncpg.ForeignKeyViolationError: Problem(400, "bad-reference")}
    service = Service(settings=Settings, routes=ROUTES, errors=errors)
    async with (
        TestServer(create_application(service, settings).api) as server,
        aiohttp.ClientSession(server.make_url("/")) as client,
    ):
        for response in (
            await client.post("/orders", json={"order_id": 9, "follows": 8}),
            await client.delete("/orders/1"),
        ):
            assert (response.status, (await response.json())["type"]) == (400, "urn:problem-type:bad-reference")


@pytest.mark.parametrize(
    ("referred_to", "message"),
    [
        (False, 'insert or update on table "orders" violates foreign key constraint "orders_whole_fkey"'),
        (True, 'update or delete on table "orders" violates foreign key constraint "a_fkey" on table "orders"'),
        (False, "Einfügen oder Aktualisieren in Tabelle »orders« verletzt Fremdschlüssel-Constraint »a_fkey«"),
        (True, "Aktualisieren oder Löschen in Tabelle »a« verletzt Fremdschlüssel-Constraint »b« von Tabelle »c«"),
        (False, "une instruction insert ou update sur la table « a » viole la contrainte de clé étrangère « b »"),
        (
            True,
            "UPDATE ou DELETE sur la table « a » viole la contrainte de clé étrangère « b » de la table « c »",
        ),
        (True, 'テーブル"a"の更新または削除は、テーブル"c"の外部キー制約"b"に違反します'),
        (False, 'テーブル"a"への挿入、更新は外部キー制約"b"に違反しています'),
    ],
)
def test_the_language_of_a_message_does_not_matter(message: str, *, referred_to: bool) -> None:
    assert is_still_referred_to(asyncpg.ForeignKeyViolationError(message)) is referred_to
