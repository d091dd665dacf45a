"""Private names of aiohttp. This module and `connection` use them; the process manager's worker overrides `_run`.

Tested with aiohttp 3.14, to which `pyproject.toml` bounds it. Each function says what breaks when its names change.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from types import FunctionType
from typing import Any, TypeGuard, TypeVar

from aiohttp import ClientConnectionResetError, HttpVersion11, hdrs, web, web_app, web_urldispatcher
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http_writer import _serialize_headers
from aiohttp.web_protocol import RequestHandler

ConnectionFactory = Callable[..., RequestHandler]
Handler = Callable[[Any], Any]
RequestFactory = Callable[..., web.BaseRequest]
PrepareHandler = TypeVar("PrepareHandler", bound=Callable[..., Awaitable[None]])

_FOR_STREAMS = "__for_streams_alone__"
_WITHOUT_BODY = {204, 304}


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


def allow_form(request: web.Request, max_bytes: int) -> None:
    """Let the parts of a form have this size together.

    `_client_max_size` is the application's. Without it a route cannot take a larger form than other routes:
    tests/chassis/test_limits.py fails.
    """
    request._client_max_size = max_bytes


def is_missing(response: web.FileResponse) -> bool:
    """True if the file of a response does not exist. aiohttp would send an empty 404.

    `_path` is the file. Without it a missing static file is no problem response: tests/chassis/test_configure.py fails.
    """
    return not response._path.is_file()


def forget_prepared(request: web.Request) -> None:
    """Undo what a response has set in the request's writer, since another one is sent in its place.

    `_compress` is set by a compressed response. Without it, the problem response of a refused one is unreadable:
    tests/chassis/test_streams.py fails.
    """
    writer = request.writer
    writer.chunked, writer.length, writer._compress = False, None, None  # type: ignore[attr-defined]


def ping_regularly(response: web.WebSocketResponse, seconds: float, max_bytes: int) -> None:
    """Have a WebSocket that is being prepared ping its client, unless it does so, and bound its messages.

    `_heartbeat` and `_pong_heartbeat` are read when the handshake is complete, and so is `_max_msg_size`. Without them
    a client that is gone keeps its WebSocket, and messages have aiohttp's bound: tests/chassis/test_websockets.py
    fails.
    """
    if response._heartbeat is None:
        response._heartbeat, response._pong_heartbeat = seconds, seconds / 2
    response._max_msg_size = min(response._max_msg_size, max_bytes) or max_bytes


def is_complete(response: web.StreamResponse) -> bool:
    """True if a response is sent to its end.

    `_eof_sent` is set by `write_eof`. Without it a handler that goes on after it has ended its response is cancelled
    when the client leaves: tests/chassis/test_streams.py fails.
    """
    return bool(response._eof_sent)


def release(response: web.StreamResponse) -> None:
    """Have a response that has ended refer to its request no more, and a WebSocket ping no more.

    The request and its connection refer to the response. Such a cycle is freed by the garbage collector alone, which
    looks at objects that have lived for some seconds very rarely. `_req` and `_eof_sent` are what aiohttp itself sets
    at the end of a response that is complete, and `_cancel_heartbeat` is what it does when a WebSocket closes. Without
    them memory grows with each stream that a client leaves: tests/chassis/test_streams.py fails.
    """
    if isinstance(response, web.WebSocketResponse):
        response._cancel_heartbeat()
    response._req, response._eof_sent = None, True


def set_route(
    request: web.Request, application: web.Application, route: web.AbstractRoute, parameters: dict[str, str]
) -> None:
    """Set the route of a request, as aiohttp's router and application do.

    `_match_info` is what `request.match_info` returns. `_apps`, `_current_app` and `_frozen` are what the methods
    `add_app` and `freeze` set. Without them no handler can be called, and all tests fail.
    """
    request._match_info = match_info = web.UrlMappingMatchInfo(parameters, route)
    match_info._apps, match_info._current_app, match_info._frozen = [application], application, True


def handles_as_aiohttp_does(application: web.Application) -> bool:
    """True if no library has replaced how an application finds a handler and calls it.

    Sentry's SDK puts wrappers around `_handle` and the router's `resolve`, to see each request. Without these names it
    sees no request that `dispatch` handles: tests/chassis/test_dispatch.py fails.
    """
    own = ((type(application)._handle, web_app), (type(application.router).resolve, web_urldispatcher))
    return all(type(method) is FunctionType and method.__globals__ is vars(module) for method, module in own)


def is_plain(response: web.StreamResponse, request: web.BaseRequest) -> TypeGuard[web.Response]:
    """True if the body is in memory, the connection stays open, and nobody changes the response before it is sent.

    Public properties have the same values, except `_cookies`: a cookie is not in the headers until a response is
    prepared. But each of them is a call, and this is done for each response. `_message` is what the parser has read.
    Without them a response is sent wrongly: tests/chassis/test_plain_responses.py compares both writers.
    """
    message = request._message
    return (
        type(response) is web.Response
        and type(response._body) is bytes
        and response._status not in _WITHOUT_BODY
        and response._keep_alive is None
        and not (
            response._eof_sent
            or response._payload_writer
            or response._chunked
            or response._compression
            or response._cookies
        )
        and message.version == HttpVersion11
        and not message.should_close
        and message.method != hdrs.METH_HEAD
        and not _has_prepare_signal(request)
    )


async def write_plain(response: web.Response, request: web.BaseRequest) -> None:
    """Write the head and the body of a plain response in one go, and wait for a client that does not read.

    aiohttp's own writer handles every kind of response; see docs/decisions/0011 of the template for what that costs.

    Raises:
        ConnectionError: the client has disconnected.
        ValueError: a header has a line break; nothing is written.

    `_serialize_headers` is what aiohttp's own writer uses; its C version is what makes it fast. `_eof_sent` keeps
    aiohttp from writing the response a second time, and `_keep_alive` from closing the connection. `_protocol`,
    `_paused` and `_drain_helper` are what the request's writer uses, in several calls. Without them a client that does
    not read gets further responses: tests/chassis/test_plain_responses.py fails.
    """
    body: bytes = response._body  # type: ignore[assignment]  # `is_plain` says so
    headers = response._headers
    headers[hdrs.CONTENT_LENGTH] = str(len(body))
    headers[hdrs.DATE] = rfc822_formatted_time()
    head = _serialize_headers(f"HTTP/1.1 {response._status} {response._reason}", headers)
    protocol = request._protocol
    transport = protocol.transport
    if transport is None or transport.is_closing():
        raise ClientConnectionResetError("the client has disconnected")
    transport.write(head + body)
    response._keep_alive = response._eof_sent = True
    if protocol._paused:
        await protocol._drain_helper()


def for_streams_alone(handler: PrepareHandler) -> PrepareHandler:
    """Mark a handler of `on_response_prepare` as one that leaves responses alone whose body is in memory."""
    setattr(handler, _FOR_STREAMS, True)
    return handler


def _has_prepare_signal(request: web.BaseRequest) -> bool:
    """True if an application that handles the request has a handler of the signal `on_response_prepare` of its own.

    `_match_info` is None for a request that could not be read; the public property fails for it. `_apps` is the list
    that aiohttp itself sends the signal to.
    """
    match_info = getattr(request, "_match_info", None)
    if match_info is not None:
        for application in match_info._apps:
            for handler in application._on_response_prepare:
                if not hasattr(handler, _FOR_STREAMS):
                    return True
    return False
