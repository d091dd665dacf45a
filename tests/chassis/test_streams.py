"""Responses that are sent piece by piece: their bounds, their errors, and their end."""

import asyncio
import gc
import re
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import http_exceptions, web
from aiohttp.typedefs import Handler
from structlog.testing import capture_logs

from chassis.contract import Limits, Route, contract_of
from chassis.http.openapi import openapi_document
from chassis.project import project
from chassis.server import runner
from chassis.server.sockets import drop_dead_clients, listen
from chassis.service import Service
from chassis.settings import Settings
from chassis.telemetry.metrics import OPEN_CONNECTIONS
from chassis.testing import service_process
from chassis.testing.client import Client, clients_of
from tests.chassis.issuer import issuer
from tests.chassis.streaming import MEBIBYTE, ROUTES, send_bytes, send_events, stop_iterating

StartClient = Callable[..., Awaitable[Client]]
STREAMING = (sys.executable, "-m", "tests.chassis.streaming")
streaming_process = partial(service_process, command=STREAMING)


@pytest.fixture
async def streaming(settings: Settings) -> AsyncIterator[StartClient]:
    """A function that starts the service of `streaming` with changed settings."""
    async with clients_of(Service(settings=Settings, routes=ROUTES), settings) as make:
        yield make


async def until(found: Callable[[], Any]) -> Any:
    """Wait until a function returns something."""
    async with asyncio.timeout(10):
        while not (value := found()):
            await asyncio.sleep(0.01)
    return value


def lines(logs: list[Any], event: str) -> list[dict[str, Any]]:
    return [line for line in logs if line["event"] == event]


def open_streams(client: Client) -> int:
    [place] = [each.__self__ for each in client.application.api.on_shutdown if hasattr(each, "__self__")]
    return len(place._open)


async def metric(service: Any, client: aiohttp.ClientSession, name: str) -> float:
    text = await (await client.get(f"{service.internal}/metrics")).text()
    return sum(float(value) for value in re.findall(rf"^{re.escape(name)}(?:{{.*?}})? (\S+)$", text, re.MULTILINE))


async def test_an_export_is_sent_as_the_handler_writes_it(streaming: StartClient) -> None:
    client = await streaming(cors_origins=("https://example.com",))
    with capture_logs() as logs:
        headers = {"X-Request-ID": "export-1", "Origin": "https://example.com"}
        answer = await client.get("/bytes?count=30000", headers=headers)
        assert len(await answer.read()) == 300_000
        await until(lambda: lines(logs, "request"))
    assert answer.headers["Content-Type"] == "text/csv"
    assert answer.headers["X-Request-ID"] == "export-1"
    assert answer.headers["Server"] == "aiohttp"
    assert answer.headers["Access-Control-Allow-Origin"] == "https://example.com"
    started, ended = logs
    assert (started["event"], started["route"], started["status"]) == ("stream_started", "/bytes", 200)
    assert (ended["event"], ended["status"], ended["bytes"] > 300_000) == ("request", 200, True)


