"""The request log: for each request its id, a line in the log, and its metrics.

{"method":"GET","route":"/v1/items/{item_id}","status":200,"duration_ms":1.05,"bytes":151,"request_id":"…",
 "event":"request","level":"info","timestamp":"2026-11-26T10:00:00.000000Z"}
"""

import asyncio
import re
import time
from collections.abc import Callable
from contextvars import Context, copy_context
from functools import lru_cache

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from multidict import istr
from structlog.contextvars import bind_contextvars, get_contextvars

from chassis.telemetry import logs
from chassis.telemetry.labels import NO_ROUTE, OTHER_METHOD, method_of, route_of
from chassis.telemetry.request_id import REQUEST_ID, REQUEST_ID_HEADER, request_id_of
from chassis.telemetry.request_metrics import REQUESTS
from chassis.telemetry.stream_record import RECORD, StreamRecord, is_stream

log = structlog.get_logger()

_CLIENT_CLOSED_REQUEST = 499  # nginx's status for a client that disconnects before the response
_TRACEPARENT_HEADER = istr("traceparent")
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-((?!0{32})[0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")  # W3C Trace Context
ON_SENT: web.RequestKey[Callable[[], None]] = web.RequestKey("on_sent")
"""Called by the connection when the response is sent, or cannot be."""
_CHASSIS_FIELDS = {"request_id", "trace_id", "problem"}  # handlers may bind more


def count_unreadable(status: int) -> None:
    """Count a request that could not be read, so that it has neither a method nor a route.

    Args:
        status: of its response.
    """
    REQUESTS.ended.append((OTHER_METHOD, NO_ROUTE, status, 0))


class RequestLog:
    """Counts and times requests, and writes a line for each.

    Lines are written at the end of the event loop's turn, for all requests of the turn together: see
    docs/decisions/0011 of the template.
    """

    def __init__(self) -> None:
        self._ended: list[tuple[Context, web.Request, web.StreamResponse | None, float, StreamRecord | None]] = []

    def end(
        self,
        request: web.Request,
        response: web.StreamResponse | None,
        seconds: float,
        context: Context | None = None,
    ) -> None:
        """Log a request that has ended.

        Args:
            request: the request.
            response: its response; None if its handler was cancelled.
            seconds: from the request's head to its response.
            context: has the fields of the line; the present context if None.
        """
        # Neither is there for a response whose body is in memory: looking it up for each request would cost.
        stream = request.get(RECORD) if context or response is None else None
        if not self._ended:
            asyncio.get_running_loop().call_soon(self._write)
        self._ended.append((context or copy_context(), request, response, seconds, stream))

    def end_when_sent(self, request: web.Request, response: web.StreamResponse, started: float) -> None:
        """Have a request logged when its response is sent, since a file's status is not known before."""
        context = copy_context()
        request[ON_SENT] = lambda: self.end(request, response, time.perf_counter() - started, context)

    def _write(self) -> None:
        ended, self._ended = self._ended, []
        REQUESTS.active -= len(ended)
        output, lines = logs.json_lines, list[str]()
        for context, request, response, seconds, stream in ended:
            if stream:
                self._write_stream(context, stream, seconds)
                continue
            method, route = method_of(request), route_of(request)
            status, size = (
                (response.status, response.content_length) if response is not None else (_CLIENT_CLOSED_REQUEST, None)
            )
            REQUESTS.ended.append((method, route, status, seconds))
            if output and (line := context.run(_json_line, method, route, status, seconds, size)):
                lines.append(line)
            else:
                context.run(write_line, method, route, status, seconds, size)
        if output and lines:
            output.write_now(lines)

    def _write_stream(self, context: Context, stream: StreamRecord, seconds: float) -> None:
        stream.end(seconds)
        status = _CLIENT_CLOSED_REQUEST if stream.client_left else stream.response.status
        method, route = method_of(stream.request), route_of(stream.request)
        context.run(write_line, method, route, status, seconds, stream.bytes, stream.messages)


def request_log(requests: RequestLog) -> Middleware:
    """Make the middleware that gives each request its id and logs it."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        started = time.perf_counter()
        request_id = request[REQUEST_ID] = request_id_of(request.headers)
        bind_contextvars(request_id=request_id)
        traceparent = request.headers.get(_TRACEPARENT_HEADER)
        if traceparent and (found := _TRACEPARENT.fullmatch(traceparent)):
            bind_contextvars(trace_id=found[1])
        REQUESTS.active += 1
        response = None
        try:
            response = await handler(request)
            response.headers[REQUEST_ID_HEADER] = request_id
            return response
        finally:
            if response is None or not (is_stream(response) or response.prepared):
                requests.end(request, response, time.perf_counter() - started)
            else:
                requests.end_when_sent(request, response, started)

    return middleware


def write_line(
    method: str, route: str, status: int, seconds: float, size: int | None, messages: int | None = None
) -> None:
    """Write the line of a request, with the fields that are bound to the context.

    Args:
        method: as `method_of` returns it.
        route: as `route_of` returns it.
        status: of the response.
        seconds: from the request's head to its response.
        size: of the response's body, in bytes, if known.
        messages: of a WebSocket.
    """
    more = {} if messages is None else {"messages": messages}
    milliseconds = round(seconds * 1000, 2)
    log.info("request", method=method, route=route, status=status, duration_ms=milliseconds, bytes=size, **more)


def _json_line(method: str, route: str, status: int, seconds: float, size: int | None) -> str:
    """Return what `write_line` would write, as JSON; empty if only structlog can write it.

    See docs/decisions/0011 of the template.
    """
    bound = get_contextvars()
    if not ("request_id" in bound and bound.keys() <= _CHASSIS_FIELDS):  # nothing in these needs escaping in JSON
        return ""
    fields = "".join([f'"{name}":"{value}",' for name, value in bound.items()])
    now = time.time()
    second = int(now)
    return (
        f'{{"method":"{method}","route":"{route}","status":{status},"duration_ms":{seconds * 1000:.2f},'
        f'"bytes":{"null" if size is None else size},{fields}'
        f'"event":"request","level":"info","timestamp":"{_second(second)}.{int((now - second) * 1_000_000):06d}Z"}}\n'
    )


@lru_cache(2)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
