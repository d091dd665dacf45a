"""Faster path for plain responses: the head and the body are written in one go.

aiohttp's own writer handles every kind of response; see docs/decisions/0011 of the template for what that costs.
Clients see no difference: tests/chassis/test_response_writer.py of the template compares the two.
"""

from typing import TypeGuard, cast

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.helpers import rfc822_formatted_time

from chassis.http.aiohttp_internals import has_cookies, has_prepare_signal, mark_as_sent, serialize_head

_WITHOUT_BODY = {204, 304}


def is_plain(response: web.StreamResponse, request: web.BaseRequest) -> TypeGuard[web.Response]:
    """True if the body is in memory, the connection stays open, and nobody changes the response before it is sent."""
    return (
        type(response) is web.Response
        and type(response.body) is bytes
        and response.status not in _WITHOUT_BODY
        and response.keep_alive is None
        and not (response.prepared or response.chunked or response.compression or has_cookies(response))
        and request.version == HttpVersion11
        and request.keep_alive
        and request.method != hdrs.METH_HEAD
        and not has_prepare_signal(request)
    )


async def write_plain(response: web.Response, request: web.BaseRequest) -> None:
    """Write a plain response.

    Raises:
        ConnectionError: the client has disconnected.
    """
    body, headers = cast(bytes, response.body), response.headers
    headers[hdrs.CONTENT_LENGTH] = str(len(body))
    headers[hdrs.DATE] = rfc822_formatted_time()
    head = serialize_head(f"HTTP/1.1 {response.status} {response.reason}", headers)
    await request.writer.write(head + body)
    await request.writer.drain()  # a client that does not read gets no further responses
    mark_as_sent(response)
