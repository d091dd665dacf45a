"""What is seen of every request: its id and its trace's, its log line, its metrics."""

import re
import time
from random import getrandbits

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from multidict import CIMultiDictProxy
from structlog.contextvars import bind_contextvars

from chassis.telemetry import Telemetry

REQUEST_ID = web.RequestKey("request_id", str)
REQUEST_ID_HEADER = "X-Request-ID"
_WELL_FORMED_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-((?!0{32})[0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")  # W3C Trace Context
_CLIENT_CLOSED_REQUEST = 499  # nobody reads the answer; nginx's number for it

_telemetry = Telemetry()


def request_id_of(headers: CIMultiDictProxy[str]) -> str:
    """The client's request id where it is well-formed, or a new one."""
    given = headers.get(REQUEST_ID_HEADER, "")
    return given if _WELL_FORMED_ID.fullmatch(given) else f"{getrandbits(128):032x}"


def method_of(request: web.Request) -> str:
    """The request's method, of a bounded number of them."""
    return request.method if request.method in hdrs.METH_ALL else "_OTHER"


def route_of(request: web.Request) -> str:
    """The route that takes the request, as it is written in the routes; one word for all requests that none takes."""
    resource = request.match_info.route.resource
    return resource.canonical if resource else "unmatched"


@web.middleware
async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Gives the request its id, counts it, times it, and writes one line about it."""
    started = time.perf_counter()
    request_id = request[REQUEST_ID] = request_id_of(request.headers)
    bind_contextvars(request_id=request_id)
    if traceparent := _TRACEPARENT.fullmatch(request.headers.get("traceparent", "")):
        bind_contextvars(trace_id=traceparent[1])
    _telemetry.begin()
    status, size = _CLIENT_CLOSED_REQUEST, None
    try:
        response = await handler(request)
        response.headers[REQUEST_ID_HEADER] = request_id
        status, size = response.status, response.content_length
        return response
    finally:
        _telemetry.end(method_of(request), route_of(request), status, time.perf_counter() - started, size)
