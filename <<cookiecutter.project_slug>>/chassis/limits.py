"""Bounds that keep an overloaded service answering: requests in flight, their time, and bodies on their way."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from chassis.errors import DeadlineExceededError, OverloadedError

_ARRIVING_BODIES = 32  # of the largest size: how much memory those may take that hold no place yet


class InFlight:
    """The places for requests that are being answered: a `with` block takes one.

    Args:
        most: how many there are; one more is an `OverloadedError`.
        most_body_bytes: the size of the largest body.
    """

    def __init__(self, most: int, most_body_bytes: int) -> None:
        self._most, self._taken = most, 0
        self._most_body_bytes = most_body_bytes
        self._room = _ARRIVING_BODIES * most_body_bytes

    def __enter__(self) -> None:
        if self._taken >= self._most:
            raise OverloadedError
        self._taken += 1

    def __exit__(self, *_: object) -> None:
        self._taken -= 1

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Gives the place back for the block, which waits for somebody else: the slow must not take them all.

        Raises:
            OverloadedError: all places are taken when the wait is over.
        """
        self._taken -= 1
        try:
            yield
        finally:
            self._taken += 1  # in any case: the end of the request gives it back
        if self._taken > self._most:
            raise OverloadedError

    async def receive(self, request: web.BaseRequest) -> bytes:
        """Reads the request's body, which takes no place while it is on its way.

        Raises:
            web.HTTPRequestEntityTooLarge: it is larger than a body may be.
            OverloadedError: too many large ones are on their way, or all places are taken when it is there.
        """
        if request.content.is_eof():  # it came along with the head, as small ones do
            return await self._read(request)
        with self.waiting():
            return await self._read(request)

    async def _read(self, request: web.BaseRequest) -> bytes:
        body = bytearray()
        try:
            async for chunk in request.content.iter_any():
                body += chunk
                self._room -= len(chunk)
                if len(body) > self._most_body_bytes:
                    raise web.HTTPRequestEntityTooLarge(self._most_body_bytes, len(body))
                if self._room < 0:
                    raise OverloadedError
        finally:
            self._room += len(body)
        return bytes(body)


def limits(in_flight: InFlight, timeout_seconds: float) -> Middleware:
    """A middleware that refuses requests above the bound at once and gives up those that take too long.

    Raises:
        OverloadedError: every place is taken.
        DeadlineExceededError: the request took longer than `timeout_seconds`.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        with in_flight:
            try:
                async with asyncio.timeout(timeout_seconds) as deadline:
                    return await handler(request)
            except TimeoutError as error:
                if deadline.expired():
                    raise DeadlineExceededError from error
                raise

    return middleware
