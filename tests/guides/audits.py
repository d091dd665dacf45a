"""The scenarios of the guide on audit trails."""

import asyncio
import json
from typing import Any

from chassis.database import Database
from chassis.testing import Client, Issuer, MakeClient


async def create(client: Client, issuer: Issuer, subject: str, price: int = 5) -> tuple[str, int]:
    response = await client.post(
        "/v1/items",
        json={"name": "Lamp", "price_cents": price},
        headers=issuer.authorization("items:write", subject=subject),
    )
    assert response.status in {201, 422}
    return response.headers.get("Location", ""), (await response.json()).get("id", 0)


def price(row: str | None) -> Any:
    return row and json.loads(row)["price_cents"]


async def trail(database: Database) -> list[tuple[str, int, Any, Any]]:
    """Return who has changed which item, and its prices before and after."""
    rows = await database.fetch("SELECT subject, row_id, before, after FROM audit_trail ORDER BY id")
    return [(row["subject"], row["row_id"], price(row["before"]), price(row["after"])) for row in rows]


async def test_every_change_has_its_subject(make_client: MakeClient, issuer: Issuer, database: Database) -> None:
    client = await make_client(**issuer.settings, database_pool_size=1)
    _, number = await create(client, issuer, "alice")
    role = await database.fetchval("SELECT session_user::text")
    pool: Database = client.application.injector.values[Database]
    await pool.execute("UPDATE items SET price_cents = 7")  # on the same connection, and not by alice
    await database.execute("DELETE FROM items")  # by psql
    assert await trail(database) == [("alice", number, None, 5), (role, number, 5, 7), (role, number, 7, None)]


async def test_callers_at_the_same_time_are_told_apart(
    make_client: MakeClient, issuer: Issuer, database: Database
) -> None:
    client = await make_client(**issuer.settings, database_pool_size=2, database_acquire_timeout_seconds=3)
    subjects = [f"user {number}" for number in range(20)]
    created = await asyncio.gather(*(create(client, issuer, subject, 100) for subject in subjects))
    found = {(subject, number) for subject, number, _, _ in await trail(database)}
    assert found == {(subject, number) for subject, (_, number) in zip(subjects, created, strict=True)}


async def test_a_change_that_is_refused_is_not_in_it(
    make_client: MakeClient, issuer: Issuer, database: Database
) -> None:
    client = await make_client(**issuer.settings)
    await database.execute("ALTER TABLE items ADD CONSTRAINT items_name_check2 CHECK (price_cents <> 6)")
    try:
        assert await create(client, issuer, "alice", 6) == ("", 0)
        assert await trail(database) == []
    finally:
        await database.execute("ALTER TABLE items DROP CONSTRAINT items_name_check2")
