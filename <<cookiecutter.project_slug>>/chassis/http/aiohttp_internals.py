"""Private names of aiohttp. This module and `connection` use them; the process manager's worker overrides `_run`.

Tested with aiohttp 3.14, to which `pyproject.toml` bounds it. Each function says what breaks when its names change.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from aiohttp import web
from aiohttp.http_writer import _serialize_headers
from aiohttp.web_protocol import RequestHandler
from multidict import CIMultiDict

ConnectionFactory = Callable[..., RequestHandler]
Handler = Callable[[web.BaseRequest], Any]
RequestFactory = Callable[..., web.BaseRequest]


class Server(web.Server):
    """A server that makes its connections by a factory.

    `_loop` and `_kwargs` are what aiohttp's own server passes to a connection. Without them no connection can be made,
    and the first test that serves anything fails.
    """

    def __init__(
        self, make_connection: ConnectionFactory, handler: Handler, make_request: RequestFactory, **options: Any
    ) -> None:
        super().__init__(handler, request_factory=make_request, **options)
        self._make_connection = make_connection

    def __call__(self) -> RequestHandler:
        return self._make_connection(self, loop=self._loop, **self._kwargs)


class AppRunner(web.AppRunner):
    """A runner whose server is made by `make_server`.

    `_make_server` makes aiohttp's own server. If it is no longer called, connections have no timeouts and a shutdown
    loses requests: the tests of both fail.
    """

    def make_server(self, handler: Handler, make_request: RequestFactory, options: dict[str, Any]) -> web.Server:
        """Make the server.

        Args:
            handler: answers a request of the application.
            make_request: makes the request from what the parser has read.
            options: for the server's constructor.
        """
        raise NotImplementedError

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        return self.make_server(server.request_handler, server.request_factory, self._kwargs)


def make_requests(application: web.Application, request_class: type[web.Request]) -> None:
    """Have an application make its requests of this class, whichever server serves it, a test's among them.

    `_make_request` is the application's request factory, and `_cls` its class. Setting it as an attribute would warn.
    Without them `await request.read()` has aiohttp's limits: tests/chassis/test_request_and_answer.py fails.
    """
    object.__setattr__(application, "_make_request", partial(application._make_request, _cls=request_class))


def is_missing(response: web.FileResponse) -> bool:
    """True if the file of a response does not exist. aiohttp would send an empty 404.

    `_path` is the file. Without it a missing static file is no problem response: tests/chassis/test_configure.py fails.
    """
    return not response._path.is_file()


def serialize_head(status_line: str, headers: CIMultiDict[str]) -> bytes:
    """Serialize a response's head. Raises ValueError if a header has a line break.

    `_serialize_headers` is what aiohttp's own writer uses; its C version is what makes it fast.
    """
    return _serialize_headers(status_line, headers)


def has_cookies(response: web.Response) -> bool:
    """True if the response sets cookies, which are not in its headers until it is prepared.

    Without `_cookies` such a cookie would be lost. A test of the template compares both writers.
    """
    return bool(response._cookies)


def has_prepare_signal(request: web.BaseRequest) -> bool:
    """True if an application that handles the request has a handler of the signal `on_response_prepare`.

    `_match_info` is None for a request that could not be read; the public property fails for it. `_apps` is the list
    that aiohttp itself sends the signal to.
    """
    match_info = getattr(request, "_match_info", None)
    if match_info is not None:
        for application in match_info._apps:
            if application.on_response_prepare:
                return True
    return False


def mark_as_sent(response: web.Response) -> None:
    """Tell aiohttp that the response is written, and that its connection stays open.

    `_eof_sent` keeps aiohttp from writing it a second time, and `_keep_alive` from closing the connection.
    """
    response._keep_alive = response._eof_sent = True
