"""Deprecated routes: the headers `Deprecation` (RFC 9745) and `Sunset` (RFC 8594), and a count of their calls."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, time
from email.utils import format_datetime

from aiohttp import web
from aiohttp.typedefs import Handler

from chassis.contract import Route
from chassis.telemetry.metrics import DEPRECATED_REQUESTS

_HEADERS = "__headers_of_every_answer__"
_NONE: Mapping[str, str] = {}


def deprecation_headers(route: Route) -> dict[str, str]:
    """Return the headers of a deprecated route; none for another one.

    `Sunset` is the last second of the day, in UTC. `Deprecation` is the first second of `deprecated_since`. A route
    without it gets the date 0, in 1970. RFC 9745 has no value for "already, for some time": a date that has passed says
    it, and this one is the same for every pod and after every start, unlike the time of the start.
    """
    if route.sunset is None:
        return {}
    since = int(datetime.combine(route.since, time(), UTC).timestamp()) if route.since else 0
    last = datetime.combine(route.sunset, time(23, 59, 59), UTC)
    return {"Deprecation": f"@{since}", "Sunset": format_datetime(last, usegmt=True)}


def deprecated(
    route: Route, handle: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Return aiohttp's handler of a deprecated route, which counts its calls and adds the headers.

    Args:
        route: the route.
        handle: the handler without that.
    """
    headers = deprecation_headers(route)
    calls = DEPRECATED_REQUESTS.labels(route.method, route.path)

    async def counted(request: web.Request) -> web.StreamResponse:
        calls.inc()
        response = await handle(request)
        response.headers.update(headers)
        return response

    setattr(counted, _HEADERS, headers)
    return counted


def headers_of_every_answer(handler: Handler) -> Mapping[str, str]:
    """Return the headers that errors of a route have, too: those of its deprecation.

    Args:
        handler: aiohttp's handler of the route.
    """
    found: Mapping[str, str] = getattr(handler, _HEADERS, _NONE)
    return found