async def test_a_file_an_iterator_and_ranges_work(
    streaming: StartClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("small.bin").write_bytes(b"0123456789")
    client = await streaming()
    answer = await client.get("/files/small", headers={"Range": "bytes=2-4"})
    assert (answer.status, await answer.read(), answer.headers["Server"]) == (206, b"234", "aiohttp")
    again = await client.get("/files/small", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status, again.headers["X-Request-ID"] != "") == (304, True)
    missing = await client.get("/files/large")
    assert (missing.status, missing.content_type) == (404, "application/problem+json")
    assert await (await client.get("/iterated")).read() == b"0\n1\n2\n"
    await until(lambda: not open_streams(client))


async def test_the_deadline_counts_until_the_head_alone(streaming: StartClient) -> None:
    client = await streaming(request_timeout_seconds=0.3, **SHORT)
    late = await client.get("/later/5")
    assert (late.status, (await late.json())["type"]) == (503, "urn:problem-type:deadline-exceeded")
    assert len(await (await client.get("/bytes?count=8&pause=0.1")).read()) == 80


SHORT = {
    "body_timeout_seconds": 0.2,
    "database_acquire_timeout_seconds": 0.05,
    "database_connect_timeout_seconds": 0.05,
    "database_command_timeout_seconds": 0.15,
    "database_statement_timeout_seconds": 0.1,
    "database_lock_timeout_seconds": 0.05,
}


async def test_streams_and_requests_do_not_take_each_others_places(streaming: StartClient) -> None:
    client = await streaming(max_streams=3, max_in_flight=2)
    streams = [await client.get("/events?pause=0.05") for _ in range(3)]
    assert (await client.get("/query")).status == 200
    refused = await client.get("/events")
    assert (refused.status, (await refused.json())["type"]) == (503, "urn:problem-type:overloaded")
    assert refused.headers["Retry-After"] == "1"
    assert (await client.get("/echo")).status == 400
    streams[0].close()
    await until(lambda: open_streams(client) == 2)
    assert (await client.get("/events")).status == 200


async def test_a_refused_stream_that_is_compressed_is_a_readable_problem(settings: Settings) -> None:
    async def send_compressed(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/csv"})
        response.enable_compression()
        await response.prepare(request)
        await asyncio.Event().wait()
        return response

    routes = [Route("GET", "/compressed", send_compressed, produces="text/csv")]
    async with clients_of(Service(settings=Settings, routes=routes), settings) as make:
        client = await make(max_streams=1)
        assert (await client.get("/compressed")).status == 200
        refused = await client.get("/compressed")
        assert (refused.status, (await refused.json())["type"]) == (503, "urn:problem-type:overloaded")
        assert (await client.head("/compressed")).status == 200


async def test_head_ends_after_the_head(streaming: StartClient) -> None:
    client = await streaming()
    for path in ("/bytes", "/events", "/nothing"):
        answer = await client.head(path)
        assert (answer.status, await answer.read()) == (200, b"")
        assert "Transfer-Encoding" not in answer.headers
    assert open_streams(client) == 0


async def test_a_head_is_no_failure_of_the_handler(settings: Settings) -> None:
    @web.middleware
    async def report(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except Exception:
            return web.Response(status=500)

    service = Service(settings=Settings, routes=ROUTES, middlewares=[report])
    async with clients_of(service, settings) as make:
        assert (await (await make()).head("/bytes")).status == 200


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/bytes?fail_at=5&count=10", "internal-error"),
        ("/nothing", "idle"),
        ("/another", "internal-error"),
        ("/twice", "internal-error"),
        ("/prepared", "internal-error"),
        ("/exchanged", "internal-error"),
        ("/too-little", "internal-error"),
        ("/iterated/failing", "internal-error"),
    ],
)
@pytest.mark.parametrize("version", ["1.1", "1.0"])
async def test_an_error_after_the_head_cuts_the_connection(
    streaming: StartClient, path: str, reason: str, version: str
) -> None:
    client = await streaming()
    with capture_logs() as logs:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
        writer.write(f"GET {path} HTTP/{version}\r\nHost: a\r\nConnection: keep-alive\r\n\r\n".encode())
        received = b""
        try:
            while chunk := await reader.read(65536):
                received += chunk
            pytest.fail("the response has ended properly")
        except ConnectionResetError:
            pass
        writer.close()
        await until(lambda: lines(logs, "request"))
    assert received.count(b"HTTP/1.") <= 1
    assert b"hunter2" not in received
    assert not received.endswith(b"\r\n0\r\n\r\n")
    [aborted] = lines(logs, "stream_aborted")
    assert aborted["reason"] == reason
    [ended] = lines(logs, "request")
    assert ended["status"] == 200
    assert open_streams(client) == 0


async def test_events_that_an_iterator_yields_are_not_held_back(streaming: StartClient) -> None:
    client = await streaming()
    answer = await client.get("/iterated/stopping")
    assert (answer.headers["Cache-Control"], answer.headers["X-Accel-Buffering"]) == ("no-store", "no")


async def test_a_response_may_send_its_last_bytes_with_its_end(streaming: StartClient) -> None:
    client = await streaming()
    for _ in range(2):  # over one connection
        assert await (await client.get("/all")).read() == b"hellohello"
        assert (await client.head("/all")).headers["Content-Length"] == "10"


async def test_a_handler_goes_on_after_the_end_of_its_response(settings: Settings) -> None:
    left, went_on = asyncio.Event(), asyncio.Event()

    async def export(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write_eof()
        await left.wait()
        went_on.set()
        return response

    routes = [Route("GET", "/export", export, produces="text/csv")]
    async with clients_of(Service(settings=Settings, routes=routes), settings) as make:
        client = await make()
        with capture_logs() as logs:
            connections = OPEN_CONNECTIONS._value.get()
            reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
            writer.write(b"GET /export HTTP/1.1\r\nHost: a\r\n\r\n")
            await reader.readuntil(b"0\r\n\r\n")
            writer.transport.abort()
            await until(lambda: OPEN_CONNECTIONS._value.get() == connections)
            left.set()
            [ended] = await until(lambda: lines(logs, "request"))
        assert (went_on.is_set(), ended["status"]) == (True, 200)


async def test_a_client_that_leaves_is_a_499_and_its_handler_is_cancelled(streaming: StartClient) -> None:
    client = await streaming()
    with capture_logs() as logs:
        answer = await client.get("/nothing")
        answer.close()
        await until(lambda: lines(logs, "request"))
        for path in ("/bytes?pause=0.01", "/bytes", "/events?pause=0.01", "/iterated/stopping"):
            logs.clear()
            answer = await client.get(path)
            await answer.content.read(10)
            answer.close()
            await until(lambda: lines(logs, "request"))
            of_stream = [(line["event"], line["status"]) for line in logs if line["event"] != "event_loop_blocked"]
            assert of_stream == [("stream_started", 200), ("request", 499)]
    assert open_streams(client) == 0


@web.middleware
async def behind_a_proxy(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Correct the client's address, as aiohttp-remotes does."""
    return await handler(request.clone(remote="192.0.2.1"))


async def test_a_middleware_may_exchange_the_request(settings: Settings) -> None:
    service = Service(settings=Settings, routes=ROUTES, middlewares=[behind_a_proxy])
    async with clients_of(service, settings) as make:
        client = await make(max_streams=1)
        for _ in range(2):
            answer = await client.get("/nothing")
            assert open_streams(client) == 1
            answer.close()
            await until(lambda: not open_streams(client))
        with pytest.raises(aiohttp.ClientError):
            await (await client.get("/bytes?count=9&fail_at=5")).read()
        async with client.ws_connect("/echo") as socket:
            await socket.send_str("hello")
            assert await socket.receive_str() == "hello"
        answer = await client.put("/uploads/raw", data=BytesIO(b"x" * (3 * MEBIBYTE)))
        assert (await answer.json())["size"] == 3 * MEBIBYTE
        await until(lambda: not open_streams(client))


@pytest.mark.parametrize("path", ["/bytes?pause=0.01", "/bytes", "/events?pause=0.01", "/later/0.1"])
async def test_what_has_ended_is_freed_without_the_garbage_collector(streaming: StartClient, path: str) -> None:
    client = await streaming()
    async with without_garbage_collector():
        for _ in range(3):
            _, writer = await asyncio.open_connection("127.0.0.1", client.port)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            await asyncio.sleep(0.02)
            writer.transport.abort()


@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: 100000\r\n\r\n" + bytes(1000),  # and no more
        b"Content-Length: 10\r\n\r\n" + bytes(100_000),
        b"Transfer-Encoding: chunked\r\n\r\n3300000\r\n" + bytes(51 * MEBIBYTE),
    ],
    ids=["cut", "too short a length", "too large"],
)
async def test_an_upload_that_has_failed_is_freed_without_the_garbage_collector(
    streaming: StartClient, body: bytes
) -> None:
    client = await streaming()
    async with without_garbage_collector():
        _, writer = await asyncio.open_connection("127.0.0.1", client.port)
        writer.write(b"PUT /uploads/raw HTTP/1.1\r\nHost: a\r\nContent-Type: a/b\r\nConnection: close\r\n" + body)
        with suppress(ConnectionError):
            await writer.drain()
        await asyncio.sleep(0.05)
        writer.transport.abort()


@pytest.mark.parametrize("path", ["/echo", "/small-messages?size=5&pause=0.01"])
async def test_a_web_socket_that_is_left_is_freed_without_the_garbage_collector(
    streaming: StartClient, path: str
) -> None:
    client = await streaming()
    async with without_garbage_collector(tasks=False):
        for _ in range(3):
            socket = await client.ws_connect(path)
            connection = socket._response.connection
            assert connection
            assert connection.transport
            connection.transport.abort()


@asynccontextmanager
async def without_garbage_collector(*, tasks: bool = True) -> AsyncIterator[None]:
    """Wait at the end of the block until no request of the block is in memory, and no task that has handled one.

    Args:
        tasks: False if a timer has to be left out of account that is cancelled: the event loop of the tests keeps it.
    """

    def ended() -> list[Any]:
        return [
            each
            for each in gc.get_objects()
            if isinstance(each, web.BaseRequest | http_exceptions.HttpProcessingError)
            or (tasks and isinstance(each, asyncio.Task) and "_handle_request" in repr(each))
        ]

    gc.collect()
    known = {id(each) for each in ended()}
    gc.disable()
    try:
        yield
        async with asyncio.timeout(5):
            while [each for each in ended() if id(each) not in known]:
                await asyncio.sleep(0.05)
    finally:
        gc.enable()


async def test_the_slowest_readers_are_cut_while_too_much_is_unsent(
    streaming: StartClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "_MAX_UNSENT_BYTES", 10_000)
    client = await streaming()
    with capture_logs() as logs:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.port, limit=1)
        writer.write(b"GET /bytes?size=200000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await until(lambda: lines(logs, "request"))
    [aborted] = lines(logs, "stream_aborted")
    assert aborted["reason"] == "slow-client"
    [ended] = lines(logs, "request")
    assert ended["status"] == 200
    with pytest.raises(ConnectionResetError):  # not an end, which would wait until the client has read
        await reader.read(-1)
    writer.close()


async def test_a_client_that_does_not_read_is_cut(streaming: StartClient) -> None:
    client = await streaming(stream_send_timeout_seconds=0.5)
    with capture_logs() as logs:
        answer = await client.get("/bytes?size=100000")
        await answer.content.read(10)
        await until(lambda: lines(logs, "request"))
    [aborted] = lines(logs, "stream_aborted")
    assert aborted["reason"] == "slow-client"
    assert open_streams(client) == 0


async def test_a_client_that_reads_slowly_is_not_cut(streaming: StartClient) -> None:
    """It reads for several times as long as it may read nothing, and as a plain response may take."""
    client = await streaming(stream_send_timeout_seconds=0.5, request_timeout_seconds=1, **SHORT)
    answer = await client.get("/bytes?size=100000&count=100")
    size = 0
    while chunk := await answer.content.read(1_000_000):
        size += len(chunk)
        await asyncio.sleep(0.05)
    assert size == 10_000_000


def test_the_openapi_document_tells_media_types_and_refusals() -> None:
    document = openapi_document(ROUTES, project())
    operations = {path: next(iter(methods.values())) for path, methods in document["paths"].items()}
    assert operations["/bytes"]["responses"]["200"]["content"] == {"text/csv": {}}
    assert operations["/events"]["responses"]["200"]["content"] == {"text/event-stream": {}}
    assert "200" not in operations["/echo"]["responses"]
    assert "101" in operations["/echo"]["responses"]
    assert "shutting-down" in operations["/bytes"]["responses"]["503"]["$ref"]


def test_a_route_says_which_media_type_a_stream_has() -> None:
    with pytest.raises(TypeError, match=re.escape('Route(…, produces="text/csv")')):
        contract_of(Route("GET", "/", send_bytes))


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("idle_seconds", 0, "a number of more than 0, and is 0"),
        ("deadline_seconds", "60", "a number of more than 0, and is '60'"),
        ("in_flight", 0.5, "a whole number of more than 0, and is 0.5"),
        ("body_bytes", True, "a whole number of more than 0, and is True"),
    ],
)
def test_a_limit_is_a_number(name: str, value: Any, rule: str) -> None:
    with pytest.raises(ValueError, match=f"{name} should be {rule}"):
        Limits(**{name: value})


