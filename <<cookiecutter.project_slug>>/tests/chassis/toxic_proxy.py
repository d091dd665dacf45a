"""A way to the database that can be made to fail: it swallows, breaks, or takes its time."""

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tests.databases import on_port, open_raw


class ToxicProxy:
    """Hands connections on to a PostgreSQL server.

    Args:
        url: the database's address, which may name a Unix socket.

    Attributes:
        url: the database's address on the way through here.
        delay_seconds: added to each piece of either direction.
        attempts: when it was connected to, by `time.perf_counter`.
    """

    def __init__(self, url: str) -> None:
        self._server_url = self.url = url
        self._open: set[asyncio.StreamWriter] = set()
        self._swallowed: set[asyncio.StreamWriter] = set()
        self._swallowing = self._resetting = False
        self.delay_seconds = 0.0
        self.attempts: list[float] = []

    def blackhole(self) -> None:
        """From now on nothing comes through, and nobody is told: connections stay, and new ones are taken."""
        self._swallowing = True
        self._swallowed.update(self._open)

    def reset(self) -> None:
        """Breaks all connections, and new ones."""
        self._resetting = True
        for writer in tuple(self._open):
            _break(writer)

    def heal(self) -> None:
        """New connections work again. Those that were swallowed stay so: who has them does not hear of the end."""
        self._swallowing = self._resetting = False
        self.delay_seconds = 0.0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hands one connection on until either side ends it."""
        self.attempts.append(time.perf_counter())
        if self._resetting:
            _break(writer)
            return
        if self._swallowing:  # the server does not even hear that somebody calls
            await reader.read()
            return
        from_server, to_server = await open_raw(self._server_url)
        ends = {writer, to_server}
        self._open |= ends
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._copy(reader, to_server))
                both.create_task(self._copy(from_server, writer))
        finally:
            self._open -= ends
            self._swallowed -= ends
            to_server.transport.abort()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await asyncio.sleep(self.delay_seconds)
                if writer not in self._swallowed:
                    writer.write(data)
                    await writer.drain()
        if writer not in self._swallowed:  # where nothing arrives, neither does an end
            writer.close()


def _break(writer: asyncio.StreamWriter) -> None:
    """Ends a connection with a RST."""
    connection = writer.get_extra_info("socket")
    with suppress(OSError):  # a Unix socket has no such thing
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@asynccontextmanager
async def toxic_proxy(url: str) -> AsyncIterator[ToxicProxy]:
    """A proxy to the database at `url` for as long as the block runs."""
    proxy, tasks = ToxicProxy(url), set[asyncio.Task[None]]()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(proxy.serve(reader, writer))
        tasks.add(task)
        await asyncio.gather(task, return_exceptions=True)  # where the server is away, the connection ends
        tasks.discard(task)
        writer.transport.abort()

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
        proxy.url = on_port(url, server.sockets[0].getsockname()[1])
        yield proxy
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
