"""Bounds that keep an overloaded service answering: requests in flight, and a deadline for each."""

import asyncio

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from chassis.errors import DeadlineExceededError, OverloadedError


def limits(max_in_flight: int, timeout_seconds: float) -> Middleware:
    """A middleware that refuses requests above the bound at once and gives up those that take too long.

    Raises:
        OverloadedError: `max_in_flight` requests are being answered already.
        DeadlineExceededError: the request took longer than `timeout_seconds`.
    """
    in_flight = 0

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        nonlocal in_flight
        if in_flight >= max_in_flight:
            raise OverloadedError
        in_flight += 1
        try:
            async with asyncio.timeout(timeout_seconds) as deadline:
                return await handler(request)
        except TimeoutError as error:
            if deadline.expired():
                raise DeadlineExceededError from error
            raise
        finally:
            in_flight -= 1

    return middleware
