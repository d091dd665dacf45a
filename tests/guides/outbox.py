"""The scenarios of tests/test_outbox.py: the service is killed between every two steps, and each message arrives."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import asyncpg
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from chassis.testing import ServiceProcess, service_process

# So that a statement waits at its kill point for as long as the test needs.
PATIENT = {
    "DATABASE_LOCK_TIMEOUT_SECONDS": "50",
    "DATABASE_STATEMENT_TIMEOUT_SECONDS": "55",
    "DATABASE_COMMAND_TIMEOUT_SECONDS": "60",
    "REQUEST_TIMEOUT_SECONDS": "100",
}
# Where a process is held until the test kills it: it waits for a lock that the test has.
HELD_AT = {
    "insert": "TRIGGER hold BEFORE INSERT ON outbox",
    "commit": "CONSTRAINT TRIGGER hold AFTER DELETE ON items DEFERRABLE INITIALLY DEFERRED",
    "take": "TRIGGER hold BEFORE UPDATE ON outbox",
    "delete": "TRIGGER hold BEFORE DELETE ON outbox",
}
HOLD = """
    CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_advisory_xact_lock(1); RETURN coalesce(NEW, OLD); END';
    CREATE {} FOR EACH ROW EXECUTE FUNCTION hold();
    SELECT pg_advisory_lock(1);
"""
RELEASE = "DROP FUNCTION hold CASCADE; SELECT pg_advisory_unlock(1)"
HELD = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'"


async def until(check: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(30):
        while not await check():
            await asyncio.sleep(0.02)


async def kill(service: ServiceProcess) -> None:
    service.process.send_signal(signal.SIGKILL)
    await service.process.wait()


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[Any]:
    """A connection to the database, for the test itself."""
    opened = await asyncpg.connect(database_url)
    yield opened
    await opened.execute("DELETE FROM outbox; DELETE FROM items")
    await opened.close()


class Warehouse:
    """The receiver.

    Attributes:
        received: the id of the item and the key of each message, as they arrived.
        answer: called when a message has arrived, before it is answered; returns the status.
    """

    def __init__(self) -> None:
        self.received: list[tuple[int, str]] = []
        self.answer: Callable[[int], Awaitable[int]] = self._accept

    async def _accept(self, _: int) -> int:
        return 204

    async def receive(self, request: web.Request) -> web.Response:
        item_id = json.loads(await request.read())["item_id"]
        self.received.append((item_id, request.headers["Idempotency-Key"]))
        return web.Response(status=await self.answer(item_id))

    @property
    def items(self) -> list[int]:
        return [item_id for item_id, _ in self.received]


@pytest.fixture
async def warehouse() -> AsyncIterator[tuple[Warehouse, str]]:
    """The receiver and its address."""
    made, application = Warehouse(), web.Application()
    application.router.add_post("/withdrawals", made.receive)
    async with TestServer(application) as server:
        yield made, str(server.make_url("")).rstrip("/")


@asynccontextmanager
async def running(database_url: str, connection: Any, warehouse_url: str) -> AsyncIterator[ServiceProcess]:
    await connection.execute("DELETE FROM background_leases")  # of a process that was killed: it would hold for 15 s
    environment = PATIENT | {"WAREHOUSE_URL": warehouse_url}
    async with service_process(database_url, environment=environment) as service:
        yield service


async def new_item(connection: Any) -> int:
    found: int = await connection.fetchval(
        "INSERT INTO items (name, description, price_cents) VALUES ('a', '', 1) RETURNING id"
    )
    return found


async def withdraw(service: ServiceProcess, item_id: int) -> int:
    """Withdraw an item; return the status, or 0 if the service ended before it answered."""
    with suppress(aiohttp.ClientError):
        async with (
            aiohttp.ClientSession() as client,
            client.post(f"{service.api}/v1/items/{item_id}/withdrawal") as answer,
        ):
            status: int = answer.status
            return status
    return 0


@pytest.mark.parametrize(
    ("point", "arrivals"),
    [
        ("insert", 0),  # before the message is in the table
        ("commit", 0),
        ("take", 1),  # after the commit, before the message is taken from the table
        ("connection", 1),  # before the message is sent
        ("call", 2),  # after it was sent, before it is answered
        ("delete", 2),  # after it was answered, before it is deleted
        ("end", 1),  # after it was deleted
    ],
)
async def test_a_process_that_is_killed_loses_nothing_and_invents_nothing(
    database_url: str, connection: Any, warehouse: tuple[Warehouse, str], point: str, arrivals: int
) -> None:
    received, url = warehouse
    first, second = await new_item(connection), await new_item(connection)

    async def held() -> object:
        return await connection.fetch(HELD)

    async def sent() -> bool:
        return not await connection.fetchval("SELECT count(*) FROM outbox")

    async with (
        await asyncio.start_server(lambda _, writer: connected(writer), "127.0.0.1", 0) as port,
        running(
            database_url,
            connection,
            f"http://127.0.0.1:{port.sockets[0].getsockname()[1]}" if point == "connection" else url,
        ) as service,
    ):

        def connected(writer: asyncio.StreamWriter) -> None:
            service.process.send_signal(signal.SIGKILL)
            writer.transport.abort()

        async def arrived(_: int) -> int:
            await kill(service)
            return 204

        if point == "call":
            received.answer = arrived
        elif point in HELD_AT:
            await connection.execute(HOLD.format(HELD_AT[point]))
        status = asyncio.create_task(withdraw(service, first))
        if point in HELD_AT:
            await until(held)
            await kill(service)
            await connection.fetch(f"SELECT pg_terminate_backend(pid) FROM ({HELD}) AS held")
            await connection.execute(RELEASE)
        elif point == "end":
            assert await status == 204
            await until(sent)
            await kill(service)
        await service.process.wait()
        assert (await status == 204) == (arrivals > 0)
    received.answer = Warehouse().answer

    async with running(database_url, connection, url) as service:
        assert await withdraw(service, second) == 204
        await until(sent)
    assert sorted(received.items) == [first] * arrivals + [second]
    assert len(set(received.received)) == len(set(received.items))  # a repetition has the same key
    assert await connection.fetchval("SELECT count(*) FROM items WHERE id = $1", first) == (arrivals == 0)


async def test_a_message_that_is_refused_stops_no_other_one(
    database_url: str, connection: Any, warehouse: tuple[Warehouse, str]
) -> None:
    received, url = warehouse
    bad, good = await new_item(connection), await new_item(connection)

    async def refuse(item_id: int) -> int:
        return 422 if item_id == bad else 204

    async def only_the_bad_one_is_left() -> bool:
        rows = await connection.fetch("SELECT (body ->> 'item_id')::bigint AS item_id, attempts FROM outbox")
        return [row["item_id"] for row in rows] == [bad] and rows[0]["attempts"] > 1

    async def sent() -> bool:
        return not await connection.fetchval("SELECT count(*) FROM outbox")

    received.answer = refuse
    async with running(database_url, connection, url) as service:
        assert [await withdraw(service, item_id) for item_id in (bad, good, good)] == [204, 204, 404]
        await until(only_the_bad_one_is_left)
        assert received.items.count(good) == 1
        assert (await service.until_logged("message_not_sent"))["attempts"] == 1
        received.answer = Warehouse().answer
        await until(sent)
    assert received.items[-1] == bad
