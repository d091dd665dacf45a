"""WebSockets: pings, bounds, and their end."""

import asyncio
import signal
import time
from typing import Any

import aiohttp
import pytest
from aiohttp import WSCloseCode, WSMsgType, web
from structlog.testing import capture_logs

from chassis.contract import Route
from chassis.service import Service
from chassis.settings import Settings
from chassis.testing.client import clients_of
from tests.chassis.issuer import issuer
from tests.chassis.streaming import echo
from tests.chassis.test_streams import (
    SHORT,
    StartClient,
    lines,
    open_streams,
    streaming,
    streaming_process,
    until,
    with_tokens,
)

__all__ = ["streaming"]  # a fixture


async def test_messages_are_counted(streaming: StartClient) -> None:
    client = await streaming()
    with capture_logs() as logs:
        async with client.ws_connect("/echo") as socket:
            await socket.send_str("hello")
            assert (await socket.receive()).data == "hello"
            await socket.send_bytes(b"123")
            assert (await socket.receive()).data == b"123"
        await until(lambda: lines(logs, "request"))
    started, ended = logs
    assert (started["event"], started["status"]) == ("stream_started", 101)
    assert (ended["status"], ended["messages"], ended["bytes"]) == (101, 4, 16)
    assert open_streams(client) == 0


async def test_the_server_pings_and_a_client_that_is_gone_is_a_499(streaming: StartClient) -> None:
    client = await streaming(stream_idle_timeout_seconds=0.6)
    with capture_logs() as logs:
        async with client.ws_connect("/echo", autoping=False) as socket:
            assert (await socket.receive()).type is WSMsgType.PING  # and no pong follows
            assert (await socket.receive()).type in {WSMsgType.CLOSED, WSMsgType.ERROR}
        [ended] = await until(lambda: lines(logs, "request"))
    assert ended["status"] == 499


async def test_a_client_that_answers_pings_stays(streaming: StartClient) -> None:
    client = await streaming(stream_idle_timeout_seconds=0.3)
    async with client.ws_connect("/echo") as socket:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):  # receive(timeout=…) begins again with each ping
                await socket.receive()
        await socket.send_str("still here")
        assert (await socket.receive()).data == "still here"


async def test_a_message_has_a_bound(streaming: StartClient) -> None:
    client = await streaming(max_body_bytes=100_000)
    async with client.ws_connect("/echo") as socket:
        await socket.send_bytes(b"x" * 99_999)
        assert len((await socket.receive()).data) == 99_999
        await socket.send_bytes(b"x" * 100_001)
        message = await socket.receive()
        assert (message.type, message.data) == (WSMsgType.CLOSE, WSCloseCode.MESSAGE_TOO_BIG)


async def test_text_that_is_not_utf_8_closes_the_socket(streaming: StartClient) -> None:
    client = await streaming()
    async with client.ws_connect("/echo") as socket:
        await socket.send_frame(b"\xff\xfe", WSMsgType.TEXT)
        assert (await socket.receive()).data == WSCloseCode.INVALID_TEXT


async def test_a_client_that_does_not_read_messages_is_cut(streaming: StartClient) -> None:
    client = await streaming(stream_send_timeout_seconds=0.5)
    with capture_logs() as logs:
        _, writer = await asyncio.open_connection("127.0.0.1", client.port, limit=1)
        writer.write(
            b"GET /small-messages?size=50000 HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MTIzNDU2Nzg5MDEyMzQ1Ng==\r\n\r\n"
        )
        [aborted] = await until(lambda: lines(logs, "stream_aborted"))
        assert aborted["reason"] == "slow-client"
        writer.close()
    await until(lambda: not open_streams(client))


