"""Mutated requests on raw connections, with bytes that no client library sends."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterator
from random import Random

import asyncpg
import pytest
from structlog.testing import capture_logs

from tests.chassis.conftest import Running, Start

# The nightly run sets more. The seed is fixed.
COUNT = int(os.environ.get("FUZZ_HEADS", "5000"))
pytestmark = pytest.mark.timeout(180 + COUNT // 100)
AT_A_TIME = 40
TIMEOUT_SECONDS = 0.5
BOUND_SECONDS = 20  # two timeouts, one after the other, and slack for a slow machine

HEADERS = [
    b"Accept: application/json",
    b"Authorization: Bearer abc.def.ghi",
    b"Connection: keep-alive",
    b"Content-Encoding: identity",
    b"Cookie: a=b",
    b"Expect: 100-continue",
    b'If-Match: "7-a"',
    b'If-None-Match: W/"7-a", "8-a"',
    b"Origin: https://example.com",
    b"Access-Control-Request-Method: POST",
    b"Range: bytes=0-1",
    b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    b"Upgrade: h2c",
    b"X-Forwarded-For: 10.0.0.1",
    b"X-Request-ID: fuzz-1",
]
JSON = b"Content-Type: application/json\r\n"
REQUESTS = [
    b"GET /search?word=a&most=2 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET http://example.com/search?word=a HTTP/1.1\r\nHost: example.com\r\n\r\n",
    b"GET http://xn--/ HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /counter/7 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /no/such/route?a=%C3%A9 HTTP/1.1\r\nHost: a:80\r\n\r\n",
    b"GET /docs HTTP/1.0\r\n\r\n",
    b"DELETE /nothing HTTP/1.1\r\nHost: a\r\n\r\n",
    b"OPTIONS /echo HTTP/1.1\r\nHost: a\r\n\r\n",
    b"PUT /counter HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /echo HTTP/1.1\r\nHost: a\r\n" + JSON + b'Content-Length: 13\r\n\r\n{"text": "a"}',
    b"POST /echo HTTP/1.1\r\nHost: a\r\n" + JSON + b'Transfer-Encoding: chunked\r\n\r\nd\r\n{"text": "a"}\r\n0\r\n\r\n',
    b"PUT /notes/1?word=a HTTP/1.1\r\nHost: a\r\n" + JSON + b'Content-Length: 13\r\n\r\n{"text": "a"}',
    b'POST /search-and-write?word=a HTTP/1.1\r\nHost: a\r\nIdempotency-Key: "k"\r\nContent-Length: 0\r\n\r\n',
]
PIECES = [
    *(bytes([byte]) for byte in b'\x00\x01\t\n\r\x7f\x80\xff "#%&+,/:;=?@\\'),
    *(b"\xc3\x28", b"\xed\xa0\x80", b"%00", b"%ff", b"%", b"\r\n", b"\r\n ", b"\r\n\r\n", b"//", b"/../"),
    *(b"xn--", b"http://xn--/", b"http://[", b"http://a:99999/", b"*", b"CONNECT", b"HTTP/1.0", b"HTTP/9.9"),
    *(b"-1", b"0x10", b"99999999999999999999", b"gzip", b"chunked, chunked", b"100-\xff", b"a" * 300),
]


def mutated(random: Random) -> bytes:
    """Return a request with random additional headers and with random bytes replaced, inserted, removed or repeated."""
    line, _, rest = random.choice(REQUESTS).partition(b"\r\n")
    more = b"".join(header + b"\r\n" for header in random.sample(HEADERS, random.randrange(4)))
    text = bytearray(line + b"\r\n" + more + rest)
    for _ in range(random.randrange(4)):
        start = random.randrange(len(text) + 1)
        end = min(len(text), start + random.randrange(1, 12))
        how = random.randrange(6)
        if how == 0:
            text[start:start] = random.choice(PIECES)
        elif how == 1:
            text[start:end] = random.choice(PIECES)
        elif how == 2:
            del text[start:end]
        elif how == 3:
            text[end:end] = text[start:end]
        elif how == 4:
            text[start : start + 1] = bytes([random.randrange(256)])
        else:  # the whole value of a header
            values = [found.span(1) for found in re.finditer(rb"\r\n[\w-]+: ([^\r\n]*)", text)]
            if values:
                start, end = random.choice(values)
                text[start:end] = random.choice(PIECES)
    return bytes(text)


def answers(received: bytes) -> Iterator[tuple[int, str]]:
    """Yield the status and request id of each response.

    Raises:
        AssertionError: there are other bytes between the responses, or after the last one.
    """
    while received:
        head, end, rest = received.partition(b"\r\n\r\n")
        assert end, received
        line, *lines = head.split(b"\r\n")
        assert re.fullmatch(rb"HTTP/1\.[01] \d\d\d [ -~]+", line), received
        assert all(re.fullmatch(rb"[\w-]+: [\t -~]*", each) for each in lines), received
        status = int(line.split()[1])
        headers = {name.lower(): value for name, _, value in (each.partition(b": ") for each in lines)}
        length = 0 if status in {100, 204, 304} else int(headers[b"content-length"])
        assert len(rest) >= length, received
        received = rest[length:]
        if status != 100:
            yield status, headers[b"x-request-id"].decode()


def is_answered(received: bytes, request_id: str) -> bool:
    """Return whether the complete response to a request has arrived."""
    if request_id.encode() not in received:
        return False
    try:
        return request_id in {answered for _, answered in answers(received)}
    except AssertionError:  # an incomplete response
        return False


async def exchange(service: Running, number: int, request: bytes) -> None:
    """Send a request and then a valid one on the same connection, and check the responses.

    The valid request is answered as if sent alone, or the connection ends within the timeouts for slow clients.
    """
    proof = f"proof-{number}"
    follower = f"GET /search?word={proof} HTTP/1.1\r\nHost: a\r\nX-Request-ID: {proof}\r\n\r\n".encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    received = b""
    try:
        async with asyncio.timeout(BOUND_SECONDS):
            writer.write(request + follower)
            while not is_answered(received, proof) and (piece := await reader.read(65536)):
                received += piece
        found = list(answers(received))
        assert [status for status, _ in found if status >= 500] == []
        assert [request_id for _, request_id in found].count(proof) <= 1
    except ConnectionResetError:
        pass  # the service closed the connection before it had read everything
    except (AssertionError, TimeoutError, KeyError) as error:
        raise AssertionError(f"{request!r}\nwas answered: {received!r}\n{error!r}") from error
    finally:
        writer.transport.abort()


@pytest.fixture
async def service(start: Start, database_url: str) -> AsyncIterator[Running]:
    """The example with short timeouts."""
    connection = await asyncpg.connect(database_url)
    await connection.execute("CREATE TABLE notes (text text)")
    yield await start(
        header_timeout_seconds=TIMEOUT_SECONDS,
        body_timeout_seconds=TIMEOUT_SECONDS,
        max_in_flight=1000,
        cors_origins=["*"],
    )
    await connection.execute("DROP TABLE notes")
    await connection.close()


async def test_no_request_is_a_500_or_hangs_or_shifts_the_answers(
    service: Running, caplog: pytest.LogCaptureFixture
) -> None:
    random = Random(1)
    requests = enumerate(mutated(random) for _ in range(COUNT))

    failures: list[str] = []

    async def attack() -> None:
        for number, request in requests:
            try:
                await exchange(service, number, request)
            except AssertionError as error:
                failures.append(str(error))

    with capture_logs() as logs:
        await asyncio.gather(*(attack() for _ in range(AT_A_TIME)))
    assert failures == []
    assert [line for line in logs if line["log_level"] in {"error", "critical"}] == []
    assert [record.getMessage() for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}] == []
    async with asyncio.timeout(BOUND_SECONDS):
        while "http_server_open_connections 1.0" not in await (await service.internal.get("/metrics")).text():
            await asyncio.sleep(0.01)
