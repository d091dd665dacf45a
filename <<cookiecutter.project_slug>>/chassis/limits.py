"""Bounds that keep an overloaded service answering: requests in flight, and a deadline for each."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

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


class Deadlines:
    """The deadlines of requests, which all have the same time: one timer does for all, as the first comes first.

    Args:
        seconds: from the beginning of a request.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._due: dict[asyncio.Task[Any], float] = {}  # in the order in which they come
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, task: asyncio.Task[Any]) -> None:
        """Has a task cancelled when its time is over."""
        loop = task.get_loop()
        self._due[task] = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._look, loop)

    def end(self, task: asyncio.Task[Any]) -> bool:
        """Leaves the task alone, and tells whether its time was over."""
        if self._due.pop(task, None) is not None:
            return False
        return task.uncancel() == 0  # or somebody else has cancelled it, too

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        for task, due in list(self._due.items()):
            if due > loop.time():
                self._timer = loop.call_at(due, self._look, loop)
                break
            del self._due[task]
            task.cancel()


def limits(in_flight: InFlight, timeout_seconds: float) -> Middleware:
    """A middleware that refuses requests above the bound at once and gives up those that take too long.

    Raises:
        OverloadedError: every place is taken.
        DeadlineExceededError: the request took longer than `timeout_seconds`.
    """
    deadlines = Deadlines(timeout_seconds)

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        task = cast(asyncio.Task[Any], asyncio.current_task())  # aiohttp's, of this request
        with in_flight:
            deadlines.begin(task)
            try:
                response = await handler(request)
            except asyncio.CancelledError as error:
                if deadlines.end(task):
                    raise DeadlineExceededError from error
                raise
            except BaseException:
                deadlines.end(task)
                raise
            deadlines.end(task)
            return response

    return middleware
