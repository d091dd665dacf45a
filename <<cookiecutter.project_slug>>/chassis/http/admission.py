"""Admission: how many requests are in flight at a time, and how long each may take."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from chassis.concurrency.deadline import Deadline
from chassis.concurrency.semaphore import FifoSemaphore
from chassis.errors import DeadlineExceededError

# A thousand requests that arrive at once are served within this time. Refusing a request takes about as long as
# answering it: docs/decisions/0009 of the template.
_WAIT_TIMEOUT_SECONDS = 0.5


class InFlightLimit:
    """Limits the requests in flight. Each `async with` block counts as one.

    Args:
        limit: how many there may be.

    Raises:
        OverloadedError: on entering the block, if there is no room in time.
    """

    def __init__(self, limit: int) -> None:
        self._semaphore = FifoSemaphore(limit, _WAIT_TIMEOUT_SECONDS)
        self._not_reacquired = 0

    async def __aenter__(self) -> None:
        await self._semaphore.acquire()

    async def __aexit__(self, *_: object) -> None:
        if self._not_reacquired:
            self._not_reacquired -= 1
        else:
            self._semaphore.release()

    @asynccontextmanager
    async def released(self) -> AsyncIterator[None]:
        """Let another request in while this one waits for a slow client or another service.

        Raises:
            OverloadedError: at the end of the block, if there is no room in time.
        """
        self._semaphore.release()
        try:
            yield
            await self._semaphore.acquire()
        except BaseException:
            self._not_reacquired += 1  # the end of the request must not release it a second time
            raise


def admission(in_flight: InFlightLimit, timeout_seconds: float) -> Middleware:
    """Make the middleware that limits requests in flight and gives each a deadline.

    Args:
        in_flight: the limit.
        timeout_seconds: how long a request may take, the wait for room included.

    Raises:
        OverloadedError: there is no room for the request in time.
        DeadlineExceededError: the request takes too long.
    """
    deadline = Deadline(timeout_seconds, DeadlineExceededError)

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        with deadline:
            async with in_flight:
                return await handler(request)

    return middleware
