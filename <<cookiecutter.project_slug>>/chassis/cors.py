"""Lets pages of other origins call the API from a browser (CORS, the Fetch standard), where CORS_ORIGINS names them."""

from collections.abc import Collection

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

_REQUEST_HEADERS = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Request-ID, traceparent"
_RESPONSE_HEADERS = "ETag, Link, Location, Retry-After, WWW-Authenticate, X-Request-ID"
_PREFLIGHT_SECONDS = "600"


def cors(origins: Collection[str]) -> Middleware:
    """A middleware that tells browsers which origins may read the answers; cookies are never asked for.

    Args:
        origins: such as `https://example.com`, or `*` for every origin.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        origin = request.headers.get(hdrs.ORIGIN)
        methods = _methods_asked_for(request)
        response = web.Response(status=204) if methods else await handler(request)
        response.headers.add(hdrs.VARY, hdrs.ORIGIN)  # no cache may give one origin's answer to another
        if origin is not None and not {origin, "*"}.isdisjoint(origins):
            # Not the client's own text where every origin may read: it may hold bytes that no header may.
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = "*" if "*" in origins else origin
            response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = _RESPONSE_HEADERS
            if methods:
                response.headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS] = methods
                response.headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = _REQUEST_HEADERS
                response.headers[hdrs.ACCESS_CONTROL_MAX_AGE] = _PREFLIGHT_SECONDS
        return response

    return middleware


def _methods_asked_for(request: web.Request) -> str:
    """The methods of the path, where a browser asks for them before it sends the request itself; empty otherwise."""
    if request.method != hdrs.METH_OPTIONS or hdrs.ACCESS_CONTROL_REQUEST_METHOD not in request.headers:
        return ""
    refusal = request.match_info.http_exception
    return ", ".join(sorted(refusal.allowed_methods)) if isinstance(refusal, web.HTTPMethodNotAllowed) else ""
