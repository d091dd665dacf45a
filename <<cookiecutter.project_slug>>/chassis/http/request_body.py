"""Reads and decompresses request bodies. Limits the size of each, and the memory of all bodies that are arriving.

aiohttp would decompress every body, also of requests that no handler reads, and without a limit.
"""

import asyncio
import json
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

from aiohttp import BodyPartReader, MultipartReader, StreamReader, hdrs, web
from multidict import MultiDictProxy

from chassis.contract import Limits, Route, contract_of
from chassis.errors import MalformedBodyError, OverloadedError, ServiceError, UnsupportedMediaTypeError
from chassis.http.admission import InFlightLimit
from chassis.http.streams import ORIGINAL, Streams, original_of
from chassis.settings import Settings

# Large bodies share a limited amount of memory while they arrive. Small bodies do not count, so that slow large ones
# cannot shut them out.
_SMALL_BYTES = 64 * 1024
_LARGE_BODIES = 32
# Of a form at a time: aiohttp reads its lines without a pause, and a form may have a million of them.
_FORM_CHUNK_BYTES = 4096
_LINES_AT_ONCE = 32
P = ParamSpec("P")
T = TypeVar("T")


class BodyMemory:
    """The memory of all large bodies that are arriving.

    Args:
        settings: of the service.
        routes: one of which may take a body that is larger than all of this memory.

    Attributes:
        free_bytes: how much is left.
    """

    def __init__(self, settings: Settings, routes: Sequence[Route]) -> None:
        largest = [route.limits.body_bytes or 0 for route in routes if not contract_of(route).reads_body]
        self.free_bytes = max(_LARGE_BODIES * settings.max_body_bytes, *largest, 0)


class RequestBodyReader:
    """Reads the bodies of requests.

    Args:
        max_bytes: the size of the largest body, as sent and decompressed.
        in_flight: a request does not count as in flight while its body arrives.
        memory: of all bodies.
        seconds: the longest time for a body to arrive, if it has one beside the deadline of the request.
    """

    def __init__(
        self, max_bytes: int, in_flight: InFlightLimit, memory: BodyMemory, seconds: float | None = None
    ) -> None:
        self.max_bytes, self.seconds = max_bytes, seconds
        self._in_flight, self._memory = in_flight, memory

    def limited(self, limits: Limits) -> "RequestBodyReader":
        """Return the reader for a route with limits of its own."""
        return RequestBodyReader(
            limits.body_bytes or self.max_bytes, self._in_flight, self._memory, limits.body_seconds
        )

    @asynccontextmanager
    async def streaming(self, request: web.BaseRequest, streams: Streams) -> AsyncIterator[None]:
        """Have a handler read the body itself, piece by piece: its request is in flight no more.

        Raises:
            web.HTTPRequestEntityTooLarge: the body is larger than allowed.
            TooManyStreamsError: there is no place for a stream.
        """
        self.check_size(max(request.content_length or 0, request.content.total_bytes))
        if request.content.is_eof():
            yield
            return
        with streams.upload():
            self._in_flight.leave(asyncio.current_task())
            yield

    def check_size(self, size: int) -> None:
        """Raise an error if a body of this size is larger than allowed."""
        if size > self.max_bytes:
            raise web.HTTPRequestEntityTooLarge(self.max_bytes, size)

    async def read(self, request: web.BaseRequest) -> bytes:
        """Read the body of a request, and decompress it.

        Raises:
            UnsupportedMediaTypeError: its Content-Encoding is unknown.
            MalformedBodyError: it ends early, or is not encoded as its headers say.
            RequestTimeoutError: it does not arrive in time; `server.connection` raises it.
            web.HTTPRequestEntityTooLarge: it is larger than allowed.
            OverloadedError: too many large bodies are arriving, or there is no room in flight once it is there.
        """
        decode = _DECODERS.get(request.headers.get(hdrs.CONTENT_ENCODING, "identity").lower())
        if decode is None:
            raise UnsupportedMediaTypeError("Send the body as it is, or compressed by gzip or deflate.")
        content = request.content
        try:
            if content.is_eof():  # it arrived together with the head, as small bodies do
                self.check_size(content.total_bytes)
                body = content.read_nowait()
            else:
                self.check_size(request.content_length or 0)  # before it arrives
                async with self._in_flight.released():
                    body = await self._receive(request)
            return decode(body, self.max_bytes)
        except (web.RequestPayloadError, ConnectionError, EOFError, zlib.error) as error:
            raise MalformedBodyError("The body ended early or is not encoded as its headers say.") from error

    async def _receive(self, request: web.BaseRequest) -> bytes:
        body, reserved, memory = bytearray(), 0, self._memory
        try:
            async for chunk in request.content.iter_any():
                body += chunk
                self.check_size(len(body))
                memory.free_bytes += reserved
                reserved = max(0, len(body) - _SMALL_BYTES)
                memory.free_bytes -= reserved
                if reserved and memory.free_bytes < 0:
                    raise OverloadedError
        finally:
            memory.free_bytes += reserved
        return bytes(body)


