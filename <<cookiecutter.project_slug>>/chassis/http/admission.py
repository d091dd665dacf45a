"""Admission: how many requests are in flight, how long each may take, and when a response becomes a stream."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple, cast

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from chassis.concurrency.cancellation import is_cancelled
from chassis.concurrency.deadline import Deadline
from chassis.concurrency.semaphore import FifoSemaphore
from chassis.contract import Limits
from chassis.errors import DeadlineExceededError
from chassis.http.aiohttp_internals import for_streams_alone, forget_prepared, is_missing
from chassis.http.streams import HeadOnlyError, Stream, Streams, original_of, stream_of
from chassis.settings import Settings
from chassis.telemetry.stream_record import is_stream

# A thousand requests that arrive at once are served within this time. Refusing a request takes about as long as
# answering it: docs/decisions/0009 of the template.
_WAIT_TIMEOUT_SECONDS = 0.5
# Runs the handler, which may prepare its response in another task; None once the handler has ended.
_TASK = ContextVar["asyncio.Task[Any] | None"]("admitted_task", default=None)


class InFlightLimit(FifoSemaphore):
    """Limits the requests in flight. Each `async with` block counts as one.

    Args:
        limit: how many there may be.

    Raises:
        OverloadedError: on entering the block, if there is no room in time.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(limit, _WAIT_TIMEOUT_SECONDS)
        self._outside = set[asyncio.Task[Any] | None]()

    __aenter__ = FifoSemaphore.acquire

    async def __aexit__(self, *_: object) -> None:
        if self._outside and (task := asyncio.current_task()) in self._outside:
            self._outside.discard(task)
        else:
            self.release()

    def leave(self, task: "asyncio.Task[Any] | None") -> None:
        """Let another request in for the rest of the block that a task is in."""
        if task not in self._outside:
            self._outside.add(task)
            self.release()

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
        self.release()
        try:
            yield
            await self.acquire()
        except BaseException:
            self._outside.add(task)  # the end of the request must not release it a second time
            raise


class _BothLimits:
    """The limit of a route, and then that of all routes together."""

    def __init__(self, of_route: InFlightLimit, of_all: InFlightLimit) -> None:
        self._of_route, self._of_all = of_route, of_all

    async def __aenter__(self) -> None:
        await self._of_route.__aenter__()
        try:
            await self._of_all.__aenter__()
        except BaseException:
            await self._of_route.__aexit__()
            raise

    async def __aexit__(self, *_: object) -> None:
        await self._of_all.__aexit__()
        await self._of_route.__aexit__()


class _RouteAdmission(NamedTuple):
    limits: Limits
    deadline: Deadline
    in_flight: InFlightLimit | _BothLimits


class Admission:
    """Limits requests in flight and gives each a deadline, until its response becomes a stream.

    Args:
        settings: of the service.
        in_flight: the limit of all routes together.
        streams: the streams of the process.
    """

    def __init__(self, settings: Settings, in_flight: InFlightLimit, streams: Streams) -> None:
        self._in_flight, self._streams, self._settings = in_flight, streams, settings
        self._default = self._of_limits(Limits())
        self._routes: dict[Handler, _RouteAdmission] = {}

    def limit(self, handler: Handler, limits: Limits) -> None:
        """Give a route limits of its own.

        Args:
            handler: aiohttp's handler of the route.
            limits: as the route declares them.
        """
        if limits != Limits():
            self._routes[handler] = self._of_limits(limits)

    def _of_limits(self, limits: Limits) -> _RouteAdmission:
        seconds = limits.deadline_seconds or self._settings.request_timeout_seconds + (limits.body_seconds or 0)
        in_flight = _BothLimits(InFlightLimit(limits.in_flight), self._in_flight) if limits.in_flight else None
        return _RouteAdmission(limits, Deadline(seconds, DeadlineExceededError), in_flight or self._in_flight)

    def _of_request(self, request: web.Request) -> _RouteAdmission:
        return self._routes.get(request.match_info.handler, self._default)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Admit a request.

        Raises:
            OverloadedError: there is no room for the request in time.
            DeadlineExceededError: the request takes too long.
        """
        admission = self._of_request(request) if self._routes else self._default
        with admission.deadline as task:
            _TASK.set(task)
            try:
                async with admission.in_flight:
                    response = await handler(request)
            except HeadOnlyError as head:
                return head.response
            except asyncio.CancelledError:
                stream = stream_of(request)
                if not (stream and stream.ending and is_cancelled()):
                    raise
                task.uncancel()
                return stream.response
            finally:
                _TASK.set(None)  # otherwise the task and its context are a cycle
            plain = type(response) is web.Response and type(response.body) is bytes
            if not plain or admission.deadline.is_lifted(task):
                self._admit_returned(request, response, admission, task)
            return response

    def _admit_returned(
        self,
        request: web.Request,
        response: web.StreamResponse,
        admission: _RouteAdmission,
        task: "asyncio.Task[Any]",
    ) -> None:
        """Give a stream a place that the handler has returned, and has not begun to send."""
        stream = stream_of(request)
        if stream is None:
            if isinstance(response, web.FileResponse) and is_missing(response):
                raise web.HTTPNotFound
            if is_stream(response):
                self._streams.admit(request, response, admission.limits, task, admission.deadline.elapsed(task))
        elif response is not stream.response:
            raise TypeError("the handler has begun one response, and returns another one")

    @for_streams_alone
    async def on_prepare(self, request: web.Request, response: web.StreamResponse) -> None:
        """Begin a stream: aiohttp's signal for a response whose head is about to be sent.

        A response that the handler itself prepares is a stream, even if its body is in memory: a problem cannot take
        its place any more.

        Raises:
            HeadOnlyError: nothing may follow the head.
            ShuttingDownError: the service is draining.
            TooManyStreamsError: there is no place for a stream.
            RuntimeError: another response has begun.
        """
        request = cast(web.Request, original_of(request))
        stream = stream_of(request)
        if stream is None:
            if request.writer.output_size:
                raise RuntimeError("the request is answered already")
            task = _TASK.get()
            if task is None:  # not prepared by a handler
                return
            stream = self._begin(request, response, task)
        elif response is not stream.response:
            raise RuntimeError("the handler has begun one response, and begins another one")
        stream.start()

    def _begin(self, request: web.Request, response: web.StreamResponse, task: "asyncio.Task[Any]") -> Stream:
        admission = self._of_request(request)
        try:
            if request.method == hdrs.METH_HEAD and isinstance(response, web.WebSocketResponse):
                raise web.HTTPMethodNotAllowed(request.method, [hdrs.METH_GET])
            if request.method == hdrs.METH_HEAD and not isinstance(response, web.FileResponse):
                raise HeadOnlyError(response)
            elapsed = admission.deadline.elapsed(task)
            stream = self._streams.admit(request, response, admission.limits, task, elapsed)
        except BaseException:
            forget_prepared(request)
            raise
        self._in_flight.leave(task)
        admission.deadline.lift(task)
        self._streams.begin(stream, admission.limits)
        return stream