async def test_a_stream_takes_no_idempotency_key(settings: Settings) -> None:
    routes = [Route("POST", "/exports", send_bytes, produces="text/csv")]
    async with clients_of(Service(settings=Settings, routes=routes), settings) as make:
        answer = await (await make()).post("/exports", headers={"Idempotency-Key": "a"})
        [wrong] = (await answer.json())["errors"]
        assert (answer.status, wrong["parameter"]) == (422, "Idempotency-Key")


async def with_tokens(start: StartClient, settings: dict[str, Any]) -> Client:
    return await start(**settings)


async def test_a_stream_ends_with_the_token_if_the_route_says_so(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.http.authentication._CLOCK_SKEW_SECONDS", 0)
    routes = [
        Route("GET", "/ends", send_events, produces="text/event-stream", ends_with_token=True),
        Route("GET", "/cut", send_bytes, produces="text/csv", ends_with_token=True),
        Route("GET", "/returned", stop_iterating, produces="text/event-stream", ends_with_token=True),
    ]
    async with (
        issuer() as made,
        clients_of(Service(settings=Settings, routes=routes), settings) as make,
    ):
        client = await with_tokens(make, made.settings)
        assert (await client.get("/ends")).status == 401
        headers = {"Authorization": f"Bearer {made.token(exp=int(time.time()) + 2)}"}
        answer = await client.get("/ends?pause=0.1", headers=headers)
        async with asyncio.timeout(5):
            assert (await answer.read()).endswith(b"\n\n")
        for path in ("/cut?pause=0.1", "/returned"):
            headers = {"Authorization": f"Bearer {made.token(exp=int(time.time()) + 2)}"}
            cut = await client.get(path, headers=headers)
            async with asyncio.timeout(5):
                with pytest.raises(aiohttp.ClientPayloadError):
                    await cut.read()


async def test_the_stop_ends_events_at_once_and_lets_exports_finish(database_url: str) -> None:
    environment = {"DRAIN_SECONDS": "0.5", "STREAM_IDLE_TIMEOUT_SECONDS": "60"}
    async with (
        streaming_process(database_url, environment=environment) as service,
        aiohttp.ClientSession(service.api) as client,
    ):
        events = [await client.get("/events?pause=0.05") for _ in range(20)]
        export = await client.get("/bytes?count=20&pause=0.1")
        service.process.send_signal(signal.SIGTERM)
        await service.until_logged("draining")
        refused = await client.get("/events")
        assert (refused.status, refused.headers["Connection"]) == (503, "close")
        assert (await refused.json())["type"] == "urn:problem-type:shutting-down"
        for each in events:
            assert (await each.read()).endswith(b"\n\n")
        assert not export.content.at_eof()
        assert len(await export.read()) == 200
        assert await service.until_ended() == 0
    assert not [line for line in service.lines if line["event"] == "stream_aborted" or line["level"] == "error"]


async def test_an_export_that_outlasts_the_stop_is_cut_and_not_ended(database_url: str) -> None:
    environment = {name.upper(): str(value) for name, value in SHORT.items()} | {"DRAIN_SECONDS": "0"}
    async with (
        streaming_process(database_url, environment=environment | {"REQUEST_TIMEOUT_SECONDS": "0.5"}) as service,
        aiohttp.ClientSession(service.api) as client,
    ):
        export = await client.get("/bytes?pause=0.05")
        service.process.send_signal(signal.SIGTERM)
        with pytest.raises(aiohttp.ClientPayloadError):
            await export.read()
        assert await service.until_ended() == 0
    [aborted] = [line for line in service.lines if line["event"] == "stream_aborted"]
    assert aborted["reason"] == "shutdown"


async def test_a_handler_that_ignores_its_cancellation_does_not_keep_the_process(database_url: str) -> None:
    environment = {name.upper(): str(value) for name, value in SHORT.items()} | {"DRAIN_SECONDS": "0"}
    async with (
        streaming_process(database_url, environment=environment | {"REQUEST_TIMEOUT_SECONDS": "0.5"}) as service,
        aiohttp.ClientSession(service.api) as client,
    ):
        left = await client.get("/never-ending")
        left.close()
        stays = await client.get("/never-ending")
        service.process.send_signal(signal.SIGTERM)
        with pytest.raises(aiohttp.ClientError):
            await stays.read()
        assert await service.until_ended() == 0


async def test_a_client_that_does_not_read_takes_little_of_the_kernels_memory(database_url: str) -> None:
    environment = {"STREAM_SEND_TIMEOUT_SECONDS": "0.5"}
    async with streaming_process(database_url, environment=environment) as service:
        _, writer = await asyncio.open_connection("127.0.0.1", service.port, limit=1)
        writer.write(b"GET /bytes?size=100000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        ended = await service.until_logged("request")
        writer.transport.abort()
    assert ended["bytes"] < 2 * MEBIBYTE  # in the buffers of this process, of the kernel and of the client


async def test_metrics_tell_streams_from_requests(database_url: str) -> None:
    async with streaming_process(database_url) as service, aiohttp.ClientSession() as client:
        events = await client.get(f"{service.api}/events?pause=0.05")
        assert await metric(service, client, "http_server_active_streams") == 1
        assert await metric(service, client, "http_server_active_requests") == 0
        assert await metric(service, client, "http_server_request_duration_seconds_count") == 1
        events.close()
        async with asyncio.timeout(5):
            while await metric(service, client, "http_server_active_streams"):
                await asyncio.sleep(0.02)
        with pytest.raises(aiohttp.ClientError):
            await (await client.get(f"{service.api}/bytes?count=9&fail_at=5")).read()
        text = await (await client.get(f"{service.internal}/metrics")).text()
    labels = 'method="GET",outcome="client_closed",route="/events"'
    assert f"http_server_stream_duration_seconds_count{{{labels}}} 1.0" in text
    assert 'http_server_streams_aborted_total{method="GET",reason="internal-error",route="/bytes"} 1.0' in text


async def test_the_span_of_a_stream_lasts_until_its_end_and_tells_why_it_was_cut(database_url: str) -> None:
    environment = {"OTEL_TRACES_EXPORTER": "console"}
    async with (
        streaming_process(database_url, environment=environment) as service,
        aiohttp.ClientSession(service.api) as client,
    ):
        await (await client.get("/bytes?count=3&pause=0.1")).read()
        with pytest.raises(aiohttp.ClientError):
            await (await client.get("/nothing")).read()
        service.process.terminate()
        assert await service.until_ended() == 0
    spans = {line["name"]: line for line in service.lines if line.get("kind") == "SpanKind.SERVER"}
    exported, idle = spans["GET /bytes"], spans["GET /nothing"]
    begin, end = (datetime.fromisoformat(exported[name]) for name in ("start_time", "end_time"))
    assert (end - begin).total_seconds() > 0.3
    assert exported["status"]["status_code"] == "UNSET"
    assert (idle["status"]["status_code"], idle["attributes"]["error.type"]) == ("ERROR", "idle")


def test_a_client_that_has_lost_its_network_is_dropped() -> None:
    """The kernel does it: the option of a listening socket holds for its connections."""
    with listen("127.0.0.1", 0) as listening:
        drop_dead_clients(listening)
        with socket.create_connection(listening.getsockname()), listening.accept()[0] as connection:
            option = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
    assert option == 60_000
