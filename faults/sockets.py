"""Clients that no HTTP library would let one be."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Self

_BYTE_SECONDS = 1


class Dripping:
    """A connection that sends the beginning of a request, and then a byte a second until the server ends it.

    Attributes:
        ended: when the server had closed it; None while it has not.
    """

    def __init__(self, port: int, beginning: bytes) -> None:
        self._port, self._beginning = port, beginning
        self.begun = 0.0
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
        """Returns when the server has ended it."""
        await self._tasks[1]

    async def _drip(self) -> None:
        while self.ended is None:
            await asyncio.sleep(_BYTE_SECONDS)
            self._writer.write(b"x")

    async def _watch(self, reader: asyncio.StreamReader) -> None:
        with suppress(OSError):
            while await reader.read(4096):  # an answer, such as a 408, does not free the connection yet
                pass
        self.ended = time.perf_counter()


@asynccontextmanager
async def unread(port: int, question: bytes, times: int) -> AsyncIterator[None]:
    """A connection that asks more than the buffers between hold the answers of, and reads none."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.setblocking(False)
    with connection:
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
        await asyncio.get_running_loop().sock_sendall(connection, question * times)
        yield


@asynccontextmanager
async def idle(port: int, question: bytes) -> AsyncIterator[None]:
    """A keep-alive connection that has its answer and asks no more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(question)
    await reader.readuntil(b"\r\n\r\n")
    try:
        yield
    finally:
        writer.transport.abort()
