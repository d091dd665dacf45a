"""A way to the database that can be made to fail: it hangs, breaks, or takes its time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.databases import on_port, open_raw


class ToxicProxy:
    """Hands connections on to a PostgreSQL server.

    Attributes:
        url: the database's address on the way through here.
        delay_seconds: added to each packet of either direction.
    """

    def __init__(self, url: str) -> None:
        self._server_url = url
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._passing = asyncio.Event()
        self._passing.set()
        self.url = ""
        self.delay_seconds = 0.0

    def blackhole(self) -> None:
        """From now on nothing comes through, and nobody is told: connections stay, and new ones are taken."""
        self._passing.clear()

    def heal(self) -> None:
        """Connections work again; those that lost something on the way stay as they are."""
        self._passing.set()

    def reset(self) -> None:
        """Breaks all connections."""
        for pair in self._pairs:
            for writer in pair:
                writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hands one connection on until either side ends it."""
        await self._passing.wait()
        from_server, to_server = await open_raw(self._server_url)
        pair = writer, to_server
        self._pairs.add(pair)
        directions = [asyncio.create_task(self._copy(*each)) for each in ((reader, to_server), (from_server, writer))]
        try:
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._pairs.discard(pair)
            for each in pair:
                each.transport.abort()
            for direction in directions:
                direction.cancel()
            await asyncio.gather(*directions, return_exceptions=True)  # of which one has ended by an error, maybe

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if not self._passing.is_set():
                await asyncio.Event().wait()  # for ever: what was on the way is lost
            await asyncio.sleep(self.delay_seconds)
            writer.write(data)
            await writer.drain()


@asynccontextmanager
async def toxic_proxy(url: str) -> AsyncIterator[ToxicProxy]:
    """A proxy to the database at `url`, which may be on a Unix socket."""
    proxy, tasks = ToxicProxy(url), set[asyncio.Task[None]]()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(proxy.serve(reader, writer))
        tasks.add(task)
        await asyncio.wait([task])
        tasks.discard(task)
        writer.transport.abort()

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
        proxy.url = on_port(url, server.sockets[0].getsockname()[1])
        yield proxy
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
