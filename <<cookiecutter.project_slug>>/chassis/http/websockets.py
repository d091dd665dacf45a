"""Messages of WebSockets: they are counted, and a flood of them lets other clients have their turn."""

import asyncio
from itertools import count
from typing import Any

from aiohttp import web

from chassis.telemetry.stream_record import StreamRecord

_COUNTED = ("receive", "pong", "send_str", "send_bytes")  # methods that count
_AT_ONCE = 32  # messages that are taken without a pause for others


def count_messages(response: web.WebSocketResponse, stream: StreamRecord) -> None:
    """Have each message of a WebSocket counted, and let others have their turn after some that came at once.

    A packet may have thousands of tiny ones, which the handler would get without a pause, and aiohttp its pings.
    """
    receive, pong, send_str, send_bytes = response.receive, response.pong, response.send_str, response.send_bytes
    received = count(1)

    async def pause() -> None:
        if not next(received) % _AT_ONCE:
            await asyncio.sleep(0)

    async def counted_pong(message: bytes = b"") -> None:
        await pause()
        await pong(message)

    async def counted_receive(timeout: float | None = None) -> Any:  # noqa: ASYNC109  (aiohttp's signature)
        await pause()  # not after the message, which a cancellation would lose
        message = await receive(timeout)
        if message.type in {web.WSMsgType.TEXT, web.WSMsgType.BINARY}:
            stream.count_message(message.data)
        return message

    async def counted_send_str(data: str, compress: int | None = None) -> None:
        await send_str(data, compress)
        stream.count_message(data)

    async def counted_send_bytes(data: bytes, compress: int | None = None) -> None:
        await send_bytes(data, compress)
        stream.count_message(data)

    counted_methods = (counted_receive, counted_pong, counted_send_str, counted_send_bytes)
    for name, counted in zip(_COUNTED, counted_methods, strict=True):
        setattr(response, name, counted)


def forget_count(response: web.StreamResponse) -> None:
    """Count no more messages of a response that has ended, as its methods refer to its record."""
    for name in _COUNTED:
        vars(response).pop(name, None)
