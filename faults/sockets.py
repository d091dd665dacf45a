"""Misbehaving clients, on plain sockets because HTTP libraries prevent such behaviour."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Self

_BYTE_SECONDS = 1
_POLL_SECONDS = 0.5
_ESTABLISHED = 1  # the first byte of TCP_INFO is the state


class Dripping:
    """A client that sends the start of a request, then one byte per second until the server closes the connection.

    Attributes:
        answer: what the server has sent.
        ended: when the server closed the connection; None before.
    """

    def __init__(self, port: int, beginning: bytes) -> None:
        self._port, self._beginning = port, beginning
        self.begun, self.answer = 0.0, b""
        self.ended: float | None = None

    async def __aenter__(self) -> Self:
        reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self.begun = time.perf_counter()
        self._writer.write(self._beginning)
        self._tasks = [asyncio.create_task(self._drip()), asyncio.create_task(self._watch(reader))]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        self._writer.transport.abort()

    async def until_ended(self) -> None:
        """Wait until the server has closed the connection."""
        await self._tasks[1]

    async def _drip(self) -> None:
        while self.ended is None:
            await asyncio.sleep(_BYTE_SECONDS)
            self._writer.write(b"x")

    async def _watch(self, reader: asyncio.StreamReader) -> None:
        with suppress(OSError):
            while received := await reader.read(4096):  # a response such as 408 does not mean that this is the end
                self.answer += received
        self.ended = time.perf_counter()


@asynccontextmanager
async def unread(port: int, question: bytes, times: int) -> AsyncIterator[None]:
    """Send requests whose responses exceed the socket buffers, and read none of them."""
    with _with_small_buffer() as connection:
        await _send(connection, port, question * times)
        yield


@asynccontextmanager
async def idle(port: int, question: bytes) -> AsyncIterator[None]:
    """Open a keep-alive connection, send one request, and stay idle after its response."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(question)
    await reader.readuntil(b"\r\n\r\n")
    try:
        yield
    finally:
        writer.transport.abort()


async def seconds_unread(port: int, question: bytes, patience: float) -> float | None:
    """Send a request and read nothing of the response.

    Returns:
        After how many seconds the server has reset the connection; None if it has not within `patience`.
    """
    with _with_small_buffer() as connection:
        await _send(connection, port, question)
        begun = time.perf_counter()
        while connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _ESTABLISHED:
            if time.perf_counter() - begun > patience:
                return None
            await asyncio.sleep(_POLL_SECONDS)
        return time.perf_counter() - begun


def _with_small_buffer() -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.setblocking(False)
    return connection


async def _send(connection: socket.socket, port: int, data: bytes) -> None:
    await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
    await asyncio.get_running_loop().sock_sendall(connection, data)