class UnreadableBodyError(MalformedBodyError, ValueError):
    """The body is not what its Content-Type says. Also a ValueError, as aiohttp's own methods raise it."""

    def __init__(self) -> None:
        super().__init__("The body is not what its Content-Type says.")


@contextmanager
def _malformed_is_unreadable() -> Iterator[None]:
    """Raise an UnreadableBodyError for a malformed form, for which aiohttp raises many kinds of exceptions."""
    try:
        yield
    except (OSError, ServiceError, web.HTTPException, web.RequestPayloadError, AssertionError):
        raise  # an AssertionError is for the handler: it reads pieces that are smaller than the boundary
    except Exception as error:
        raise UnreadableBodyError from error


def _translated(method: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    @wraps(method)
    async def call(*args: P.args, **kwargs: P.kwargs) -> T:
        with _malformed_is_unreadable():
            return await method(*args, **kwargs)

    return call


class _Part(BodyPartReader):
    """aiohttp's part of a form, whose methods raise an UnreadableBodyError if it is malformed."""

    read_chunk = _translated(BodyPartReader.read_chunk)
    readline = _translated(BodyPartReader.readline)
    read = _translated(BodyPartReader.read)
    text = _translated(BodyPartReader.text)
    json = _translated(BodyPartReader.json)
    form = _translated(BodyPartReader.form)


class _Lines:
    """The stream of a form's bytes, for aiohttp's reader, which reads its lines without a pause for other requests."""

    def __init__(self, content: StreamReader) -> None:
        self.read, self.unread_data, self.at_eof = content.read, content.unread_data, content.at_eof
        self._readline, self._count = content.readline, 0

    async def readline(self, **options: Any) -> bytes:
        self._count += 1
        if not self._count % _LINES_AT_ONCE:
            await asyncio.sleep(0)
        return await self._readline(**options)


class _Parts(MultipartReader):
    """aiohttp's reader of a form, which raises an UnreadableBodyError if that is malformed."""

    part_reader_cls = _Part
    next = _translated(MultipartReader.next)


class Request(web.Request):
    """aiohttp's request, whose body has the service's limits and is decompressed.

    `read()`, `text()`, `json()` and `post()` raise the errors of `RequestBodyReader.read`, and an `UnreadableBodyError`
    for a body that cannot be decoded; `multipart()` and its parts raise that, too. `content` and `multipart()` are the
    stream of bytes as they are sent; its size and its rate have the service's limits, too.

    Attributes:
        body_reader: reads the body; `request_class` sets it, and the endpoint of a route with limits of its own.
        received: the body, once it is read.
    """

    ATTRS = web.Request.ATTRS | {"received", "body_reader", "_form"}  # aiohttp's debug mode warns of others

    body_reader: RequestBodyReader
    received: bytes | None = None
    _form: StreamReader | None = None

    def clone(self, **changes: Any) -> "Request":
        """Return the request with other values, as aiohttp's method does."""
        made = cast(Request, super().clone(**changes))
        made[ORIGINAL] = original_of(self)
        made.body_reader, made.received = self.body_reader, self.received
        return made

    async def read(self) -> bytes:
        """Return the body, decompressed."""
        if self.received is None:
            self.received = await self.body_reader.read(self)
        return self.received

    async def text(self) -> str:
        """Return the body as text, in the charset of its Content-Type, or in UTF-8."""
        body = await self.read()
        try:
            return body.decode(self.charset or "utf-8")
        except (UnicodeDecodeError, LookupError) as error:
            raise UnreadableBodyError from error

    async def json(self, *, loads: Callable[[str], Any] = json.loads) -> Any:
        """Return the values of the body's JSON."""
        text = await self.text()
        try:
            return loads(text)
        except (json.JSONDecodeError, RecursionError) as error:
            raise UnreadableBodyError from error

    async def multipart(self) -> MultipartReader:
        """Return the parts of the stream of bytes, as they arrive."""
        if not self.content_type.startswith("multipart/"):
            raise UnreadableBodyError
        with _malformed_is_unreadable():
            return _Parts(
                self.headers,
                cast(StreamReader, _Lines(self._form or self.content)),
                client_max_size=self.body_reader.max_bytes,
                max_field_size=self.protocol.max_field_size,
                max_headers=self.protocol.max_headers,
                max_size_error_cls=web.HTTPRequestEntityTooLarge,
            )

    async def post(self) -> "MultiDictProxy[str | bytes | bytearray | web.FileField]":
        """Return the fields of a form."""
        feeding = None
        if self.content_type == "multipart/form-data":
            body = await self.read()
            self._form = StreamReader(self.protocol, limit=len(body) + 1, loop=asyncio.get_running_loop())
            feeding = asyncio.create_task(_feed(self._form, body))
        try:
            return await super().post()
        except (OSError, ServiceError, web.HTTPException):
            raise
        except Exception as error:  # a malformed form, for which aiohttp raises many kinds; the form is in memory
            raise UnreadableBodyError from error
        finally:
            self._form = None
            if feeding:
                feeding.cancel()


async def _feed(stream: StreamReader, body: bytes) -> None:
    for start in range(0, len(body), _FORM_CHUNK_BYTES):
        stream.feed_data(body[start : start + _FORM_CHUNK_BYTES])
        await asyncio.sleep(0)  # other requests go on
    stream.feed_eof()


def request_class(reader: RequestBodyReader) -> type[Request]:
    """Return the class of an application's requests.

    Args:
        reader: reads their bodies.
    """

    class WithReader(Request):
        body_reader = reader

    return WithReader


def _identity(body: bytes, _: int) -> bytes:
    return body


def _gzip(body: bytes, max_bytes: int) -> bytes:
    return _decompress(body, max_bytes, 16 + zlib.MAX_WBITS)


def _deflate(body: bytes, max_bytes: int) -> bytes:
    # In zlib's format, as RFC 9110 defines it, or raw, as some clients send it.
    return _decompress(body, max_bytes, zlib.MAX_WBITS if body[:1] == b"\x78" else -zlib.MAX_WBITS)


def _decompress(body: bytes, max_bytes: int, wbits: int) -> bytes:
    decompressor = zlib.decompressobj(wbits)
    content = decompressor.decompress(body, max_bytes + 1)
    if len(content) > max_bytes:
        raise web.HTTPRequestEntityTooLarge(max_bytes, len(content))
    if not decompressor.eof or decompressor.unused_data:
        raise EOFError
    return content


_DECODERS = {"identity": _identity, "gzip": _gzip, "deflate": _deflate}
