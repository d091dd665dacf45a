"""The scenarios of tests/test_guides.py: they run in a service with the code of the guides, as real processes."""

import asyncio
import csv
import hashlib
import io
import json
import os
import re
import signal
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest
from aiohttp import WSCloseCode, WSMsgType, web
from aiohttp.test_utils import TestServer

from chassis.testing import ServiceProcess, service_process

ROWS = 300_000
MEBIBYTE = 1024**2


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[Any]:
    """A connection to the database, for the test itself."""
    opened = await asyncpg.connect(database_url)
    yield opened
    await opened.close()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client without a time-out."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as opened:
        yield opened


async def insert(connection: Any, *names: str) -> list[int]:
    rows = [
        await connection.fetchrow(
            "INSERT INTO items (name, description, price_cents) VALUES ($1, '', 1) RETURNING id", name
        )
        for name in names
    ]
    return [row[0] for row in rows]


async def events(response: aiohttp.ClientResponse) -> AsyncGenerator[tuple[int | None, str], None]:
    """Yield the id and the data of each event, as a browser would; end with the response."""
    number: int | None = None
    data = ""
    async for line in response.content:
        field, _, value = line.decode().rstrip("\n").partition(": ")
        if field == "id":
            number = int(value)
        elif field == "data":
            data = value
        elif not field and not value and data:
            yield number, data
            data = ""


async def first(response: aiohttp.ClientResponse, count: int) -> list[tuple[int | None, str]]:
    found: list[tuple[int | None, str]] = []
    async with asyncio.timeout(20), aclosing(events(response)) as received:
        async for event in received:
            found.append(event)
            if len(found) == count:
                break
    return found


async def until(check: Any) -> Any:
    async with asyncio.timeout(20):
        while not (value := await check()):
            await asyncio.sleep(0.02)
    return value


async def gauge(session: aiohttp.ClientSession, service: ServiceProcess, name: str) -> float:
    text = await (await session.get(f"{service.internal}/metrics")).text()
    return sum(float(value) for value in re.findall(rf"^{name}(?:{{.*?}})? (\S+)$", text, re.MULTILINE))


async def test_the_export_is_the_table_and_a_broken_one_is_never_complete(
    database_url: str, connection: Any, session: aiohttp.ClientSession
) -> None:
    await connection.execute(
        "INSERT INTO items (name, description, price_cents) SELECT 'it''s \"' || n || E'\"\\n', '', n "
        f"FROM generate_series(1, {ROWS}) AS n"
    )
    async with service_process(database_url) as service:
        answer = await session.get(f"{service.api}/v1/items.csv")
        assert (answer.status, answer.headers["Transfer-Encoding"]) == (200, "chunked")
        assert answer.headers["Content-Disposition"] == 'attachment; filename="items.csv"'
        head, *rows = csv.reader(io.StringIO(await answer.text(), newline=""))
        assert head == ["id", "name", "price_cents"]
        wanted = await connection.fetch("SELECT id::text, name, price_cents::text FROM items ORDER BY items.id")
        assert [tuple(row) for row in rows] == [tuple(row) for row in wanted]
        cut = await session.get(f"{service.api}/v1/items.csv")
        await cut.content.readexactly(1000)
        ended = await connection.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%items ORDER BY id%' "
            "AND backend_xid IS NULL AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'"
        )
        assert ended
        with pytest.raises(aiohttp.ClientError):
            await cut.read()
        aborted = await service.until_logged("stream_aborted")
        assert aborted["reason"] == "database-unavailable"
        await connection.execute("ALTER TABLE items RENAME TO gone")
        try:
            refused = await session.get(f"{service.api}/v1/items.csv")
            assert (refused.status, refused.content_type) == (500, "application/problem+json")
        finally:
            await connection.execute("ALTER TABLE gone RENAME TO items")


@pytest.mark.parametrize(
    "replica", [{}, {"DATABASE_REPLICA_URL": "postgresql://127.0.0.1:1/away"}], ids=["none", "away"]
)
async def test_a_read_of_a_replica_that_is_not_there_is_answered(
    database_url: str, connection: Any, session: aiohttp.ClientSession, replica: dict[str, str]
) -> None:
    await insert(connection, "a", "b")
    async with service_process(database_url, environment=replica) as service:
        answer = await session.get(f"{service.api}/v1/item-count")
        assert await answer.json() == 2


