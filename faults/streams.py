"""Clients of streams, on plain sockets: they see whether a response ends completely, or is cut."""

import asyncio
import time
from typing import Self

from harness.http import request


class StreamClient:
    """A client that reads a response piece by piece.

    Attributes:
        status: of the response; 0 before its head has arrived.
        head: of the response.
        size: bytes of the body so far.
        tail: the last chunk of the body.
        error: the name of the error with which the connection has ended.
        complete: whether the mark of the end has arrived.
        ended: when the connection or the response has ended.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.status, self.head, self.size, self.tail = 0, b"", 0, b""
        self.error, self.complete = "", False
        self.ended: float | None = None

    @classmethod
    async def opened(cls, port: int, path: str) -> Self:
        """Connect, and send the request."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request("GET", path))
        return cls(reader, writer)

    async def read_head(self) -> int:
        """Read the head, and return the status.

        Raises:
            OSError, EOFError: the connection has ended before.
        """
        self.head = await self._reader.readuntil(b"\r\n\r\n")
        self.status = int(self.head[9:12])
        return self.status

    async def read_piece(self) -> bool:
        """Read a chunk. Return whether there are more.

        Raises:
            OSError, EOFError: the connection has ended in the middle of the response.
        """
        size = int(await self._reader.readuntil(b"\r\n"), 16)
        data = await self._reader.readexactly(size + 2)
        if size:
            self.size, self.tail = self.size + size, data[:-2]
        self.complete = not size
        return bool(size)

    async def read_to_the_end(self, pause_seconds: float = 0) -> None:
        """Read until the response is complete or the connection has ended."""
        try:
            if not self.status:
                await self.read_head()
            while await self.read_piece():
                if pause_seconds:
                    await asyncio.sleep(pause_seconds)
        except (OSError, EOFError) as error:
            self.error = type(error).__name__
        finally:
            self.ended = time.perf_counter()
            self.leave()

    def leave(self) -> None:
        """Disconnect at once."""
        self._writer.transport.abort()
