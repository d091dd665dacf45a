"""What requests leave behind in the log and the metrics, told for all requests of a turn of the event loop together."""

import asyncio
from contextvars import Context, copy_context

from aiohttp import hdrs, web

from chassis.logs import log_request
from chassis.metrics import ACTIVE_REQUESTS, request_duration

_CLIENT_CLOSED_REQUEST = 499  # nobody reads the answer; nginx's number for it
_OTHER_METHOD = "_OTHER"
_NO_ROUTE = "unmatched"


def method_of(request: web.Request) -> str:
    """The request's method, of a bounded number of them."""
    return request.method if request.method in hdrs.METH_ALL else _OTHER_METHOD


def route_of(request: web.Request) -> str:
    """The route that takes the request, as it is written in the routes; one word for all requests that none takes."""
    resource = request.match_info.route.resource
    return resource.canonical if resource else _NO_ROUTE


def count_unreadable(status: int) -> None:
    """Counts a request that could not be read, so that it has neither a method nor a route.

    Args:
        status: what it was answered with.
    """
    request_duration(_OTHER_METHOD, _NO_ROUTE, f"{status // 100}xx").observe(0)


class Telemetry:
    """Counts requests, times them, and writes a line about each.

    At the end of a turn, as the code for it is in the processor's caches from the second request on: told in the middle
    of all else that a request needs, the line alone takes more than twice as long.
    """

    def __init__(self) -> None:
        self._ended: list[tuple[Context, web.Request, web.StreamResponse | None, float]] = []

    def begin(self) -> None:
        """A request has come."""
        ACTIVE_REQUESTS.inc()

    def end(self, request: web.Request, response: web.StreamResponse | None, seconds: float) -> None:
        """A request is over; what is bound to its context now is told, too.

        Args:
            request: that is over.
            response: its answer, where there is one.
            seconds: from the request's head to its answer.
        """
        if not self._ended:
            asyncio.get_running_loop().call_soon(self._tell)
        self._ended.append((copy_context(), request, response, seconds))

    def _tell(self) -> None:
        ended, self._ended = self._ended, []
        ACTIVE_REQUESTS.dec(len(ended))
        for context, request, response, seconds in ended:
            method, route = method_of(request), route_of(request)
            status, size = (response.status, response.content_length) if response else (_CLIENT_CLOSED_REQUEST, None)
            request_duration(method, route, f"{status // 100}xx").observe(seconds)
            context.run(log_request, method, route, status, seconds, size)
