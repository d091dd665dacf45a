"""Limits by route, and bodies that handlers read piece by piece."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from io import BytesIO

import aiohttp
import pytest
from aiohttp import ClientSession, FormData, web
from aiohttp.test_utils import TestServer
from structlog.testing import capture_logs

from chassis.contract import Route
from chassis.service import Service
from chassis.settings import Settings
from chassis.testing.client import Client, clients_of
from tests.chassis.streaming import MEBIBYTE
from tests.chassis.test_streams import SHORT, StartClient, open_streams, streaming, until

__all__ = ["streaming"]  # a fixture
QUICK = SHORT | {"body_timeout_seconds": 0.5, "request_timeout_seconds": 1}


async def type_of(answer: aiohttp.ClientResponse) -> str:
    return str((await answer.json())["type"]).removeprefix("urn:problem-type:")


async def slowly(size: int, pieces: int, seconds: float) -> AsyncIterator[bytes]:
    """Yield a body in pieces, for this time."""
    for _ in range(pieces):
        yield b"x" * (size // pieces)
        await asyncio.sleep(seconds / pieces)


async def test_a_large_body_on_a_slow_line_succeeds(streaming: StartClient) -> None:
    """It takes several times as long as a body may arrive at any rate, and as requests of other routes may take."""
    client = await streaming(**QUICK)
    answer = await client.put("/uploads/raw", data=slowly(20 * MEBIBYTE, 30, 2))
    assert (answer.status, (await answer.json())["size"]) == (200, 20 * MEBIBYTE // 30 * 30)


@pytest.mark.parametrize("path", ["/uploads/raw", "/uploads/whole"])
async def test_a_byte_now_and_then_is_too_slow(streaming: StartClient, path: str) -> None:
    client = await streaming(**QUICK)
    answer = await client.put(path, data=slowly(40, 40, 4))
    assert (answer.status, await type_of(answer)) == (408, "request-timeout")


async def test_a_body_that_stops_in_the_middle_is_too_slow(streaming: StartClient) -> None:
    client = await streaming(**QUICK)

    async def body() -> AsyncIterator[bytes]:
        yield b"x" * MEBIBYTE
        await asyncio.sleep(3)

    answer = await client.put("/uploads/raw", data=body())
    assert (answer.status, await type_of(answer)) == (408, "request-timeout")


async def test_the_routes_size_replaces_the_services(streaming: StartClient) -> None:
    client = await streaming(max_body_bytes=MEBIBYTE)
    assert await (await client.put("/uploads/whole", data=BytesIO(b"x" * (2 * MEBIBYTE)))).json() == 2 * MEBIBYTE
    for data in (BytesIO(b"x" * (3 * MEBIBYTE)), slowly(3 * MEBIBYTE, 3, 0)):
        answer = await client.put("/uploads/whole", data=data)
        assert (answer.status, await type_of(answer)) == (413, "body-too-large")
    for data in (BytesIO(b"x" * (51 * MEBIBYTE)), slowly(51 * MEBIBYTE, 51, 0)):
        answer = await client.put("/uploads/raw", data=data)
        assert (answer.status, await type_of(answer)) == (413, "body-too-large")
    await until(lambda: not open_streams(client))


async def test_parts_are_read_as_they_arrive(streaming: StartClient) -> None:
    client = await streaming()
    form = FormData()
    form.add_field("a", BytesIO(b"x" * (20 * MEBIBYTE)), filename="../../x")
    form.add_field("b", BytesIO(), filename="empty")
    for number in range(1000):
        form.add_field(f"part-{number}", "y")
    answer = await client.post("/uploads", data=form)
    assert (await answer.json())["sizes"] == [20 * MEBIBYTE, 0, *[1] * 1000]


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (b"Content-Length: 100\r\n", b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nhel'),
        (b"Transfer-Encoding: chunked\r\n", b"zz\r\n"),
    ],
)
async def test_a_broken_upload_is_no_error_of_the_service(streaming: StartClient, head: bytes, body: bytes) -> None:
    client = await streaming()
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    start = b"POST /uploads HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    writer.write(start + head + b"\r\n" + body)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    assert not answer or answer.split()[1] in {b"400", b"408"}


_PART = b'--b\r\nContent-Disposition: form-data; name="a"\r\n'


@pytest.mark.parametrize(
    ("boundary", "body"),
    [
        ("", _PART + b"\r\nhello\r\n--b--\r\n"),
        ("; boundary=b", b""),
        ("; boundary=b", b"--b\r\n-1--b--\r\n"),
        ("; boundary=b", _PART + b"\r\nhello"),
        ("; boundary=b", _PART + b"\r\nhello\r\n--bx\r\n"),
        ("; boundary=b", _PART + b"X: " + b"x" * 9000 + b"\r\n\r\nhello\r\n--b--\r\n"),
    ],
)
async def test_a_malformed_form_is_a_400(streaming: StartClient, boundary: str, body: bytes) -> None:
    client = await streaming()
    headers = {"Content-Type": f"multipart/form-data{boundary}"}
    with capture_logs() as logs:
        answer = await client.post("/uploads", data=body, headers=headers)
        assert (answer.status, await type_of(answer)) == (400, "malformed-body")
    assert not [line for line in logs if line["log_level"] == "error"]


@pytest.mark.parametrize("line", [b"x\r\n" * 5, _PART + b"\r\nx\r\n"])
async def test_a_form_of_many_lines_leaves_turns_to_others(streaming: StartClient, line: bytes) -> None:
    client = await streaming()
    body = line * 1000 + _PART + b"\r\nx\r\n--b--\r\n"
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    sending = asyncio.create_task(client.post("/uploads", data=body, headers=headers))
    others = asyncio.create_task(take_turns())
    assert (await sending).status == 200
    others.cancel()
    assert turns > 80


async def test_a_part_that_is_not_what_it_should_be_is_a_400(streaming: StartClient) -> None:
    client = await streaming()
    form = FormData()
    form.add_field("a", BytesIO(b"\xff"))
    answer = await client.post("/uploads/texts", data=form)
    assert (answer.status, await type_of(answer)) == (400, "malformed-body")


async def test_uploads_do_not_take_places_in_flight(streaming: StartClient) -> None:
    client = await streaming(max_in_flight=1, max_streams=2)
    going_on = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"x" * 1000
        await going_on.wait()

    uploads = [asyncio.create_task(_upload(client, body())) for _ in range(2)]
    await asyncio.sleep(0.1)
    assert (await client.get("/query")).status == 200
    refused = await client.put("/uploads/raw", data=slowly(10, 2, 0.2))
    assert (refused.status, await type_of(refused)) == (503, "overloaded")
    going_on.set()
    assert await asyncio.gather(*uploads) == [200, 200]
    assert (await client.get("/query")).status == 200


async def _upload(client: Client, body: AsyncIterator[bytes]) -> int:
    return (await client.put("/uploads/raw", data=body)).status


async def test_a_route_has_a_deadline_and_places_of_its_own(streaming: StartClient) -> None:
    client = await streaming()
    began = time.perf_counter()
    late = await client.get("/wait/9")
    assert (late.status, await type_of(late)) == (503, "deadline-exceeded")
    assert time.perf_counter() - began < 5
    first = asyncio.create_task(client.get("/alone/1"))
    await asyncio.sleep(0.1)
    second = await client.get("/alone/0")
    assert (second.status, await type_of(second)) == (503, "overloaded")
    assert (await client.get("/query")).status == 200
    assert (await first).status == 200


async def test_the_digest_of_an_upload_is_right(streaming: StartClient) -> None:
    client = await streaming()
    data = b"0123456789" * 1_000_000
    answer = await (await client.put("/uploads/raw", data=BytesIO(data))).json()
    assert answer == {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


async def test_a_body_that_is_passed_on_and_is_too_slow_is_the_clients_mistake(settings: Settings) -> None:
    """And not one of the service that it is passed on to, which aiohttp's client blames."""

    async def take(request: web.Request) -> web.Response:
        return web.Response(text=str(len(await request.read())))

    other = web.Application()
    other.router.add_put("/", take)

    async with TestServer(other) as server:

        async def pass_on(request: web.Request, client: ClientSession) -> int:
            async with client.put(server.make_url("/"), data=request.content.iter_any()) as answer:
                return int(await answer.text())

        routes = [Route("PUT", "/files", pass_on, consumes=("*/*",))]
        async with clients_of(Service(settings=Settings, routes=routes), settings) as make:
            start: StartClient = make
            client = await start(**QUICK)
            assert await (await client.put("/files", data=b"x" * 1000)).json() == 1000
            answer = await client.put("/files", data=slowly(40, 40, 4))
            assert (answer.status, await type_of(answer)) == (408, "request-timeout")
