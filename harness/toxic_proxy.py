"""A proxy to PostgreSQL that can drop, reset or delay traffic."""

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from harness.addresses import on_port, open_raw


class ToxicProxy:
    """Forwards connections to a PostgreSQL server.

    Args:
        url: the database's address, which may name a Unix socket.

    Attributes:
        url: the database's address through this proxy.
        delay_seconds: the delay of each chunk, in both directions.
        attempts: the times of connection attempts, by `time.perf_counter`.
    """

    def __init__(self, url: str) -> None:
        self._server_url = self.url = url
        self._open: set[asyncio.StreamWriter] = set()
        self._swallowed: set[asyncio.StreamWriter] = set()
        self._swallowing = self._resetting = False
        self.delay_seconds = 0.0
        self.attempts: list[float] = []

    def blackhole(self) -> None:
        """Drop all traffic from now on. Connections stay open, and new ones are accepted."""
        self._swallowing = True
        self._swallowed.update(self._open)

    def reset(self) -> None:
        """Reset all connections, and from now on new ones."""
        self._resetting = True
        for writer in tuple(self._open):
            _break(writer)

    def heal(self) -> None:
        """Make new connections work again. Traffic of the dropped ones stays dropped, and nobody is told."""
        self._swallowing = self._resetting = False
        self.delay_seconds = 0.0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one connection until either side ends it."""
        self.attempts.append(time.perf_counter())
        if self._resetting:
            _break(writer)
            return
        if self._swallowing:  # the server does not see the connection
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
        if writer not in self._swallowed:  # a dropped connection does not pass on its end either
            writer.close()


def _break(writer: asyncio.StreamWriter) -> None:
    """Reset a connection with a RST."""
    connection = writer.get_extra_info("socket")
    with suppress(OSError):  # Unix sockets do not support this
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@asynccontextmanager
async def toxic_proxy(url: str) -> AsyncIterator[ToxicProxy]:
    """Run a proxy to the database at `url` until the block ends."""
    proxy, tasks = ToxicProxy(url), set[asyncio.Task[None]]()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(proxy.serve(reader, writer))
        tasks.add(task)
        await asyncio.gather(task, return_exceptions=True)  # if the server is away, only this connection ends
        tasks.discard(task)
        writer.transport.abort()

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
        proxy.url = on_port(url, server.sockets[0].getsockname()[1])
        yield proxy
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
