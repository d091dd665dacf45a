"""Admission: how many requests are in flight, how long each may take, and when a response becomes a stream."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any, NamedTuple

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from chassis.concurrency.cancellation import is_cancelled
from chassis.concurrency.deadline import Deadline
from chassis.concurrency.semaphore import FifoSemaphore
from chassis.contract import Limits
from chassis.errors import DeadlineExceededError
from chassis.http.aiohttp_internals import for_streams_alone, forget_prepared, is_missing
from chassis.http.streams import HeadOnlyError, Streams, stream_of
from chassis.settings import Settings
from chassis.telemetry.request_log import STARTED
from chassis.telemetry.stream_record import is_stream

# A thousand requests that arrive at once are served within this time. Refusing a request takes about as long as
# answering it: docs/decisions/0009 of the template.
_WAIT_TIMEOUT_SECONDS = 0.5
_TASK: web.RequestKey["asyncio.Task[Any]"] = web.RequestKey("task")  # of the handler


class InFlightLimit:
    """Limits the requests in flight. Each `async with` block counts as one.

    Args:
        limit: how many there may be.

    Raises:
        OverloadedError: on entering the block, if there is no room in time.
    """

    def __init__(self, limit: int) -> None:
        self._semaphore = FifoSemaphore(limit, _WAIT_TIMEOUT_SECONDS)
        self._outside = set[asyncio.Task[Any] | None]()

    async def __aenter__(self) -> None:
        await self._semaphore.acquire()

    async def __aexit__(self, *_: object) -> None:
        if self._outside and (task := asyncio.current_task()) in self._outside:
            self._outside.discard(task)
        else:
            self._semaphore.release()

    def leave(self, task: "asyncio.Task[Any] | None") -> None:
        """Let another request in for the rest of the block that a task is in."""
        if task not in self._outside:
            self._outside.add(task)
            self._semaphore.release()

    @asynccontextmanager
    async def released(self) -> AsyncIterator[None]:
        """Let another request in while this one waits for a slow client or another service.

        Raises:
            OverloadedError: at the end of the block, if there is no room in time.
        """
        task = asyncio.current_task()
        if task in self._outside:
            yield
            return
        self._semaphore.release()
        try:
            yield
            await self._semaphore.acquire()
        except BaseException:
            self._outside.add(task)  # the end of the request must not release it a second time
            raise


class _RouteAdmission(NamedTuple):
    limits: Limits
    deadline: Deadline
    in_flight: AbstractAsyncContextManager[None]


def _admission_of(limits: Limits, settings: Settings) -> _RouteAdmission:
    seconds = limits.deadline_seconds or settings.request_timeout_seconds + (limits.body_seconds or 0)
    in_flight = InFlightLimit(limits.in_flight) if limits.in_flight else nullcontext()
    return _RouteAdmission(limits, Deadline(seconds, DeadlineExceededError), in_flight)


class Admission:
    """Limits requests in flight and gives each a deadline, until its response becomes a stream.

    Args:
        settings: of the service.
        in_flight: the limit of all routes together.
        streams: the streams of the process.
    """

    def __init__(self, settings: Settings, in_flight: InFlightLimit, streams: Streams) -> None:
        self._in_flight, self._streams = in_flight, streams
        self._settings = settings
        self._default = _admission_of(Limits(), settings)
        self._routes: dict[Handler, _RouteAdmission] = {}

    def limit(self, handler: Handler, limits: Limits) -> None:
        """Give a route limits of its own.

        Args:
            handler: aiohttp's handler of the route.
            limits: as the route declares them.
        """
        if limits != Limits():
            self._routes[handler] = _admission_of(limits, self._settings)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Admit a request.

        Raises:
            OverloadedError: there is no room for the request in time.
            DeadlineExceededError: the request takes too long.
        """
        admission = self._routes.get(request.match_info.handler, self._default)
        with admission.deadline as task:
            request[_TASK] = task
            async with admission.in_flight, self._in_flight:
                try:
                    response = await handler(request)
                except HeadOnlyError as head:
                    return head.response
                except asyncio.CancelledError:
                    stream = stream_of(request)
                    if not (stream and stream.ending and is_cancelled()):
                        raise
                    task.uncancel()
                    return stream.response
                return self._returned(request, response, admission.limits)

    def _returned(self, request: web.Request, response: web.StreamResponse, limits: Limits) -> web.StreamResponse:
        """Check what a handler has returned, and give it a place if it is a stream that is not sent yet."""
        stream = stream_of(request)
        if stream is None:
            if is_stream(response):
                if isinstance(response, web.FileResponse) and is_missing(response):
                    raise web.HTTPNotFound
                self._streams.admit(request, response, limits)
        elif response is not stream.response:
            raise TypeError("the handler has begun one response, and returns another one")
        return response

    @for_streams_alone
    async def on_prepare(self, request: web.Request, response: web.StreamResponse) -> None:
        """Begin a stream: aiohttp's signal for a response whose head is about to be sent.

        Raises:
            HeadOnlyError: nothing may follow the head.
            ShuttingDownError: the service is draining.
            TooManyStreamsError: there is no place for a stream.
        """
        if not is_stream(response):
            return
        stream = stream_of(request)
        if stream is None:
            admission = self._routes.get(request.match_info.handler, self._default)
            try:
                if request.method == hdrs.METH_HEAD and not isinstance(response, web.FileResponse):
                    raise HeadOnlyError(response)
                stream = self._streams.admit(request, response, admission.limits)
            except Exception:
                forget_prepared(request)
                raise
            task = request[_TASK]
            self._in_flight.leave(task)
            admission.deadline.lift(task)
            self._streams.begin(stream, task, admission.limits)
        stream.start(request[STARTED])
