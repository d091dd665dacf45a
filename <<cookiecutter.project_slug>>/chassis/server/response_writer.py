"""Faster path for plain responses: the head and the body are written in one go.

aiohttp's own writer handles every kind of response; see docs/decisions/0011 of the template for what that costs.
Clients see no difference: tests/chassis/test_response_writer.py of the template compares the two.
"""

from aiohttp import web
from aiohttp.helpers import rfc822_formatted_time

from chassis.http.aiohttp_internals import is_plain, send, serialized

__all__ = ["is_plain", "write_plain"]


async def write_plain(response: web.Response, request: web.BaseRequest) -> None:
    """Write a plain response, and wait for a client that does not read.

    Raises:
        ConnectionError: the client has disconnected.
        ValueError: a header has a line break; nothing is written.
    """
    await send(serialized(response, rfc822_formatted_time()), response, request)
