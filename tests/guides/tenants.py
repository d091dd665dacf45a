"""The scenarios of the guide on tenants: nobody reads or writes rows of another tenant, however requests overlap."""

import asyncio
from contextlib import suppress
from typing import Any

import aiohttp
import asyncpg
import pytest

from chassis.database import Database
from chassis.testing import Client, Issuer, MakeClient

TENANTS = "north", "south"
POD = """DO $$ BEGIN
    CREATE ROLE pod LOGIN IN ROLE tenant;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$"""
# So that many requests share few connections, and each waits for its turn.
CROWDED: dict[str, Any] = {
    "database_pool_size": 2,
    "database_acquire_timeout_seconds": 10,
    "request_timeout_seconds": 25,
}


@pytest.fixture(params=["the owner", "a member"])
async def client(request: pytest.FixtureRequest, make_client: MakeClient, issuer: Issuer, database_url: str) -> Client:
    """A client of a service with few connections, which logs in as a superuser or as pods should."""
    url = database_url
    if request.param == "a member":
        owner = await asyncpg.connect(database_url)
        await owner.execute(POD)
        await owner.close()
        url = database_url.replace("//postgres:", "//pod:").replace("//postgres@", "//pod@")
        assert url != database_url
    return await make_client(**issuer.settings, **CROWDED, database_url=url)


def headers(issuer: Issuer, tenant: str | None, **more: str) -> dict[str, str]:
    given: dict[str, str] = issuer.authorization("items:read", subject=f"alice of {tenant}", tenant=tenant)
    return given | more


async def create(client: Client, issuer: Issuer, tenant: str, body: str = "a", **more: str) -> int:
    response = await client.post("/v1/notes", json={"body": body}, headers=headers(issuer, tenant, **more))
    note = await response.json()
    assert response.status == 201, note
    number: int = note["id"]
    return number


async def status(client: Client, issuer: Issuer, tenant: str | None, note_id: int, method: str = "GET") -> int:
    response = await client.request(method, f"/v1/notes/{note_id}", headers=headers(issuer, tenant))
    found: int = response.status
    return found


async def test_each_tenant_reads_and_deletes_its_own_notes(client: Client, issuer: Issuer) -> None:
    north, south = [await create(client, issuer, tenant) for tenant in TENANTS]
    assert await status(client, issuer, "north", north) == 200
    for method in ("GET", "DELETE"):
        assert await status(client, issuer, "north", south, method) == 404
    listed = await client.get("/v1/notes", headers=headers(issuer, "south"))
    assert [note["id"] for note in await listed.json()] == [south]
    assert await status(client, issuer, "south", south, "DELETE") == 204


@pytest.mark.parametrize("tenant", [None, "", ["north"]])
async def test_a_token_without_a_tenant_is_refused(client: Client, issuer: Issuer, tenant: Any) -> None:
    note = await create(client, issuer, "north")
    assert await status(client, issuer, tenant, note) == 401


async def test_tenants_that_call_at_the_same_time_stay_apart(client: Client, issuer: Issuer) -> None:
    notes = {tenant: [await create(client, issuer, tenant) for _ in range(10)] for tenant in TENANTS}

    async def read(tenant: str, owner: str, note: int) -> None:
        assert (await status(client, issuer, tenant, note) == 200) == (tenant == owner)

    async def fail(tenant: str) -> None:  # in the transaction
        response = await client.post("/v1/notes", json={"body": "x" * 3000}, headers=headers(issuer, tenant))
        assert response.status == 422

    async def leave(tenant: str, note: int) -> None:  # in the middle
        with suppress(TimeoutError):
            await client.get(
                f"/v1/notes/{note}", headers=headers(issuer, tenant), timeout=aiohttp.ClientTimeout(total=0.001)
            )

    async def create_again(tenant: str, key: int) -> None:
        for _ in range(2):
            await create(client, issuer, tenant, f"{tenant} {key}", **{"Idempotency-Key": f"key-{key}"})

    await asyncio.gather(
        *(read(tenant, owner, note) for tenant in TENANTS for owner in TENANTS for note in notes[owner]),
        *(fail(tenant) for tenant in TENANTS for _ in range(5)),
        *(leave(tenant, note) for tenant in TENANTS for note in notes[tenant]),
        *(create_again(tenant, key) for tenant in TENANTS for key in range(5)),
        *(read(tenant, owner, note) for tenant in TENANTS for owner in TENANTS for note in notes[owner]),
    )
    for tenant in TENANTS:
        listed = await (await client.get("/v1/notes", headers=headers(issuer, tenant))).json()
        assert sorted(note["body"] for note in listed) == ["a"] * 10 + [f"{tenant} {key}" for key in range(5)]


@pytest.mark.parametrize("client", ["a member"], indirect=True)
async def test_a_statement_without_a_tenant_sees_and_writes_nothing(client: Client, issuer: Issuer) -> None:
    note = await create(client, issuer, "north")
    database: Database = client.application.injector.values[Database]
    select = "SELECT id, body FROM notes WHERE id = ANY ($1)"
    assert await asyncio.gather(*(database.load(select, note) for _ in range(20))) == [None] * 20
    assert await database.fetch("SELECT FROM notes") == []
    assert await database.execute("DELETE FROM notes") == "DELETE 0"
    async with database.stream("SELECT FROM notes") as rows:
        assert [row async for row in rows] == []
    for tenant in TENANTS:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await database.execute("INSERT INTO notes (body, tenant) VALUES ('a', $1)", tenant)
    for forbidden in ("ALTER TABLE notes DISABLE ROW LEVEL SECURITY", "DROP POLICY of_tenant ON notes"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="must be owner"):
            await database.execute(forbidden)


async def test_an_owner_without_a_tenant_sees_nothing_either(client: Client, issuer: Issuer, database_url: str) -> None:
    await create(client, issuer, "north")
    owner = await asyncpg.connect(database_url)
    transaction = owner.transaction()
    await transaction.start()
    try:
        await owner.execute("CREATE ROLE owner_of_notes; ALTER TABLE notes OWNER TO owner_of_notes")
        await owner.execute("SET LOCAL ROLE owner_of_notes")
        assert await owner.fetch("SELECT FROM notes") == []
    finally:
        await transaction.rollback()
        await owner.close()


@pytest.mark.parametrize("client", ["a member"], indirect=True)
async def test_tables_of_later_migrations_can_be_used(client: Client, database_url: str) -> None:
    owner = await asyncpg.connect(database_url)
    try:
        await owner.execute("CREATE TABLE later (id bigint GENERATED ALWAYS AS IDENTITY, word text)")
        database: Database = client.application.injector.values[Database]
        assert await database.execute("INSERT INTO later (word) VALUES ('a')") == "INSERT 0 1"
    finally:
        await owner.execute("DROP TABLE later")
        await owner.close()
