"""Dispatches requests to their handlers in fewer steps than aiohttp does: see docs/decisions/0011 of the template.

Paths that are not plain, routes of other kinds and all errors are left to aiohttp's router. Both come to the same
result: tests/chassis/test_dispatch.py of the template compares them.
"""

import re
from collections.abc import Iterator
from functools import partial, update_wrapper
from typing import NamedTuple

from aiohttp import hdrs, web

from chassis.http.aiohttp_internals import Handler, handles_as_aiohttp_does, set_route

_PLAIN_PATH = re.compile(r"[A-Za-z0-9._~/-]+")  # nothing in it is encoded
_PARAMETER = re.compile(r"\(\?P<\w+>\[\^{}/]\+\)")  # of a path, as aiohttp compiles it; it takes no slash
_NEW_STYLE = 1
_INDEXED = {web.PlainResource, web.DynamicResource, web.StaticResource, web.PrefixedSubAppResource}


class _Known(NamedTuple):
    """A route that is known here.

    Attributes:
        depth: aiohttp tries routes with more segments before their first parameter first.
        path: matches its paths.
        handler: its handler behind the middlewares.
    """

    depth: int
    path: re.Pattern[str]
    route: web.AbstractRoute
    handler: Handler


def dispatched(api: web.Application, handler: Handler) -> Handler:
    """Return the handler of all requests of an application.

    Args:
        api: the application, which has started.
        handler: aiohttp's handler of all requests.
    """
    if not handles_as_aiohttp_does(api):
        return handler
    routes: dict[tuple[str, int], list[_Known]] = {}
    if all(getattr(each, "__middleware_version__", None) == _NEW_STYLE for each in api.middlewares):
        for slashes, each in sorted(_known(api), key=lambda known: -known[1].depth):
            routes.setdefault((each.route.method, slashes), []).append(each)

    async def handle(request: web.Request) -> web.StreamResponse:
        path = request.raw_path.partition("?")[0]
        if _PLAIN_PATH.fullmatch(path) and hdrs.EXPECT not in request.headers:
            for each in routes.get((request.method, path.count("/")), ()):
                if found := each.path.fullmatch(path):
                    set_route(request, api, each.route, found.groupdict())
                    return await each.handler(request)  # type: ignore[no-any-return]
        return await handler(request)  # type: ignore[no-any-return]

    return handle


def _known(api: web.Application) -> Iterator[tuple[int, _Known]]:
    """Yield the routes for which aiohttp's router cannot find another one, each with the slashes of its path."""
    others, ours = list[str](), list[tuple[str, web.AbstractResource, re.Pattern[str]]]()
    for resource in api.router.resources():
        if type(resource) not in _INDEXED:
            return  # such as that of a domain, which aiohttp tries first
        path = _path_of(resource)
        if path is None:
            others.append(_fixed_part(resource))
        else:
            ours.append((_fixed_part(resource), resource, path))
    for fixed, resource, path in ours:
        if any(f"{other}/".startswith(f"{fixed}/") for other in others):
            continue
        for route in resource:
            handler: Handler = route.handler
            for middleware in reversed(api.middlewares):
                handler = update_wrapper(partial(middleware, handler=handler), handler)
            yield resource.canonical.count("/"), _Known(fixed.count("/"), path, route, handler)


def _path_of(resource: web.AbstractResource) -> re.Pattern[str] | None:
    """Return what matches the paths of a resource, if they are as many segments as its own; else None."""
    info = resource.get_info()
    if any(route.method == hdrs.METH_ANY for route in resource):
        return None
    if type(resource) is web.PlainResource:
        return re.compile(re.escape(info["path"]))
    if type(resource) is web.DynamicResource and "(?" not in _PARAMETER.sub("", info["pattern"].pattern):
        return info["pattern"]
    return None


def _fixed_part(resource: web.AbstractResource) -> str:
    """Return the segments before the first parameter of a resource: aiohttp looks for resources by them."""
    path = resource.canonical
    return (path.partition("{")[0].rpartition("/")[0] if "{" in path else path).rstrip("/")
