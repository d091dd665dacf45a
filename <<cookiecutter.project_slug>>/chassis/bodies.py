"""Bodies of requests, within bounds: of each, and of all that are on their way.

They are unpacked here and not by aiohttp, which unpacks also what nobody wants, and of any size.
"""

import zlib

from aiohttp import hdrs, web

from chassis.errors import MalformedBodyError, OverloadedError, UnsupportedMediaTypeError
from chassis.limits import InFlight

# Large bodies on their way share some memory. Small ones need none of it, so that slow large ones do not shut them out.
_SMALL_BYTES = 64 * 1024
_LARGEST_AT_A_TIME = 32


class Bodies:
    """Receives the bodies of requests.

    Args:
        most_bytes: the size of the largest one, on its way and unpacked.
        in_flight: where a request has no place while its body is on its way.
    """

    def __init__(self, most_bytes: int, in_flight: InFlight) -> None:
        self._most_bytes = most_bytes
        self._in_flight = in_flight
        self._room = _LARGEST_AT_A_TIME * most_bytes

    async def receive(self, request: web.BaseRequest) -> bytes:
        """The body of a request, unpacked.

        Raises:
            UnsupportedMediaTypeError: it is encoded in an unknown way.
            MalformedBodyError: it ends early, or is not encoded as its headers say.
            RequestTimeoutError: it does not come.
            web.HTTPRequestEntityTooLarge: it is larger than a body may be.
            OverloadedError: too many large ones are on their way, or no place becomes free when it is there.
        """
        unpack = _UNPACKED_BY.get(request.headers.get(hdrs.CONTENT_ENCODING, "identity").lower())
        if unpack is None:
            raise UnsupportedMediaTypeError("Send the body as it is, or compressed by gzip or deflate.")
        if (length := request.content_length or 0) > self._most_bytes:
            raise web.HTTPRequestEntityTooLarge(self._most_bytes, length)  # without waiting for it to come
        try:
            if request.content.is_eof():  # it came along with the head, as small ones do
                body = request.content.read_nowait()
                if len(body) > self._most_bytes:
                    raise web.HTTPRequestEntityTooLarge(self._most_bytes, len(body))
            else:
                async with self._in_flight.waiting():
                    body = await self._read(request)
            return unpack(body, self._most_bytes)
        except (web.RequestPayloadError, ConnectionError, EOFError, zlib.error) as error:
            raise MalformedBodyError("The body ended early or is not encoded as its headers say.") from error

    async def _read(self, request: web.BaseRequest) -> bytes:
        body, large = bytearray(), 0
        try:
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > self._most_bytes:
                    raise web.HTTPRequestEntityTooLarge(self._most_bytes, len(body))
                self._room += large
                large = max(0, len(body) - _SMALL_BYTES)
                self._room -= large
                if large and self._room < 0:
                    raise OverloadedError
        finally:
            self._room += large
        return bytes(body)


def _as_it_is(body: bytes, _: int) -> bytes:
    return body


def _gunzip(body: bytes, most_bytes: int) -> bytes:
    return _decompress(body, most_bytes, 16 + zlib.MAX_WBITS)


def _inflate(body: bytes, most_bytes: int) -> bytes:
    # Of zlib's format, as RFC 9110 has it, or bare, as some clients send it.
    return _decompress(body, most_bytes, zlib.MAX_WBITS if body[:1] == b"\x78" else -zlib.MAX_WBITS)


def _decompress(body: bytes, most_bytes: int, format_bits: int) -> bytes:
    unpacking = zlib.decompressobj(format_bits)
    unpacked = unpacking.decompress(body, most_bytes + 1)
    if len(unpacked) > most_bytes:
        raise web.HTTPRequestEntityTooLarge(most_bytes, len(unpacked))
    if not unpacking.eof or unpacking.unused_data:
        raise EOFError
    return unpacked


_UNPACKED_BY = {"identity": _as_it_is, "gzip": _gunzip, "deflate": _inflate}
