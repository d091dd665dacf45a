"""A request with an Idempotency-Key whose handler calls another service, isolates its transaction, or is refused."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from hashlib import blake2b

import aiohttp
import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from chassis.contract import Route
from chassis.database import Connection, Database
from chassis.errors import NotFoundError, RequestInProgressError
from chassis.http.idempotency import digest
from chassis.http.keyed_transaction import KeyedTransaction
from chassis.models import Body
from chassis.postgres.pool import Pool
from chassis.service import Service
from chassis.settings import Settings
from chassis.testing.client import Client, MakeClient, clients_of

TEXT = {"text": "a"}


class Note(Body):
    """What the handlers write."""

    text: str
    call: str = ""


async def write(database: Database, text: str) -> None:
    await database.execute("INSERT INTO notes VALUES ($1)", text)


async def call_first(body: Note, database: Database, client: ClientSession) -> Note:
    """Call another service, and then write."""
    async with client.post(body.call) as response:
        await response.read()
    await write(database, body.text)
    if body.text == "missing":
        raise NotFoundError("There is none.")
    return body


async def patch(body: Note, database: Database) -> Note:
    await write(database, body.text)
    return body


async def call_only(body: Note, database: Database, client: ClientSession) -> Note:
    async with client.post(body.call) as response:
        await response.read()
    return body


async def call_between(body: Note, database: Database, client: ClientSession) -> Note:
    await write(database, body.text)
    async with client.post(body.call) as response:
        await response.read()
    await write(database, body.text)
    return body


async def ignore_refusals(body: Note, database: Database, client: ClientSession) -> Note:
    """Call another service, and go on whatever the database says."""
    async with client.post(body.call) as response:
        await response.read()
    await asyncio.gather(*(write(database, body.text) for _ in range(2)), return_exceptions=True)
    return body


async def serializable(body: Note, database: Database) -> Note:
    async with database.transaction(isolation="serializable") as transaction:
        assert await transaction.fetchval("SHOW transaction_isolation") == "serializable"
        await write(transaction, body.text)
    return body


async def serializable_connection(body: Note, database: Database) -> Note:
    async with database.connection() as connection, connection.transaction(isolation="serializable"):
        assert await connection.fetchval("SHOW transaction_isolation") == "serializable"
        assert [row["number"] async for row in connection.cursor("SELECT 1 AS number")] == [1]
        await connection.execute("INSERT INTO notes VALUES ($1)", body.text)
    return body


async def too_late(body: Note, database: Database) -> Note:
    await write(database, body.text)
    async with database.transaction(isolation="serializable") as transaction:
        await write(transaction, body.text)
    return body


CONFLICTS = [1]


async def conflict(body: Note, database: Database) -> Note:
    """Conflict with others as often as `CONFLICTS` says."""

    async def fail(transaction: Database) -> None:
        await write(transaction, body.text)
        if CONFLICTS[0]:
            CONFLICTS[0] -= 1
            await transaction.execute("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$")

    await database.transaction(isolation="serializable", retry=1).run(fail)
    return body


async def beside(body: Note, database: Database) -> Note:
    """Use a connection, a savepoint and the database at once."""

    async def in_savepoint() -> None:
        async with database.transaction() as transaction:
            await asyncio.gather(write(transaction, body.text), write(database, body.text))
            async with database.connection() as same:
                await same.fetchval("SELECT 1")

    async with database.connection() as connection:
        await asyncio.gather(
            connection.execute("INSERT INTO notes VALUES ($1)", body.text),
            connection.fetchval("SELECT 1"),
            write(database, body.text),
            in_savepoint(),
        )
    return body


async def fail_beside(body: Note, database: Database, client: ClientSession) -> Note:
    """Fail while a task has begun the transaction."""
    async with client.post(body.call) as response:
        await response.read()

    async def fail() -> None:
        raise NotFoundError("There is none.")

    await asyncio.gather(write(database, body.text), fail())
    return body


async def conflict_beside(body: Note, database: Database) -> Note:
    """Conflict with others while another task waits to write."""

    async def fail_once(transaction: Database) -> None:
        await write(transaction, body.text)
        if CONFLICTS[0]:
            CONFLICTS[0] -= 1
            await transaction.execute("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$")

    await asyncio.gather(database.transaction(retry=1).run(fail_once), write(database, body.text))
    return body


async def wait_in_savepoint(body: Note, database: Database, client: ClientSession) -> Note:
    """Write while a savepoint of another task waits for another service."""

    async def in_savepoint() -> None:
        async with database.transaction() as transaction:
            await write(transaction, body.text)
            async with client.post(body.call) as response:
                await response.read()

    task = asyncio.create_task(in_savepoint())
    await asyncio.sleep(0)
    await write(database, body.text)
    await task
    return body


async def select_all(body: Note, database: Database) -> int:
    return len(await database.fetch("SELECT * FROM notes"))


async def read(database: Database) -> int:
    number: int = await database.fetchval("SELECT 1")
    return number


HANDLERS: list[Callable[..., Awaitable[object]]] = [
    call_first,
    call_only,
    call_between,
    ignore_refusals,
    serializable,
    serializable_connection,
    too_late,
    conflict,
    beside,
    fail_beside,
    conflict_beside,
    wait_in_savepoint,
    select_all,
]
ROUTES = [
    *(Route("POST", f"/{handler.__name__}", handler, raises=(NotFoundError,)) for handler in HANDLERS),
    Route("PATCH", "/call_first", patch),
    Route("GET", "/read", read),
]


class Calls:
    """Another service. A call waits until the test lets it go."""

    def __init__(self) -> None:
        self.url = ""
        self.go = asyncio.Event()
        self.count = 0
        self._news = asyncio.Condition()

    async def handle(self, _: web.Request) -> web.Response:
        self.count += 1
        async with self._news:
            self._news.notify_all()
        await self.go.wait()
        return web.Response()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(10), self._news:
            await self._news.wait_for(lambda: self.count >= count)


@pytest.fixture
async def calls() -> AsyncIterator[Calls]:
    """Another service."""
    other, application = Calls(), web.Application()
    application.router.add_post("/", other.handle)
    async with TestServer(application) as server:
        other.url = str(server.make_url("/"))
        yield other
        other.go.set()


@pytest.fixture
async def start(settings: Settings) -> AsyncIterator[MakeClient]:
    """A function that starts the service of this module."""
    async with clients_of(Service(settings=Settings, routes=ROUTES), settings) as make:
        yield make


async def post(
    client: Client, handler: Callable[..., object], method: str = "POST", key: str = "one", **body: str
) -> aiohttp.ClientResponse:
    headers = {"Idempotency-Key": key}
    response = await client.request(method, f"/{handler.__name__}", json=TEXT | body, headers=headers)
    await response.read()
    return response


async def type_of(response: aiohttp.ClientResponse) -> str:
    problem = await response.json(content_type="application/problem+json")
    assert isinstance(problem["type"], str)
    return problem["type"].removeprefix("urn:problem-type:")


async def notes(connection: Connection) -> int:
    number: int = await connection.fetchval("SELECT count(*) FROM notes")
    return number


async def claims(connection: Connection) -> int:
    number: int = await connection.fetchval("SELECT count(*) FROM idempotency_claims")
    return number


async def until_claimed(connection: Connection, count: int = 1) -> None:
    async with asyncio.timeout(10):
        while await claims(connection) != count:
            await asyncio.sleep(0.01)


async def test_requests_that_wait_for_another_service_hold_no_connection(
    start: MakeClient, calls: Calls, connection: Connection
) -> None:
    client = await start(database_pool_size=2, database_acquire_timeout_seconds=2)
    waiting = [asyncio.create_task(post(client, call_first, key=str(n), call=calls.url)) for n in range(20)]
    await calls.until(20)
    reads = await asyncio.gather(*(client.get("/read") for _ in range(20)))
    assert Counter(response.status for response in reads) == {200: 20}
    calls.go.set()
    assert Counter(each.status for each in await asyncio.gather(*waiting)) == {200: 20}
    assert (await notes(connection), await claims(connection)) == (20, 0)


@pytest.mark.parametrize("handler", [call_first, call_only, call_between])
async def test_two_at_once_do_the_work_once(
    start: MakeClient, calls: Calls, connection: Connection, handler: Callable[..., object]
) -> None:
    client = await start()
    first = asyncio.create_task(post(client, handler, call=calls.url))
    await calls.until(1)
    again = await post(client, handler, call=calls.url)
    assert (again.status, await type_of(again)) == (409, "request-in-progress")
    calls.go.set()
    answers = [await first, await post(client, handler, call=calls.url)]
    assert [(each.status, await each.read()) for each in answers] == [(200, await answers[0].read())] * 2
    assert (calls.count, await claims(connection)) == (1, 0)
    assert await notes(connection) == {"call_first": 1, "call_only": 0, "call_between": 2}[handler.__name__]


async def test_200_clients_with_one_key_make_one_row(start: MakeClient, calls: Calls, connection: Connection) -> None:
    client = await start(max_in_flight=1000, database_acquire_timeout_seconds=2)

    async def until_answered() -> Counter[int]:
        seen = Counter[int]()
        while seen.keys() <= {409, 503}:
            seen[(await post(client, call_first, call=calls.url)).status] += 1
        return seen

    clients = [asyncio.create_task(until_answered()) for _ in range(200)]
    await calls.until(1)
    calls.go.set()
    seen = sum(await asyncio.gather(*clients), Counter[int]())
    assert seen[200] == 200
    assert seen.keys() <= {200, 409, 503}
    assert (await notes(connection), await claims(connection), calls.count) == (1, 0, 1)


@pytest.mark.parametrize("handler", [call_first, call_only, ignore_refusals])
async def test_a_request_whose_claim_is_gone_does_nothing(
    start: MakeClient, calls: Calls, connection: Connection, handler: Callable[..., object]
) -> None:
    client = await start()
    first = asyncio.create_task(post(client, handler, call=calls.url))
    await until_claimed(connection)
    await connection.execute("TRUNCATE idempotency_claims")  # as a crash of PostgreSQL does
    calls.go.set()
    assert ((await first).status, await type_of(await first)) == (409, "request-in-progress")
    assert await notes(connection) == 0
    assert (await post(client, call_first, call=calls.url)).status == 200


async def test_the_claim_of_a_process_that_died_expires(
    start: MakeClient, calls: Calls, connection: Connection
) -> None:
    client = await start()
    first = asyncio.create_task(post(client, call_first, call=calls.url))
    await until_claimed(connection)
    left = await connection.fetchval("SELECT expires_at - now() FROM idempotency_claims")
    assert client.application.settings.request_timeout_seconds < left.total_seconds() < 15
    await connection.execute("UPDATE idempotency_claims SET owner = 'another'")
    assert (await post(client, call_first, call=calls.url)).status == 409
    await connection.execute("UPDATE idempotency_claims SET expires_at = now()")
    calls.go.set()
    assert (await first).status == 409  # it finds the claim of another one
    assert (await post(client, call_first, call=calls.url)).status == 200
    assert await notes(connection) == 1


@pytest.mark.parametrize("handler", [call_first, call_only, ignore_refusals])
async def test_a_request_that_release_0_2_has_answered_meanwhile_has_that_answer(
    start: MakeClient, calls: Calls, connection: Connection, handler: Callable[..., object]
) -> None:
    """It takes the lock, and does not know claims."""
    client = await start()
    first = asyncio.create_task(post(client, handler, call=calls.url))
    await until_claimed(connection)
    path, said = f"/{handler.__name__}", f'{{"call": "{calls.url}", "text": "a"}}'
    key, fingerprint = (blake2b(text.encode(), digest_size=16).digest() for text in (f"{path}\n\none", f"\n{said}"))
    async with connection.transaction():
        lock = int.from_bytes(key[:8], signed=True)
        assert await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", lock)
        calls.go.set()  # the request waits for the lock from now on
        async with asyncio.timeout(10):
            while not await connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                await asyncio.sleep(0.01)
        stored = "INSERT INTO idempotency_keys (id, fingerprint, status, headers, body) VALUES ($1, $2, 201, '[]', $3)"
        await connection.execute(stored, key, fingerprint, b"of 0.2")
    assert ((await first).status, await (await first).read()) == (201, b"of 0.2")
    assert (await notes(connection), await claims(connection)) == (0, 0)


async def test_what_failed_may_be_sent_again_at_once(start: MakeClient, calls: Calls, connection: Connection) -> None:
    client = await start()
    calls.go.set()
    for _ in range(2):
        assert (await post(client, call_first, text="missing", call=calls.url)).status == 404
        assert (await post(client, call_first, text="b", call="http://127.0.0.1:1")).status == 503
    assert (await notes(connection), await claims(connection)) == (0, 0)


@pytest.mark.parametrize("handler", [call_first, wait_in_savepoint])
async def test_a_deadline_gives_the_key_back(
    start: MakeClient, calls: Calls, connection: Connection, handler: Callable[..., object]
) -> None:
    client = await start(
        database_lock_timeout_seconds=0.1,
        database_statement_timeout_seconds=0.2,
        database_command_timeout_seconds=0.3,
        database_connect_timeout_seconds=0.3,
        body_timeout_seconds=0.5,
        request_timeout_seconds=1,
    )
    late = await post(client, handler, call=calls.url)
    assert (late.status, await type_of(late)) == (503, "deadline-exceeded")
    assert await notes(connection) == 0
    calls.go.set()
    assert (await post(client, handler, call=calls.url)).status == 200
    assert await notes(connection) == {"call_first": 1, "wait_in_savepoint": 2}[handler.__name__]


async def test_a_key_is_given_back_when_the_database_answers_again(
    start: MakeClient, calls: Calls, connection: Connection
) -> None:
    client = await start(database_pool_size=1)
    first = asyncio.create_task(post(client, call_first, call=calls.url))
    await until_claimed(connection)
    pool = client.application.injector.values[Database]
    async with pool.connection():  # all connections are in use
        calls.go.set()
        assert ((await first).status, await type_of(await first)) == (503, "overloaded")
    await until_claimed(connection, 0)
    assert (await post(client, call_first, call=calls.url)).status == 200


@pytest.mark.parametrize("handler", [serializable, serializable_connection])
async def test_the_isolation_level_is_honoured(
    start: MakeClient, connection: Connection, handler: Callable[..., object]
) -> None:
    client = await start()
    for _ in range(2):
        assert (await post(client, handler)).status == 200
    assert (await notes(connection), await claims(connection)) == (1, 0)
    assert (await post(client, too_late)).status == 500
    assert (await notes(connection), await claims(connection)) == (1, 0)


async def test_a_serialization_failure_is_retried(start: MakeClient, connection: Connection) -> None:
    client = await start()
    for conflicts, status in ((1, 200), (2, 503)):
        CONFLICTS[0] = conflicts
        assert (await post(client, conflict, key=str(conflicts))).status == status
    assert (await notes(connection), await claims(connection)) == (1, 0)


async def test_a_connection_may_be_used_by_several_tasks(start: MakeClient, connection: Connection) -> None:
    client = await start()
    assert (await post(client, beside)).status == 200
    assert await notes(connection) == 4


async def test_a_task_that_outlives_its_handler_keeps_no_connection(
    start: MakeClient, calls: Calls, connection: Connection
) -> None:
    client = await start(database_pool_size=1)
    calls.go.set()
    for _ in range(3):
        assert (await post(client, fail_beside, call=calls.url)).status == 404
    assert (await client.get("/read")).status == 200
    assert (await notes(connection), await claims(connection)) == (0, 0)
    assert await connection.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0


async def test_a_conflict_loses_no_statement_of_another_task(start: MakeClient, connection: Connection) -> None:
    client = await start()
    CONFLICTS[0] = 1
    assert (await post(client, conflict_beside)).status == 503
    assert (await notes(connection), await claims(connection)) == (0, 0)
    assert (await post(client, conflict_beside)).status == 200
    assert (await notes(connection), await claims(connection)) == (2, 0)


async def test_a_request_that_is_cancelled_while_it_claims_its_key_gives_it_back(
    settings: Settings, connection: Connection
) -> None:
    key = b"k" * 16
    arguments = (key, b"f" * 16, timedelta(hours=1), timedelta(minutes=1))
    async with Pool(settings) as pool:

        async def request() -> None:
            async with KeyedTransaction(pool, *arguments):
                for _ in range(3):  # until it has begun to claim the key
                    await asyncio.sleep(0)

        blocker = connection.transaction()
        await blocker.start()
        await connection.execute("INSERT INTO idempotency_claims VALUES ($1, 'another', now())", key)
        first = asyncio.create_task(request())
        async with asyncio.timeout(10):
            while not await pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                await asyncio.sleep(0.01)
        first.cancel()
        await asyncio.wait([first], timeout=0.2)
        await blocker.rollback()  # the claim is written from here on
        with pytest.raises(asyncio.CancelledError):
            await first
        async with asyncio.timeout(10):
            while True:
                with suppress(RequestInProgressError):
                    async with KeyedTransaction(pool, *arguments):
                        break
    assert await claims(connection) == 0


async def test_columns_that_change_under_a_running_service(start: MakeClient, connection: Connection) -> None:
    client = await start(database_pool_size=1)
    for number in range(3):
        assert (await post(client, select_all, key=str(number))).status == 200
        await connection.execute(f"ALTER TABLE notes ADD COLUMN another_{number} int")


async def test_a_key_belongs_to_a_method(start: MakeClient, calls: Calls, connection: Connection) -> None:
    client = await start()
    calls.go.set()
    for method in ("POST", "PATCH", "POST", "PATCH"):
        assert (await post(client, call_first, method, call=calls.url)).status == 200
    assert await notes(connection) == 2


async def test_a_header_of_a_gateway_tells_callers_apart(
    start: MakeClient, calls: Calls, connection: Connection
) -> None:
    client = await start(idempotency_caller_header="X-Consumer-ID")
    calls.go.set()
    for consumer in ("a", "b", "a", None):
        headers = {"Idempotency-Key": "one"} | ({"X-Consumer-ID": consumer} if consumer else {})
        json = TEXT | {"call": calls.url, "text": consumer or ""}
        assert (await client.post("/call_first", json=json, headers=headers)).status == 200
    assert await connection.fetchval("SELECT array_agg(text ORDER BY text) FROM notes") == ["", "a", "b"]


def test_digests_are_those_of_0_2_and_newlines_cannot_make_two_alike() -> None:
    assert digest("/v1/items", "", "key") == blake2b(b"/v1/items\n\nkey", digest_size=16).digest()
    alike = [("a\nb", "c"), ("a", "b\nc"), ("a", "b", "c"), ("a\nb\nc",), ('["a\\nb", "c"]',)]
    assert len({digest(*parts) for parts in alike}) == len(alike)
