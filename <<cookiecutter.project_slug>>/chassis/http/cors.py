"""CORS (the Fetch standard): pages of the origins in CORS_ORIGINS may call the API from a browser."""

from collections.abc import Collection

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

_REQUEST_HEADERS = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Request-ID, traceparent"
_RESPONSE_HEADERS = (
    "Accept-Patch, Accept-Ranges, Content-Disposition, Content-Range, Deprecation, ETag, Link, Location, Retry-After, "
    "Sunset, WWW-Authenticate, X-Request-ID"
)
_PREFLIGHT_SECONDS = "600"


def cors(origins: Collection[str], headers: Collection[str] = ()) -> Middleware:
    """Make the middleware that tells browsers which origins may read responses; it never allows cookies.

    Args:
        origins: the allowed origins, such as `https://example.com`, or `*` for all.
        headers: headers that handlers take, which pages may send.
    """
    request_headers = ", ".join([_REQUEST_HEADERS, *sorted(headers)])

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        methods = _preflight_methods(request)
        response = web.Response(status=204) if methods else await handler(request)
        if allow(request, response, origins) and methods:
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS] = methods
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = request_headers
            response.headers[hdrs.ACCESS_CONTROL_MAX_AGE] = _PREFLIGHT_SECONDS
        return response

    return middleware


def allow(request: web.Request, response: web.StreamResponse, origins: Collection[str]) -> bool:
    """Add the headers to a response that each has, and return whether the request's origin may read it.

    Args:
        request: the request.
        response: its response.
        origins: as of `cors`.
    """
    origin = request.headers.get(hdrs.ORIGIN)
    response.headers.add(hdrs.VARY, hdrs.ORIGIN)  # a cache must not serve one origin's response to another
    if origin is None or {origin, "*"}.isdisjoint(origins):
        return False
    # `*` instead of the client's origin, which may hold bytes that are not valid in a header.
    response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = "*" if "*" in origins else origin
    response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = _RESPONSE_HEADERS
    return True


def _preflight_methods(request: web.Request) -> str:
    """Return the path's methods, separated by commas, for a preflight request; empty for other requests."""
    if request.method != hdrs.METH_OPTIONS or hdrs.ACCESS_CONTROL_REQUEST_METHOD not in request.headers:
        return ""
    refusal = request.match_info.http_exception
    return ", ".join(sorted(refusal.allowed_methods)) if isinstance(refusal, web.HTTPMethodNotAllowed) else ""
