"""Slow, broken and hostile clients: their requests end in time and do not affect other clients."""

import asyncio
import json
import os
import socket
import time
import zlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import product

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from tests.chassis.conftest import Running, Start
from tests.chassis.issuer import issuer

TIMEOUT_SECONDS = 0.3
BOUND_SECONDS = 5  # the timeout, the interval of the timeout checks, and slack for a slow machine
GET = b"GET /wait/0 HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
BODY = b'{"text": "a"}'


@asynccontextmanager
async def connection(service: Running) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open a raw connection to the service."""
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes, bytes]:
    """Return the status, head and body of the next response."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0] or 0)  # 204 has none
    return int(head.split()[1]), head, await reader.readexactly(length)


async def last_answer(reader: asyncio.StreamReader) -> tuple[int, str]:
    """Return the status and problem type of a response after which the connection is closed."""
    async with asyncio.timeout(BOUND_SECONDS):
        status, _, body = await answer(reader)
        assert await reader.read() == b""
    return status, json.loads(body)["type"].removeprefix("urn:problem-type:")


@pytest.mark.parametrize(
    "beginning", [b"G", b"GET /wait/0 HTTP/1.1\r\nHost: a\r\n", GET + b"GET /wait/0 HTTP/1.1\r\nX: "]
)
async def test_a_head_that_does_not_end_is_ended(start: Start, beginning: bytes) -> None:
    service = await start(header_timeout_seconds=TIMEOUT_SECONDS)
    async with connection(service) as (reader, writer):
        for byte in beginning:  # one byte per packet
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        if beginning.startswith(GET):
            assert (await answer(reader))[0] == 200
        assert await last_answer(reader) == (408, "request-timeout")


@pytest.mark.parametrize(
    "pieces",
    [
        [GET + b"GET /wait/0 HT"],
        [GET + b"\r\nG"],
        [POST + b"Content-Length: 13\r\n\r\n" + BODY + b"GET /wait/0 HTTP/1.1\r\nX: "],
        [POST + b"Content-Length: 13\r\n\r\n" + BODY[:5], BODY[5:] + b"GET /wait/0 HTTP/1.1\r\nX: "],
        [POST + b"Transfer-Encoding: chunked\r\n\r\nd\r\n" + BODY + b"\r\n0\r\n\r\nGET /wait/0 HT"],
    ],
)
async def test_a_head_that_begins_with_the_end_of_a_request_is_ended_too(start: Start, pieces: list[bytes]) -> None:
    service = await start(header_timeout_seconds=TIMEOUT_SECONDS)
    async with connection(service) as (reader, writer):
        for piece in pieces:
            writer.write(piece)
            await until(service, "http_server_active_requests", 0 if piece == pieces[-1] else 1)
        assert (await answer(reader))[0] == 200
        assert await last_answer(reader) == (408, "request-timeout")


@pytest.mark.parametrize(
    "request_",
    [
        POST + b"Content-Length: 24\r\n\r\n" + b'{"text": "a"}  \r\n\r\n     ',
        POST + b"Transfer-Encoding: chunked\r\n\r\nd\r\n" + BODY + b"\r\n0\r\n\r\n",
        GET + b"\r\n\r\n",
    ],
)
async def test_a_whole_request_begins_no_other(start: Start, request_: bytes) -> None:
    service = await start(header_timeout_seconds=TIMEOUT_SECONDS)
    async with connection(service) as (reader, writer), connection(service) as (slow, slow_writer):
        writer.write(request_)
        assert (await answer(reader))[0] == 200
        slow_writer.write(b"G")
        await slow.read()  # returns after the header timeout
        writer.write(GET)
        assert (await answer(reader))[0] == 200


@pytest.mark.parametrize(
    "request_",
    [
        GET[:-2] + b"Connection: upgrade\r\nUpgrade: foo\r\n\r\n",
        POST + b"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 13\r\n\r\n" + BODY,
        b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(GET),
    ],
)
async def test_what_comes_behind_a_wish_for_another_protocol_is_not_answered_for_another_request(
    service: Running, request_: bytes
) -> None:
    async with connection(service) as (reader, writer), asyncio.timeout(BOUND_SECONDS):
        writer.write(request_ + GET)
        _, head, _ = await answer(reader)
        assert b"\r\nConnection: close\r\n" in head
        assert await reader.read() == b""