async def test_events_go_on_after_a_deployment(
    database_url: str, connection: Any, session: aiohttp.ClientSession
) -> None:
    ids = await insert(connection, *"abc")
    path = "/v1/item-events"
    async with service_process(database_url, environment={"DRAIN_SECONDS": "2"}) as old:
        answer = await session.get(f"{old.api}{path}")
        assert [event[0] for event in await first(answer, 3)] == ids
        old.process.send_signal(signal.SIGTERM)
        await old.until_logged("draining")
        refused = await session.get(f"{old.api}{path}")
        assert (refused.status, (await refused.json())["type"]) == (503, "urn:problem-type:shutting-down")
        during = await insert(connection, "d")
        assert [event async for event in events(answer)] == [(during[0], '{"name": "d"}')]  # and a proper end
        assert await old.until_ended() == 0
    later = await insert(connection, *"efg")
    async with service_process(database_url) as new:
        answer = await session.get(f"{new.api}{path}", headers={"Last-Event-ID": str(during[0])})
        assert [event[0] for event in await first(answer, 3)] == later
        anew = await session.get(f"{new.api}{path}?after={later[0]}")
        assert [event[0] for event in await first(anew, 2)] == later[1:]
    assert not [
        line for line in old.lines + new.lines if line["event"] == "stream_aborted" and line["reason"] != "shutdown"
    ]


async def test_sockets_talk_refuse_and_close(database_url: str, session: aiohttp.ClientSession) -> None:
    async with service_process(database_url) as service:
        async with session.ws_connect(f"{service.api}/v1/talk") as socket:
            await socket.send_json({"text": "hello"})
            assert await socket.receive_json() == {"text": "HELLO"}
            await socket.send_json({"txt": "hello"})
            message = await socket.receive()
            assert (message.type, message.data) == (WSMsgType.CLOSE, WSCloseCode.POLICY_VIOLATION)
        ticket = (await (await session.post(f"{service.api}/v1/tickets")).json())["ticket"]
        for sent, received in ((ticket, WSMsgType.TEXT), (ticket, WSMsgType.CLOSE), ("x", WSMsgType.CLOSE)):
            async with session.ws_connect(f"{service.api}/v1/private") as socket:
                await socket.send_str(sent)
                assert (await socket.receive()).type is received
        async with session.ws_connect(f"{service.api}/v1/talk") as socket:
            service.process.send_signal(signal.SIGTERM)
            assert (await socket.receive()).data == WSCloseCode.GOING_AWAY
        assert await service.until_ended() == 0
    assert not [line for line in service.lines if line["level"] == "error" or line["event"] == "stream_aborted"]


LISTENING = """
    SELECT pid FROM pg_stat_activity
    WHERE query IN ('LISTEN "news"', 'SELECT 1') AND state = 'idle' AND pid <> pg_backend_pid()
"""


async def test_what_is_told_reaches_the_clients_of_all_processes(
    database_url: str, connection: Any, session: aiohttp.ClientSession
) -> None:
    async def tell(*messages: str) -> None:
        await connection.execute("SELECT pg_notify('news', message) FROM unnest($1::text[]) AS message", messages)

    async def both_listen() -> bool:
        return len(await connection.fetch(LISTENING)) == 2

    async with service_process(database_url) as one, service_process(database_url) as two:
        await until(both_listen)
        clients = [await session.get(f"{service.api}/v1/news") for service in (one, two) for _ in range(3)]
        many = [json.dumps({"id": number}) for number in range(500)]
        await tell(*many)
        for found in await asyncio.gather(*(first(client, 500) for client in clients)):
            assert [data for _, data in found] == many
        # A client that does not read is ended, and not the others.
        fast, slow = clients[0], clients[-1]
        told: list[str] = []
        for start in range(0, 2500, 100):
            large = [f"{number:04}{'x' * 7900}" for number in range(start, start + 100)]
            await tell(*large)
            assert [data for _, data in await first(fast, 100)] == large
            told += large
        received = [data async for _, data in events(slow)]
        assert received == told[: len(received)]
        assert len(received) < len(told)
        # The connections are lost: clients are told by the end of their streams, and `listen` starts again.
        await connection.fetch(f"SELECT pg_terminate_backend(pid) FROM ({LISTENING}) AS listening")
        async with asyncio.timeout(20):
            assert [event async for event in events(fast)] == []
        await asyncio.gather(one.until_logged("background_failed"), two.until_logged("background_failed"))
        await until(both_listen)
        again = await session.get(f"{one.api}/v1/news")
        await tell("again")
        assert await first(again, 1) == [(None, "again")]


