"""Bounds that keep an overloaded service answering: requests in flight, and a deadline for each."""

from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from chassis.deadline import Deadline
from chassis.errors import DeadlineExceededError, OverloadedError


class InFlight:
    """The places for requests that are being answered: a `with` block takes one.

    Args:
        most: how many there are; one more is an `OverloadedError`.
    """

    def __init__(self, most: int) -> None:
        self._most, self._taken = most, 0

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


def limits(in_flight: InFlight, timeout_seconds: float) -> Middleware:
    """A middleware that refuses requests above the bound at once and gives up those that take too long.

    Raises:
        OverloadedError: every place is taken.
        DeadlineExceededError: the request took longer than `timeout_seconds`.
    """
    deadline = Deadline(timeout_seconds, DeadlineExceededError)

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        with in_flight, deadline:
            return await handler(request)

    return middleware