async def test_a_connection_without_a_request_is_left_alone(start: Start) -> None:
    service = await start(header_timeout_seconds=TIMEOUT_SECONDS, body_timeout_seconds=TIMEOUT_SECONDS)
    async with connection(service) as (reader, writer), connection(service) as (slow, slow_writer):
        for _ in range(2):
            writer.write(POST + b"Content-Length: 13\r\n\r\n" + BODY)
            assert (await answer(reader))[0] == 200
            slow_writer.write(b"G")
            await slow.read()  # returns after the timeout, which must not close the idle connection


async def test_bodies_that_do_not_come_are_ended_and_take_no_place(start: Start) -> None:
    service = await start(body_timeout_seconds=TIMEOUT_SECONDS, max_in_flight=1)
    async with connection(service) as (first, writer), connection(service) as (second, other):
        for each in (writer, other):
            each.write(POST + b"Content-Length: 100\r\n\r\n{")
        assert (await service.api.post("/echo", data=BODY, headers={"Content-Type": "application/json"})).status == 200
        assert (await service.api.get("/wait/0")).status == 200
        for reader in (first, second):
            assert await last_answer(reader) == (408, "request-timeout")


async def test_a_body_that_comes_when_all_places_are_taken_is_refused_and_leaves_as_many_as_there_were(
    start: Start,
) -> None:
    service = await start(max_in_flight=1, request_timeout_seconds=BOUND_SECONDS)
    async with connection(service) as (reader, writer), connection(service) as (blocking, other):
        writer.write(POST + b"Content-Length: 13\r\n\r\n{")
        await until_active(service, 1)
        other.write(b"GET /wait/2000 HTTP/1.1\r\nHost: a\r\n\r\n")
        await until_active(service, 2)
        writer.write(BODY[1:])
        status, _, body = await answer(reader)
        assert (status, json.loads(body)["type"]) == (503, "urn:problem-type:overloaded")
        assert (await answer(blocking))[0] == 200
    statuses = [(await each).status for each in [asyncio.create_task(service.api.get("/wait/2000")) for _ in range(2)]]
    assert sorted(statuses) == [200, 503]


async def until_active(service: Running, count: int) -> None:
    """Wait until this many requests are in flight."""
    await until(service, "http_server_active_requests", count)


async def until(service: Running, gauge: str, value: float) -> None:
    """Wait until a gauge has a value."""
    async with asyncio.timeout(BOUND_SECONDS):
        while await gauge_of(service, gauge) != value:
            await asyncio.sleep(0.01)


async def gauge_of(service: Running, gauge: str) -> float:
    """Return the value of a gauge without labels."""
    lines = (await (await service.internal.get("/metrics")).text()).splitlines()
    [value] = [line.split()[1] for line in lines if line.startswith(f"{gauge} ")]
    return float(value)


async def test_connections_are_counted_with_those_that_ask_nothing(start: Start) -> None:
    service = await start()
    before = await gauge_of(service, "http_server_open_connections")
    async with connection(service), connection(service), connection(service) as (reader, writer):
        writer.write(GET)
        await answer(reader)
        await until(service, "http_server_open_connections", before + 3)
    await until(service, "http_server_open_connections", before)


async def test_large_bodies_on_their_way_share_a_bounded_room_and_small_ones_need_none(start: Start) -> None:
    service = await start(max_body_bytes=1_000_000)
    large = POST + b"Content-Length: 1000000\r\n\r\n" + b" " * 999_999
    async with AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(connection(service)) for _ in range(40)]
        for _, writer in opened:
            writer.write(large)
        answers = [asyncio.create_task(answer(reader)) for reader, _ in opened]
        async with asyncio.timeout(BOUND_SECONDS):
            refused, _ = await asyncio.wait(answers, return_when=asyncio.FIRST_COMPLETED)
        assert refused.pop().result()[0] == 503
        async with connection(service) as (reader, writer):
            for piece in (POST + b"Content-Length: 13\r\n\r\n{", BODY[1:]):
                writer.write(piece)
                await asyncio.sleep(0)
            assert (await answer(reader))[0] == 200
        for each in answers:
            each.cancel()
        await asyncio.gather(*answers, return_exceptions=True)
    async with connection(service) as (reader, writer):
        writer.write(POST + b"Content-Length: 1000000\r\n\r\n" + BODY + b" " * (1_000_000 - len(BODY)))
        assert (await answer(reader))[0] == 200