async def test_what_redis_tells_reaches_the_clients_of_all_processes(
    database_url: str, session: aiohttp.ClientSession
) -> None:
    from redis.asyncio import Redis

    url = os.environ["REDIS_URL"]
    async with Redis.from_url(url) as redis, service_process(database_url) as one, service_process(database_url) as two:

        async def both_listen() -> bool:
            [(_, listening)] = await redis.pubsub_numsub("news")
            return bool(listening == 2)

        await until(both_listen)
        clients = [await session.get(f"{service.api}/v1/news") for service in (one, two) for _ in range(3)]
        many = [json.dumps({"id": number}) for number in range(500)]
        for message in many:
            await redis.publish("news", message)
        for found in await asyncio.gather(*(first(client, 500) for client in clients)):
            assert [data for _, data in found] == many
        await redis.client_kill_filter(_type="pubsub")
        for client in clients:
            assert [event async for event in events(client)] == []
        await until(both_listen)


@asynccontextmanager
async def storage() -> AsyncIterator[tuple[str, dict[str, bytes]]]:
    """Run an object storage that keeps what arrives completely; yield its address and its objects."""
    objects: dict[str, bytes] = {}

    async def put(request: web.Request) -> web.Response:
        assert request.content_length is not None
        objects[request.path] = await request.read()
        return web.Response()

    application = web.Application(client_max_size=100 * MEBIBYTE)
    application.router.add_route("PUT", "/{key}", put)
    async with TestServer(application) as server:
        yield str(server.make_url("")).rstrip("/"), objects


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    yield content[: len(content) // 2]
    yield content[len(content) // 2 :]


async def test_files_are_received_whatever_their_names_are(
    database_url: str, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    content = os.urandom(8 * MEBIBYTE)
    async with storage() as (url, objects):
        environment = {"STORAGE_URL": url, "TMPDIR": str(tmp_path)}
        async with service_process(database_url, environment=environment) as service:
            files = f"{service.api}/v1/files"

            def open_files() -> list[str]:
                found = Path("/proc", str(service.process.pid), "fd").glob("*")
                return [name for each in found if each.is_symlink() and str(tmp_path) in (name := os.readlink(each))]

            form = aiohttp.FormData({"note": "first"}, quote_fields=False)
            form.add_field("file", io.BytesIO(content), filename="../../x", content_type="image/jpeg")
            answer = await session.post(files, data=form)
            received = await answer.json()
            assert (answer.status, received["name"], received["size"]) == (201, "../../x", len(content))
            assert re.fullmatch("[0-9a-f]{32}", received["key"])
            assert objects.keys() == {f"/{received['key']}"}
            assert objects[f"/{received['key']}"] == content
            without_file = aiohttp.FormData({"other": "x"}, default_to_multipart=True)
            assert (await session.post(files, data=without_file)).status == 422
            key = "00000000-0000-0000-0000-000000000001"
            answer = await session.put(f"{files}/{key}", data=io.BytesIO(content))
            assert answer.status == 204
            assert hashlib.sha256(objects.pop(f"/{key}")).digest() == hashlib.sha256(content).digest()
            assert (await session.put(f"{files}/{key}", data=_pieces(content))).status == 422  # without its length
            too_large = await session.put(f"{files}/{key}", data=io.BytesIO(b"x" * (50 * MEBIBYTE + 1)))
            assert too_large.status == 413
            # Clients that leave in the middle.
            for method, path, head in (
                ("POST", "/v1/files", "Content-Type: multipart/form-data; boundary=b"),
                ("PUT", f"/v1/files/{key}", "Content-Type: image/jpeg"),
            ):
                _, writer = await asyncio.open_connection("127.0.0.1", service.port)
                lines = f"{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n{head}\r\n\r\n"
                part = '--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
                writer.write((lines + part).encode() + content[:1_000_000])
                await writer.drain()
                if method == "POST":

                    async def opened() -> bool:
                        return bool(open_files())

                    await until(opened)
                writer.close()

                async def idle() -> bool:
                    return await gauge(session, service, "http_server_active_requests") == 0

                await until(idle)
            assert (open_files(), list(tmp_path.iterdir())) == ([], [])
            assert len(objects) == 1
            service.process.terminate()
            assert await service.until_ended() == 0
    assert not [line for line in service.lines if line["level"] == "error"]


async def test_limits_of_routes(database_url: str, session: aiohttp.ClientSession) -> None:
    async with service_process(database_url) as service:
        headers = {"Content-Type": "image/png"}
        larger = await session.put(f"{service.api}/v1/photo", data=io.BytesIO(b"x" * (MEBIBYTE + 1)), headers=headers)
        assert larger.status == 200  # than MAX_BODY_BYTES
        assert (
            await session.put(f"{service.api}/v1/photo", data=io.BytesIO(b"x" * 3 * MEBIBYTE), headers=headers)
        ).status == 413
        reports = await asyncio.gather(*(session.get(f"{service.api}/v1/report") for _ in range(3)))
        assert sorted(report.status for report in reports) == [200, 200, 503]
        quotes = await session.get(f"{service.api}/v1/quotes")
        assert quotes.content_type == "text/event-stream"