async def test_the_token_is_checked_before_the_handshake_and_its_expiry_can_end_the_socket(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.http.authentication._CLOCK_SKEW_SECONDS", 0)
    routes = [Route("GET", "/echo", echo, ends_with_token=True)]
    async with issuer() as made, clients_of(Service(settings=Settings, routes=routes), settings) as make:
        client = await with_tokens(make, made.settings)
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await client.ws_connect("/echo")
        assert refused.value.status == 401
        headers = {"Authorization": f"Bearer {made.token(exp=int(time.time()) + 2)}"}
        async with client.ws_connect("/echo", headers=headers) as socket:
            message = await socket.receive(timeout=5)
            assert (message.type, message.data) == (WSMsgType.CLOSE, WSCloseCode.POLICY_VIOLATION)


async def test_a_handler_cleans_up_after_its_socket_is_closed(settings: Settings) -> None:
    cleaned = asyncio.Event()

    async def talk(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for _ in socket:
            pass
        await asyncio.sleep(0.1)
        cleaned.set()
        return socket

    async with clients_of(Service(settings=Settings, routes=[Route("GET", "/talk", talk)]), settings) as make:
        client = await make()
        async with client.ws_connect("/talk"):
            pass
        async with asyncio.timeout(5):
            await cleaned.wait()


async def test_a_handler_that_does_not_notice_the_end_of_its_socket_is_cancelled(settings: Settings) -> None:
    soon: dict[str, Any] = SHORT | {"request_timeout_seconds": 0.3}

    async def talk(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        reading = asyncio.create_task(socket.receive())
        await asyncio.Event().wait()
        await reading
        return socket

    async with clients_of(Service(settings=Settings, routes=[Route("GET", "/talk", talk)]), settings) as make:
        client = await make(**soon)
        with capture_logs() as logs:
            async with client.ws_connect("/talk"):
                assert open_streams(client) == 1
            await until(lambda: not open_streams(client))
        [ended] = [line for line in logs if line["event"] == "request"]
        assert ended["status"] == 101


@pytest.mark.parametrize("opcode", [1, 9])
async def test_a_flood_of_tiny_messages_leaves_turns_to_others(settings: Settings, opcode: int) -> None:
    messages, turns = 5000, 0

    async def talk(request: web.Request) -> web.WebSocketResponse:
        nonlocal turns
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        other = asyncio.create_task(take_turns())
        await asyncio.sleep(0.2)  # until the messages are there
        turns = 0
        async for message in socket:
            if message.data == "end":
                break
        other.cancel()
        return socket

    async def take_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async with clients_of(Service(settings=Settings, routes=[Route("GET", "/talk", talk)]), settings) as make:
        client = await make()
        async with client.ws_connect("/talk") as socket:
            connection = socket._response.connection
            assert connection
            assert connection.transport
            connection.transport.write(bytes([0x80 | opcode, 0x80, 0, 0, 0, 0]) * messages)
            await socket.send_str("end")
            while (await socket.receive()).type is not WSMsgType.CLOSED:
                pass
    assert turns > messages / 100


async def test_the_stop_closes_sockets_with_1001(database_url: str) -> None:
    async with (
        streaming_process(database_url, environment={"DRAIN_SECONDS": "0.2"}) as service,
        aiohttp.ClientSession(service.api) as client,
    ):
        quiet = [await client.ws_connect("/echo") for _ in range(20)]
        pushed = [await client.ws_connect("/small-messages?pause=0.01") for _ in range(20)]
        service.process.send_signal(signal.SIGTERM)

        async def end(socket: aiohttp.ClientWebSocketResponse) -> Any:
            while (message := await socket.receive()).type is WSMsgType.TEXT:
                pass
            return message.data

        assert {await end(socket) for socket in quiet + pushed} == {WSCloseCode.GOING_AWAY}
        with pytest.raises((aiohttp.WSServerHandshakeError, aiohttp.ClientConnectorError)):
            await client.ws_connect("/echo")
        assert await service.until_ended() == 0
    assert not [line for line in service.lines if line["event"] == "stream_aborted" or line["level"] == "error"]


async def test_others_have_their_turn_in_a_flood_of_pings(streaming: StartClient) -> None:
    client, pings = await streaming(), 20_000
    async with client.ws_connect("/echo", autoping=False) as socket:
        connection = socket._response.connection
        assert connection
        assert connection.transport
        connection.transport.write(b"\x89\x80" + bytes(4) + (b"\x89\x80" + bytes(4)) * (pings - 1))

        async def pongs() -> None:
            for _ in range(pings):
                assert (await socket.receive(timeout=10)).type is WSMsgType.PONG

        answered, ponged = asyncio.create_task(client.get("/wait/0")), asyncio.create_task(pongs())
        done, _ = await asyncio.wait({answered, ponged}, return_when=asyncio.FIRST_COMPLETED)
        assert done == {answered}
        await ponged


async def test_head_opens_no_socket(streaming: StartClient) -> None:
    client = await streaming()
    headers = {"Connection": "upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    answer = await client.head("/echo", headers=headers | {"Sec-WebSocket-Key": "MTIzNDU2Nzg5MDEyMzQ1Ng=="})
    assert (answer.status, answer.headers["Allow"]) == (405, "GET")
    assert open_streams(client) == 0
