"""How an answer is written that is nothing out of the ordinary: its head and its body in one go.

aiohttp's own way, which knows all that an answer may be, makes a GET an eighth dearer. Clients see no difference:
tests/chassis/test_writing.py compares the two.
"""

from typing import TypeGuard, cast

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http_writer import _serialize_headers

_WITHOUT_BODY = {204, 304}


def is_ordinary(response: web.StreamResponse, request: web.BaseRequest) -> TypeGuard[web.Response]:
    """Whether the response has a body that is there, and the connection stays for the next request."""
    return (
        type(response) is web.Response
        and type(response.body) is bytes
        and response.status not in _WITHOUT_BODY
        and response.keep_alive is None
        and not (response.prepared or response.chunked or response.compression or response._cookies)
        and request.version == HttpVersion11
        and request.keep_alive
        and request.method != hdrs.METH_HEAD
    )


async def write_ordinary(response: web.Response, request: web.BaseRequest) -> None:
    """Writes a response that `is_ordinary`.

    Raises:
        ConnectionError: the client has gone.
    """
    body, headers = cast(bytes, response.body), response.headers
    headers[hdrs.CONTENT_LENGTH] = str(len(body))
    headers[hdrs.DATE] = rfc822_formatted_time()
    head = _serialize_headers(f"HTTP/1.1 {response.status} {response.reason}", headers)
    await request.writer.write(head + body)
    await request.writer.drain()  # a client that does not read gets no further answers
    response._keep_alive = response._eof_sent = True