@pytest.mark.parametrize("head", [POST, b"GET /wait/0 HTTP/1.1\r\nHost: a\r\n"])
async def test_a_body_is_unpacked_no_further_than_a_body_may_be(service: Running, head: bytes) -> None:
    packing = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    bomb = b"".join([*(packing.compress(bytes(1_000_000)) for _ in range(300)), packing.flush()])
    begun = time.process_time()
    zlib.decompress(bomb, wbits=16 + zlib.MAX_WBITS)
    once = time.process_time() - begun
    begun = time.process_time()
    for _ in range(3):
        async with connection(service) as (reader, writer):
            writer.write(head + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb) + bomb)
            assert (await answer(reader))[0] == (413 if head == POST else 200)
            await service.api.get("/wait/0")
    assert time.process_time() - begun < once


async def test_a_wish_for_another_protocol_is_declined_with_the_connection(start: Start) -> None:
    service = await start(header_timeout_seconds=60, body_timeout_seconds=60)
    for pieces in (
        [GET[:-2] + b"Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n"],
        [GET[:20], GET[20:-2], b"Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n" + GET],
    ):
        async with connection(service) as (reader, writer), asyncio.timeout(BOUND_SECONDS):
            for piece in pieces:
                writer.write(piece)
                await asyncio.sleep(0)
            assert (await answer(reader))[0] == 200
            assert await reader.read() == b""


async def test_an_answer_that_is_not_read_is_given_up(start: Start) -> None:
    service = await start(request_timeout_seconds=TIMEOUT_SECONDS)
    await service.internal.get("/livez")  # opens this client's connection before the files are counted
    before = open_files()
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", service.port))
        client.send(b"GET /large/20000000 HTTP/1.1\r\nHost: a\r\n\r\n")
        async with asyncio.timeout(BOUND_SECONDS):
            while open_files() == before + 1:  # the test's own socket
                await asyncio.sleep(0.01)
            while open_files() > before + 1:
                await asyncio.sleep(0.01)


def open_files() -> int:
    """Return the number of open files and sockets of this process, in which both service and test run."""
    return len(os.listdir("/dev/fd"))


@pytest.mark.parametrize("encoding", [b"", b"Content-Encoding: gzip\r\n"])
async def test_a_body_that_breaks_in_the_middle_is_told_at_once_and_once(service: Running, encoding: bytes) -> None:
    async with connection(service) as (reader, writer):
        writer.write(POST + encoding + b"Transfer-Encoding: chunked\r\n\r\n")
        await until_active(service, 1)
        writer.write(b"not a length\r\n" + GET)
        assert await last_answer(reader) == (400, "malformed-body")


async def test_a_request_in_pieces_is_a_request(service: Running) -> None:
    async with connection(service) as (reader, writer):
        for _ in range(2):
            for piece in (POST[:10], POST[10:], b"Content-Length: 13\r\n\r", b"\n{", BODY[1:5], BODY[5:]):
                writer.write(piece)
                await asyncio.sleep(0)
            status, _, body = await answer(reader)
            assert (status, json.loads(body)["text"]) == (200, "a")


# Absolute targets whose hosts yarl cannot decode, and versions that are neither HTTP/1.0 nor HTTP/1.1.
UNREADABLE = [
    b"GET http://xn--/ HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET http://xn--\xff/ HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET http://xn--a.example/wait/0 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}",
    b"GET /wait/0\r\n\r\n",
    b"GET /wait/0 HTTP/2.0\r\nHost: a\r\n\r\n",
]


