"""A TCP proxy between the service and its database that can be toxic."""

import asyncio
import socket
import struct
import time
from contextlib import suppress
from enum import Enum, auto

_CHUNK = 65536


class Toxin(Enum):
    """What becomes of connections."""

    NONE = auto()
    BLACKHOLE = auto()
    RESET = auto()


class Proxy:
    """Passes bytes to a port and back.

    Attributes:
        connected: when connections were opened.
        latency: seconds that each piece waits, in both directions.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._toxin = Toxin.NONE
        self._writers: dict[asyncio.StreamWriter, None] = {}
        self._blackholed: set[asyncio.StreamWriter] = set()
        self.connected: list[float] = []
        self.latency = 0.0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1")
        self.port: int = self._server.sockets[0].getsockname()[1]

    @property
    def url(self) -> str:
        """The database's address through it."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/items?sslmode=disable"

    def poison(self, toxin: Toxin) -> None:
        """Does something to all connections there are, for good, and to new ones until it is `cured`."""
        self._toxin = toxin
        if toxin is Toxin.BLACKHOLE:
            self._blackholed.update(self._writers)
        elif toxin is Toxin.RESET:
            for writer in [*self._writers]:
                _reset(writer)

    def cure(self) -> None:
        """Lets new connections pass. Those that were blackholed stay so: who lost them does not hear of the end."""
        self._toxin = Toxin.NONE
        self.latency = 0.0

    async def end(self) -> None:
        self._server.close()
        for writer in [*self._writers]:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connected.append(time.perf_counter())
        if self._toxin is Toxin.RESET:
            _reset(writer)
            return
        try:
            to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            _reset(writer)
            return
        ends = (writer, to_writer)
        self._writers |= dict.fromkeys(ends)
        if self._toxin is Toxin.BLACKHOLE:
            self._blackholed.update(ends)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass(reader, to_writer))
                both.create_task(self._pass(to_reader, writer))
        finally:
            for each in ends:
                self._writers.pop(each, None)
                self._blackholed.discard(each)
                each.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await reader.read(_CHUNK):
                await asyncio.sleep(self.latency)
                if writer not in self._blackholed:
                    writer.write(piece)
                    await writer.drain()
            if writer not in self._blackholed:  # where nothing arrives, neither does an end
                writer.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Ends a connection with a RST."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
