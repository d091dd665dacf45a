"""Plain responses are written in one go, and the client gets the same bytes as from aiohttp itself."""

import asyncio
import re
from typing import Any

import pytest
from aiohttp import web

from chassis.server import connection
from chassis.server.runner import _Server
from tests.chassis.conftest import Running, Start

EXCHANGES = {
    "a read": b"GET /counter/7 HTTP/1.1\r\nHost: a\r\n\r\n",
    "an empty list": b"GET /search?word= HTTP/1.1\r\nHost: a\r\n\r\n",
    "a large answer": b"GET /large/200000 HTTP/1.1\r\nHost: a\r\n\r\n",
    "a problem": b"GET /missing HTTP/1.1\r\nHost: a\r\n\r\n",
    "a creation": b"POST /echo-at HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    b'Content-Length: 12\r\n\r\n{"text":"a"}',
    "no content": b"DELETE /nothing HTTP/1.1\r\nHost: a\r\n\r\n",
    "not modified": b"GET /counter/7 HTTP/1.1\r\nHost: a\r\nIf-None-Match: *\r\n\r\n",
    "a head": b"HEAD /counter/7 HTTP/1.1\r\nHost: a\r\n\r\n",
    "a client's last request": b"GET /counter/7 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "HTTP/1.0": b"GET /counter/7 HTTP/1.0\r\n\r\n",
    "HTTP/1.0 with keep-alive": b"GET /counter/7 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
}


@pytest.mark.parametrize("request_bytes", EXCHANGES.values(), ids=EXCHANGES.keys())
async def test_an_answer_is_what_aiohttp_would_have_sent(
    service: Running, request_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = await exchange(service, request_bytes)
    monkeypatch.setattr(connection, "is_plain", lambda *_: False)
    assert here == await exchange(service, request_bytes)


async def test_most_answers_are_ordinary(service: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []

    async def write(response: object, _: object) -> None:
        written.append(response)
        raise ConnectionError

    monkeypatch.setattr(connection, "write_plain", write)
    for name in ("a read", "a problem", "a creation"):
        assert await exchange(service, EXCHANGES[name]) == ([], b"", True)
    assert len(written) == 3


@pytest.mark.parametrize("name", ["a read", "a problem", "no content"])
async def test_the_signal_on_response_prepare_fires_for_every_response(start: Start, name: str) -> None:
    async def add_header(_: web.Request, response: web.StreamResponse) -> None:
        response.headers["X-Prepared"] = "yes"

    service = await start(configure=lambda api: api.on_response_prepare.append(add_header))
    lines, _, _ = await exchange(service, EXCHANGES[name])
    assert b"X-Prepared: yes" in lines


async def test_a_client_that_does_not_read_gets_no_further_answers(
    service: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, looks = list[int](), asyncio.Semaphore(0)

    def look(server: Any) -> None:
        held.extend(each.unsent_bytes for each in server.connections if each.unsent_bytes)
        looks.release()

    monkeypatch.setattr(_Server, "_limit_unsent", look)
    _, writer = await asyncio.open_connection("127.0.0.1", service.port, limit=1)
    writer.write(2_000 * b"GET /large/30000 HTTP/1.1\r\nHost: a\r\n\r\n")  # the responses would be 60 MB
    async with asyncio.timeout(30):
        while len(held) < 2 or held[-1] != held[-2]:
            await looks.acquire()
    assert held[-1] < 1_000_000
    writer.transport.abort()


async def exchange(service: Running, request: bytes) -> tuple[list[bytes], bytes, bool]:
    """Return the sorted head lines without varying values, the content, and whether the connection was closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    # The response to this second request marks the end of the first one, unless the first one closes the connection.
    writer.write(request + b"GET /readable HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Request-ID: last\r\n\r\n")
    sent = await reader.read(-1)
    writer.close()
    first, separator, _ = sent.rpartition(b"HTTP/1.1 404 Not Found\r\n")
    head, _, content = (first if separator else sent).partition(b"\r\n\r\n")
    lines = [_OWN.sub(rb"\1", line) for line in head.split(b"\r\n") if line]
    return sorted(lines), content.partition(b'"request_id"')[0], not separator


_OWN = re.compile(rb"(Date|X-Request-ID): .+")