@pytest.mark.parametrize("request_", UNREADABLE)
async def test_a_request_that_cannot_be_made_is_answered_logged_counted_and_the_connection_s_last(
    service: Running, request_: bytes
) -> None:
    before = await gauge_of(service, "http_server_open_connections")
    with capture_logs() as logs:
        async with connection(service) as (reader, writer):
            writer.write(GET)
            assert (await answer(reader))[0] == 200
            writer.write(request_ + GET)
            assert await last_answer(reader) == (400, "bad-request")
    assert [line["event"] for line in logs if line["event"] != "request"] == ["bad_request"]
    await until(service, "http_server_open_connections", before)
    metrics = await (await service.internal.get("/metrics")).text()
    assert 'http_server_request_duration_seconds_count{method="_OTHER",route="unmatched",status="4xx"}' in metrics


async def test_unreadable_requests_do_not_hold_the_end_up(start: Start) -> None:
    service = await start(request_timeout_seconds=60, drain_seconds=0)
    opened = [await asyncio.open_connection("127.0.0.1", service.port) for _ in range(20)]
    for _, writer in opened:
        writer.write(UNREADABLE[0])
    service.stop.request()
    async with asyncio.timeout(BOUND_SECONDS):
        await service.served
    for _, writer in opened:
        writer.transport.abort()


