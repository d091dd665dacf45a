"""Hostile requests, and the responses that each should get."""

import asyncio
import re
from contextlib import suppress
from typing import NamedTuple

_PATIENCE_SECONDS = 10
_MOST = 65536


class Kind(NamedTuple):
    """A kind of hostile client.

    Attributes:
        pieces: the bytes to send. Each piece is sent after the response to the one before.
        statuses: the allowed sequences of response statuses. If empty, the client disconnects before a response.
    """

    name: str
    pieces: tuple[bytes, ...]
    statuses: tuple[tuple[bytes, ...], ...] = ()


_POST = b"POST /v1/items HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
_GET = b"GET /v1/items HTTP/1.1\r\nHost: localhost\r\n"
_BODY = b'{"name": "Lamp", "price_cents": 1999}'
_CHUNKED = _POST + b"Transfer-Encoding: chunked\r\n\r\n"
_BAD = ((b"400",),)

KINDS = (
    Kind(
        "both lengths",
        (_POST + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG" + _GET + b"\r\n",),
        _BAD,
    ),
    Kind("two lengths", (_POST + b"Content-Length: 5\r\nContent-Length: 37\r\n\r\n" + _BODY,), _BAD),
    Kind("bad chunk", (_CHUNKED + b"zz\r\n" + _BODY,), _BAD),
    Kind(
        "bad chunk later",
        (_CHUNKED[:-2] + b"Expect: 100-continue\r\n\r\n", b"25\r\n" + _BODY + b"\r\nzz\r\n\r\n"),
        ((b"100", b"400"),),
    ),
    Kind("large header", (_GET + b"X-Large: " + b"x" * 20_000 + b"\r\n\r\n",), ((b"431",), (b"400",))),
    Kind("no colon", (_GET + b"no colon\r\n\r\n",), _BAD),
    Kind("NUL in a header", (_GET + b"X-Nul: a\0b\r\n\r\n",), _BAD),
    Kind("garbage in the pipeline", (_GET + b"\r\n\x16\x03\x01 garbage\r\n\r\n",), ((b"200", b"400"), (b"400",))),
    Kind("gone at once", ()),
    Kind("gone in the head", (_GET[:-20],)),
    Kind("gone in the body", (_POST + b"Content-Length: 37\r\n\r\n" + _BODY[:10],)),
    Kind("gone before the answer", (_POST + b"Content-Length: 37\r\n\r\n" + _BODY,)),
)


async def attack(port: int, kind: Kind, patience: float = _PATIENCE_SECONDS) -> str:
    """Attack once, for at most `patience` seconds. Return a description of an unexpected result, or an empty string."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(patience):
            statuses = await _statuses(reader, writer, kind)
    except TimeoutError:
        return f"{kind.name}: the connection was left open"
    finally:
        writer.transport.abort()
    return "" if statuses in (kind.statuses or ((),)) else f"{kind.name}: {b' '.join(statuses).decode() or 'no answer'}"


async def _statuses(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kind: Kind) -> tuple[bytes, ...]:
    """Return the statuses of all responses until the connection ends."""
    answers = b""
    with suppress(ConnectionError):  # a server that closes a connection with unread data resets it
        for number, piece in enumerate(kind.pieces):
            answers += await reader.read(_MOST) if number else b""
            writer.write(piece)
        await asyncio.sleep(0)  # flushes the written data before the client disconnects
        while kind.statuses and (piece := await reader.read(_MOST)):
            answers += piece
    return tuple(re.findall(rb"HTTP/1\.[01] (\d{3})", answers))
