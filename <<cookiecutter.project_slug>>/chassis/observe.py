"""What is seen of every request: its id and its trace's, its log line, its metrics."""

import re
import time
from random import getrandbits

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from multidict import CIMultiDictProxy, istr
from structlog.contextvars import bind_contextvars

from chassis.telemetry import Telemetry

REQUEST_ID = web.RequestKey("request_id", str)
REQUEST_ID_HEADER = istr("X-Request-ID")
_WELL_FORMED_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_TRACEPARENT_HEADER = istr("traceparent")
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-((?!0{32})[0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")  # W3C Trace Context


def request_id_of(headers: CIMultiDictProxy[str]) -> str:
    """The client's request id where it is well-formed, or a new one."""
    given = headers.get(REQUEST_ID_HEADER)
    return given if given and _WELL_FORMED_ID.fullmatch(given) else f"{getrandbits(128):032x}"


def observe(telemetry: Telemetry) -> Middleware:
    """A middleware that gives each request its id, and tells how long it took and what became of it."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        started = time.perf_counter()
        request_id = request[REQUEST_ID] = request_id_of(request.headers)
        bind_contextvars(request_id=request_id)
        traceparent = request.headers.get(_TRACEPARENT_HEADER)
        if traceparent and (found := _TRACEPARENT.fullmatch(traceparent)):
            bind_contextvars(trace_id=found[1])
        telemetry.begin()
        response = None
        try:
            response = await handler(request)
            response.headers[REQUEST_ID_HEADER] = request_id
            return response
        finally:
            telemetry.end(request, response, time.perf_counter() - started)

    return middleware