async def test_an_error_of_the_server_itself_ends_the_connection_and_is_logged(
    service: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any error that ends the task of the connection has this effect; here the constructor of requests fails."""

    def broken(*_: object) -> None:
        raise RuntimeError("a secret of the inside")

    async with connection(service) as (reader, writer):
        writer.write(GET)
        assert (await answer(reader))[0] == 200
        with capture_logs() as logs, monkeypatch.context() as patch:
            patch.setattr(web.BaseRequest, "__init__", broken)
            writer.write(GET)
            async with asyncio.timeout(BOUND_SECONDS):
                assert await reader.read() == b""
    assert [line["event"] for line in logs] == ["unforeseen_error"]


# Every header that the service reads.
READ = [
    *("Accept", "Access-Control-Request-Method", "Authorization", "Connection", "Content-Encoding", "Content-Type"),
    *("Cookie", "Expect", "Host", "Idempotency-Key", "If-Match", "If-None-Match", "Origin", "traceparent"),
    *("tracestate", "Upgrade", "X-Request-ID"),
]


VALUES = [b"\xff", b"\xc3\x28", b"caf\xe9", b"\xed\xa0\x80", b'"\xff"', b"Bearer \xff", b"text/\xff; charset=\xff"]
LINES = [
    b"POST /try-again",
    b"POST /echo",
    b"GET /counter/7",
    b"OPTIONS /echo",
    b"PUT /counter",
    b"GET /caf\xe9?a=\xff",
]


@pytest.mark.parametrize("tokens", [False, True])
async def test_bytes_that_are_not_utf_8_are_no_error_of_the_service(start: Start, tokens: bool) -> None:
    async with issuer() as guard:
        service = await start(cors_origins=["*"], **(guard.settings if tokens else {}))
        with capture_logs() as logs:
            for line, header, value in product(LINES, READ, VALUES):
                async with connection(service) as (reader, writer), asyncio.timeout(BOUND_SECONDS):
                    host = b"" if header == "Host" else b"Host: a\r\n"
                    writer.write(line + b" HTTP/1.1\r\n" + host + header.encode() + b": " + value + b"\r\n")
                    writer.write(b"Content-Length: 0\r\n\r\n")
                    status, _, _ = await answer(reader)
                    assert status < 500, (line, header, value)
    assert [line for line in logs if line["log_level"] == "error"] == []


HOSTILE = [
    *UNREADABLE,
    b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GET,
    b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello" + GET,
    POST + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
    POST + b"Transfer-Encoding: xchunked\r\n\r\n",
    b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: " + b"b" * 9000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
    b"\x00\x01\x02\r\n\r\n",
    b"GET /wait/0 HTTP/1.1\r\nHo",
    POST + b"Content-Length: 100\r\n\r\n{",
    b"POST /no/such/route HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{",
    GET * 3,
    b"",
]


async def test_hostile_clients_leave_nothing_behind(start: Start) -> None:
    service = await start(header_timeout_seconds=60, body_timeout_seconds=60)  # too long to fire in this test

    async def attack(text: bytes, *, wait: bool) -> None:
        async with connection(service) as (reader, writer):
            writer.write(text)
            if wait and text not in HOSTILE[-5:]:  # the last five get no response, or keep the connection open
                await reader.read()

    await service.api.get("/wait/0")
    tasks, files = len(asyncio.all_tasks()), open_files()
    for _ in range(10):
        for wait in (True, False):
            await asyncio.gather(*(attack(text, wait=wait) for text in HOSTILE))
        async with asyncio.timeout(BOUND_SECONDS):
            while (len(asyncio.all_tasks()), open_files()) > (tasks, files):
                await asyncio.sleep(0.01)
    assert (await service.api.get("/wait/0")).status == 200


async def test_an_upload_that_has_begun_is_finished_at_the_end_and_the_idle_are_not_waited_for(start: Start) -> None:
    service = await start(drain_seconds=0)
    async with connection(service) as (reader, writer), connection(service) as (idle, _):
        writer.write(POST + b"Content-Length: 13\r\n\r\n{")
        await until_active(service, 1)
        service.stop.request()
        async with asyncio.timeout(BOUND_SECONDS):
            assert await idle.read() == b""
        assert not service.served.done()
        writer.write(BODY[1:])
        status, head, body = await answer(reader)
        assert (status, json.loads(body)["text"]) == (200, "a")
        assert b"\r\nConnection: close\r\n" in head
        async with asyncio.timeout(BOUND_SECONDS):
            await service.served


async def test_slow_clients_do_not_hold_the_end_up(start: Start) -> None:
    """All client timeouts are longer than the shutdown may take."""
    patient = {"header_timeout_seconds": 60, "body_timeout_seconds": 60, "request_timeout_seconds": 60}
    service = await start(drain_seconds=0, **patient)
    slow = (b"GET /wait/0 HTTP/1.1\r\nHo", POST + b"Content-Length: 100\r\n\r\n{", b"")
    opened = [await asyncio.open_connection("127.0.0.1", service.port) for _ in range(30)]
    for number, (_, writer) in enumerate(opened):
        writer.write(slow[number % len(slow)])
    await until_active(service, 10)
    with capture_logs() as logs:
        service.stop.request()
        async with asyncio.timeout(5):  # the documented bound after the drain, plus slack
            await service.served
    [line] = [line for line in logs if line["event"] == "connections_cut"]
    assert (line["slow_clients"], line["over_their_deadline"]) == (20, 0)  # idle connections are not counted
    for _, writer in opened:
        writer.transport.abort()


async def test_an_answer_is_waited_for_at_the_end_where_the_client_has_done_its_part(start: Start) -> None:
    """The wait is longer than for slow clients. Bytes that were sent but not read yet do not make a client slow."""
    service = await start(drain_seconds=0)
    slow = b"GET /wait/2500 HTTP/1.1\r\nHost: a\r\n"
    async with connection(service) as (first, writer), connection(service) as (second, other):
        writer.write(slow + b"\r\n")
        other.write(slow + b"Content-Length: 900000\r\n\r\n" + b" " * 900_000)
        await until_active(service, 2)
        writer.write(b"GET /wait/0 HT")
        await asyncio.sleep(0)
        service.stop.request()
        for reader in (first, second):
            assert (await answer(reader))[0] == 200
        async with asyncio.timeout(BOUND_SECONDS):
            await service.served


@pytest.mark.parametrize("count", [31, 32, 40])
async def test_requests_behind_a_body_are_answered(start: Start, count: int) -> None:
    """aiohttp's parser stops at a number of requests that are not answered, and has to go on."""
    service = await start()
    async with connection(service) as (reader, writer), asyncio.timeout(BOUND_SECONDS):
        writer.write(POST + b"Content-Length: 13\r\n\r\n" + BODY[:5])
        await until(service, "http_server_active_requests", 1)
        writer.write(BODY[5:] + count * GET)
        assert [(await answer(reader))[0] for _ in range(1 + count)] == [200] * (1 + count)
