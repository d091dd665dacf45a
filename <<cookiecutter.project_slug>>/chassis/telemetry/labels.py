"""Labels of a request, for metrics, spans and the log. Each has few values."""

from functools import lru_cache

from aiohttp import hdrs, web

OTHER_METHOD = "_OTHER"
"""Every method that is not one of HTTP's."""
NO_ROUTE = "unmatched"
"""The route of a request that matches none."""


def method_of(request: web.Request) -> str:
    """Return the request's method, as a label: one of HTTP's, or `_OTHER`."""
    return request.method if request.method in hdrs.METH_ALL else OTHER_METHOD


def route_of(request: web.Request) -> str:
    """Return the path of the request's route, as a label: `/v1/items/{item_id}`, or `unmatched`."""
    route = request.match_info.route
    return _path_of(route) if type(route) is web.ResourceRoute else NO_ROUTE


@lru_cache(1000)
def _path_of(route: web.ResourceRoute) -> str:
    return route.resource.canonical if route.resource is not None else NO_ROUTE
