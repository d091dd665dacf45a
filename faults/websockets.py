"""A WebSocket client on a plain socket, because libraries do not let a client break the protocol (RFC 6455)."""

import asyncio
import os
from typing import NamedTuple, Self

from harness.http import request

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
ABNORMAL = 1006
"""The code for a connection that has ended without a close frame."""
_FINAL, _MASKED = 0x80, 0x80


class Frame(NamedTuple):
    """A frame of the server's."""

    kind: int
    payload: bytes


def frame(kind: int, payload: bytes = b"", *, masked: bool = True) -> bytes:
    """Encode a frame of a client's. Its mask is 0, so that the payload is sent as it is."""
    size, mask_bit = len(payload), _MASKED if masked else 0
    if size < 126:
        length = bytes([mask_bit | size])
    elif size < 2**16:
        length = bytes([mask_bit | 126]) + size.to_bytes(2)
    else:
        length = bytes([mask_bit | 127]) + size.to_bytes(8)
    return bytes([_FINAL | kind]) + length + (bytes(4) if masked else b"") + payload


class WebSocket:
    """A connection whose handshake is complete."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    @property
    def streams(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The connection, for a client that does not want frames one by one."""
        return self._reader, self.writer

    @classmethod
    async def opened(cls, port: int, path: str) -> Self:
        """Connect, and complete the handshake.

        Raises:
            ConnectionRefusedError: the response is another one; the message is its status line.
        """
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(handshake(path))
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101 "):
            writer.transport.abort()
            raise ConnectionRefusedError(head.partition(b"\r\n")[0].decode())
        return cls(reader, writer)

    async def receive(self) -> Frame:
        """Receive a frame.

        Raises:
            OSError, EOFError: the connection has ended.
        """
        first, length = await self._reader.readexactly(2)
        if length >= 126:
            length = int.from_bytes(await self._reader.readexactly(2 if length == 126 else 8))
        return Frame(first & 0xF, await self._reader.readexactly(length))

    async def until_closed(self, *, answer: bool = True) -> int:
        """Receive all frames until a close frame, and answer pings and that. Return its code, or `ABNORMAL`."""
        try:
            while True:
                kind, payload = await self.receive()
                if kind == CLOSE:
                    if answer:
                        self.writer.write(frame(CLOSE, payload[:2]))
                    return int.from_bytes(payload[:2])
                if kind == PING and answer:
                    self.writer.write(frame(PONG, payload))
        except (OSError, EOFError):
            return ABNORMAL
        finally:
            self.leave()

    def leave(self) -> None:
        """Disconnect after what is written."""
        self.writer.close()


def handshake(path: str) -> bytes:
    """Encode the request that opens a WebSocket."""
    key = os.urandom(16).hex()[:22] + "=="
    return request(
        "GET", path, Upgrade="websocket", Connection="Upgrade", Sec_WebSocket_Version="13", Sec_WebSocket_Key=key
    )
