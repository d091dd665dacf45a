"""A minimal HTTP client: keep-alive connections, no retries."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any, NamedTuple

NO_ANSWER = 0
_FAILURES = (OSError, EOFError, TimeoutError, ValueError, asyncio.LimitOverrunError)


class Answer(NamedTuple):
    """The result of a request.

    Attributes:
        status: the response status, or `NO_ANSWER` if the connection failed; then `error` has the reason.
    """

    begun: float
    ended: float
    status: int
    head: bytes = b""
    body: bytes = b""
    error: str = ""

    @property
    def seconds(self) -> float:
        return self.ended - self.begun

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


def request(method: str, path: str, body: Any = None, **headers: str) -> bytes:
    """Encode a request. In header names, `_` stands for `-`: `Idempotency_Key`."""
    content = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in ({"Host": "localhost"} | headers).items()]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    return "\r\n".join([*lines, "", ""]).encode() + content


class Client:
    """A keep-alive connection. It reconnects after the server announced that it closes, and after a failure."""

    def __init__(self, port: int | Callable[[], int], patience: float = 30) -> None:
        self._port = port
        self._patience = patience
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, question: bytes, begun: float | None = None) -> Answer:
        """Send a request once. `begun` is the time when it was due, if earlier than now."""
        begun = time.perf_counter() if begun is None else begun
        try:
            async with asyncio.timeout(self._patience):
                head, body = await self._exchange(question)
        except _FAILURES as error:
            self.close()
            return Answer(begun, time.perf_counter(), NO_ANSWER, error=type(error).__name__)
        except asyncio.CancelledError:
            self.close()
            raise
        return Answer(begun, time.perf_counter(), int(head[9:12]), head, body)

    async def _exchange(self, question: bytes) -> tuple[bytes, bytes]:
        if self._streams is None:
            port = self._port if isinstance(self._port, int) else self._port()
            self._streams = await asyncio.open_connection("127.0.0.1", port)
        reader, writer = self._streams
        writer.write(question)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        _, found, rest = head.partition(b"\r\ncontent-length:")
        body = await reader.readexactly(int(rest[: rest.index(b"\r")])) if found else b""
        if b"\r\nconnection: close" in head:
            self.close()
        return head, body

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None
