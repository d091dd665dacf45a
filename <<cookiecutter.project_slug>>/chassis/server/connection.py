"""The server's side of a client connection: a timeout for every wait for the client, a problem for unreadable requests.

aiohttp itself waits without a bound for the rest of a request and for the client to read the response.

This module uses private names of `aiohttp.web_protocol.RequestHandler`, the protocol of a connection. Without them:

- `_messages`, `_waiter`, `_request_count`, `_ErrInfo`: header timeouts do not fire, and idle connections are not closed
  at shutdown.
- `_buffer_paused`, `_max_msg_queue_size`: a connection is not read any more after a pause.
- `_current_request`, `_reading_paused`, `_loop`: body timeouts do not fire, or hit a client that is not slow.
- `_upgraded`, `_payload_parser`: a timeout hits a WebSocket.
- `_data_received_cb`: memory grows with each WebSocket that a client leaves.
- `_close`: the connection is used after a request that cannot be read.
- `_post`, `_finish` of the request: the temporary files of a form stay open.

tests/chassis/test_connection.py of the template fails for each of them.
"""

import asyncio
import sys
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast

import structlog
from aiohttp import HttpVersion10, HttpVersion11, StreamReader, hdrs, http_exceptions, web
from aiohttp.http import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import RequestHandler, _ErrInfo

from chassis.errors import RequestTimeoutError
from chassis.http.aiohttp_internals import RequestFactory, is_plain, release, write_plain
from chassis.http.problem_details import problem_response, problem_type_of
from chassis.http.request_body import Request, RequestBodyReader
from chassis.http.streams import SERVER, Stream, reset, stream_of
from chassis.settings import Settings
from chassis.telemetry.health import Health, State
from chassis.telemetry.metrics import OPEN_CONNECTIONS
from chassis.telemetry.request_id import REQUEST_ID_HEADER, request_id_of
from chassis.telemetry.request_log import ON_SENT, count_unreadable

log = structlog.get_logger()


@dataclass(frozen=True)
class ClientTimeouts:
    """How long a client may keep the service waiting, in seconds.

    Attributes:
        head: for the head of a request, from its first byte on.
        body: for its body, from the head on, at any rate.
        body_rate: the bytes a second that a body has to bring in each further such time.
        response: for reading a response that is not streamed.
    """

    head: float
    body: float
    body_rate: int
    response: float


_VERSIONS = {HttpVersion10, HttpVersion11}
# Errors of unreadable requests that have a problem type of their own; every other one is a "bad-request".
_KNOWN_ERRORS = (RequestTimeoutError, http_exceptions.LineTooLong, web.HTTPExpectationFailed)
_BODY_ERRORS = (web.RequestPayloadError, web.HTTPRequestEntityTooLarge, RequestTimeoutError, ConnectionError)
_CLIENT_ERRORS = (ValueError, http_exceptions.HttpProcessingError, web.HTTPException)


def client_timeouts(settings: Settings) -> ClientTimeouts:
    """Return the timeouts of a service."""
    return ClientTimeouts(
        settings.header_timeout_seconds,
        settings.body_timeout_seconds,
        settings.body_min_bytes_per_second,
        settings.request_timeout_seconds,
    )


def without_middlewares(error: Exception, request_id: str) -> web.StreamResponse:
    """Make the response for an exception that reaches no middleware."""
    response = problem_response(error, request_id)
    response.headers[REQUEST_ID_HEADER] = request_id
    return response


def checked(make_request: RequestFactory) -> RequestFactory:
    """Wrap aiohttp's request factory, so that it refuses what the parser accepts and aiohttp would answer wrongly.

    aiohttp answers a request of HTTP/0.9 as one of HTTP/1.1. It repeats an unknown Expect in its answer, which fails if
    the header holds bytes that are not UTF-8.
    """

    def make(message: RawRequestMessage, *arguments: Any) -> web.BaseRequest:
        if message.version not in _VERSIONS:
            raise http_exceptions.BadHttpMessage("Unknown version of HTTP")
        if hdrs.EXPECT in message.headers and message.headers[hdrs.EXPECT].lower() != "100-continue":
            raise web.HTTPExpectationFailed
        return make_request(message, *arguments)

    return make


class Connection(RequestHandler):
    """A connection that knows what it waits for, and since when.

    Args:
        health: while it is draining, each response closes its connection.
    """

    __slots__ = (
        "_body",
        "_body_began",
        "_body_bytes",
        "_body_failure",
        "_body_since",
        "_frames_at",
        "_head_since",
        "_health",
        "_rest_is_lost",
        "_sending",
        "_socket",
        "_unsent_since",
        "_upgrade_asked",
    )

    def __init__(self, health: Health, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # aiohttp's parser counts a request whose body is incomplete twice, and stops one before this bound.
        self._max_msg_queue_size -= 1
        self._health = health
        self._head_since: float | None = None
        self._body: StreamReader | None = None  # of which a part has not arrived yet
        self._body_began = self._body_since = 0.0  # the second is when the present interval has begun
        self._body_bytes = 0  # until then
        self._body_failure: Exception | None = None
        self._frames_at = 0.0  # when the client has last sent something to a WebSocket
        self._sending: web.BaseRequest | None = None  # whose response aiohttp sends; it has forgotten the request
        self._upgrade_asked = self._rest_is_lost = False
        self._unsent_since: float | None = None
        # aiohttp forgets its transport before that is closed.
        self._socket: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._socket = cast(asyncio.Transport, transport)
        OPEN_CONNECTIONS.inc()
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        heads, body_bytes = self._request_count, self._body.total_bytes if self._body is not None else 0
        super().data_received(data)
        if self._upgraded or self._payload_parser is not None:
            self._head_since = self._body = None  # this is the connection's last request
            self._frames_at = self._loop.time()
        elif self._request_count != heads and self._messages:
            message, body = self._messages[-1]
            self._head_since = None
            if isinstance(message, _ErrInfo):
                message.exc.__traceback__ = None  # its frames refer to it, and to the data
                if self._body is not None:
                    # aiohttp would leave the request before it waiting for its body, and then answer this error.
                    self._messages.pop()
                    self._fail_body(web.RequestPayloadError(message.message))
            else:
                self._upgrade_asked = hdrs.UPGRADE in message.headers
                if self._upgrade_asked:
                    self._rest_is_lost = data.count(b"\r\n\r\n") > self._request_count - heads
                if body is EMPTY_PAYLOAD or body.is_eof():
                    self._body = None
                    if not data.endswith(b"\r\n\r\n"):
                        self._check_rest(data, int(message.headers.get(hdrs.CONTENT_LENGTH, 0)))
                else:
                    self._body, self._body_bytes = body, body.total_bytes
                    self._body_began = self._body_since = self._loop.time()
        elif self._body is not None:
            self._check_size(self._body)
            if self._body is not None and self._body.is_eof():
                self._check_rest(data, self._body.total_bytes - body_bytes)
                self._body = None
        elif self._head_since is None and data.strip(b"\r\n"):  # empty lines before a request do not count (RFC 9112)
            self._head_since = self._loop.time()

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Go on reading. aiohttp calls this at the end of each body, and at each read of one."""
        if self._reading_paused or self._buffer_paused:
            super().resume_reading(resume_parser)

    def _check_size(self, body: StreamReader) -> None:
        """Refuse a body that becomes too large while a handler reads it piece by piece."""
        if reader := self._reader_of(body):
            try:
                reader.check_size(body.total_bytes)
            except web.HTTPRequestEntityTooLarge as error:
                self._fail_body(error)

    def _reader_of(self, body: StreamReader) -> RequestBodyReader | None:
        """Return what has the limits of a body, if it is that of the request that is being answered."""
        request = self._current_request
        return request.body_reader if isinstance(request, Request) and request.content is body else None

    def _check_rest(self, data: bytes, body_bytes: int) -> None:
        """Start the header timeout if the next request's head begins in the same packet as this request ends.

        After a request with an Upgrade header, aiohttp's parser drops these bytes. Then close the connection after this
        response. Otherwise the client would match the next response to the dropped request.

        Args:
            data: the packet.
            body_bytes: how many of its bytes are the body of the request that has ended.
        """
        rest = data[data.rfind(b"\r\n\r\n") + 4 :] if b"\r\n\r\n" in data else data
        if len(rest.rstrip(b"\r\n")) > body_bytes:
            if self._upgrade_asked:
                self._rest_is_lost = True
            else:
                self._head_since = self._loop.time()

    def connection_lost(self, exc: BaseException | None) -> None:
        OPEN_CONNECTIONS.dec()
        self._fail_body(ConnectionResetError("the client has disconnected"))
        if stream := self.stream:
            stream.lost()
        super().connection_lost(exc)
        self._data_received_cb = None  # a method of a WebSocket, which refers to this connection

    def _fail_body(self, reason: Exception) -> None:
        """Make reads of the request's body raise an error, and close the connection after this request."""
        if self._body is not None:
            self._body.set_exception(reason)
            self._body_failure = reason
        self._body = None
        self._close = True

    async def start(self) -> None:
        """Answer the connection's requests one after the other, and close the connection, whatever ends this task.

        aiohttp makes the request outside of its own error handling. An error there, such as a ValueError for
        `GET http://xn--/`, would end the task and leave the connection open.
        """
        try:
            await super().start()
        except Exception as error:
            await self._answer_unreadable(error)
        finally:
            if self._body_failure is not None:
                self._body_failure.__traceback__ = None  # its frames refer to the body, and that to it
            if self._socket is not None:
                self._socket.close()

    async def _answer_unreadable(self, error: Exception) -> None:
        status = 400 if isinstance(error, _CLIENT_ERRORS) else 500
        self._messages.clear()  # requests after this one are not answered
        self._messages.append((_ErrInfo(status=status, exc=error, message=""), EMPTY_PAYLOAD))
        try:
            await super().start()
        except Exception:
            log.exception("unforeseen_error")

    @property
    def idle(self) -> bool:
        """True if no part of a request has arrived, and none is being answered."""
        return self._waiter is not None and not self._messages and not self.waits_for_client

    @property
    def waits_for_client(self) -> bool:
        """True if the client has to act next: to send the rest of its request, or to read the response."""
        if self.unsent_bytes:
            return True
        if self._current_request is None:
            return self._head_since is not None or self._body is not None
        return self._current_request.content is self._body and not self._reading_paused

    @property
    def stream(self) -> Stream | None:
        """The stream that answers the present request, if it has begun."""
        request = self._current_request or self._sending
        stream = stream_of(request) if request is not None else None
        return stream if stream and stream.started else None

    @property
    def unsent_bytes(self) -> int:
        """Bytes of responses that the client has not read and this process still holds."""
        return self._socket.get_write_buffer_size() if self._socket is not None else 0

    def cut(self) -> None:
        """Disconnect a client that does not read. Closing would first wait until the client has read what is unsent."""
        if stream := self.stream:
            stream.cut("slow-client")
        elif self._socket is not None:
            reset(self._socket)

    def enforce_timeouts(self, now: float, timeouts: ClientTimeouts) -> None:
        """End a wait for the client that has taken too long."""
        if stream := self.stream:
            self._unsent_since = None
            if reason := stream.overdue(now, self._frames_at, self.unsent_bytes):
                stream.cut(reason)
        elif not self.unsent_bytes:
            self._unsent_since = None
        elif self._unsent_since is None:
            self._unsent_since = now
        elif now - self._unsent_since > timeouts.response:
            self.cut()
        if self._body is not None and self._is_late(self._body, now, timeouts):
            self._fail_body(RequestTimeoutError())
        if self._head_since is not None and now - self._head_since > timeouts.head:
            self._head_since = None
            self._close = True
            self._messages.append((_ErrInfo(status=408, exc=RequestTimeoutError(), message=""), EMPTY_PAYLOAD))
            if self._waiter is not None and not self._waiter.done():
                self._waiter.set_result(None)

    def _is_late(self, body: StreamReader, now: float, timeouts: ClientTimeouts) -> bool:
        """Return whether a body takes too long, or has arrived too slowly in an interval that has ended."""
        reader = self._reader_of(body)
        if reader and reader.seconds is not None and now - self._body_began > reader.seconds:
            return True
        seconds, arrived = now - self._body_since, body.total_bytes - self._body_bytes
        if self._reading_paused:  # the handler does not read, so the client cannot send
            arrived = sys.maxsize
        elif seconds <= timeouts.body:
            return False
        self._body_since, self._body_bytes = now, body.total_bytes
        return arrived < timeouts.body_rate * seconds

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        resp.headers[hdrs.SERVER] = SERVER
        headers, content = request.headers, request.content
        # After a broken body the byte stream is out of sync. Bytes after an Upgrade request may not be HTTP.
        if (
            self._rest_is_lost
            or (content is not EMPTY_PAYLOAD and content.exception() is not None)
            or request.method == hdrs.METH_CONNECT
            or (hdrs.UPGRADE in headers and "websocket" in headers[hdrs.UPGRADE].lower())
        ):
            resp.force_close()
        if self._health.state is State.DRAINING:
            # The first closes the connection, the second tells the client not to reuse it.
            resp.force_close()
            resp.headers[hdrs.CONNECTION] = "close"
        try:
            if self._upgraded or not is_plain(resp, request):
                return await self._finish_other(request, resp, start_time)
            await write_plain(resp, request)
            if request._post is not None:
                request._finish()
        except ConnectionError:
            return resp, True
        except ValueError as error:  # a header with a line break: nothing of the response is sent
            return await super().finish_response(request, self.handle_error(request, 500, error), start_time)
        return resp, False

    async def _finish_other(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        self._sending = request
        try:
            finished = await super().finish_response(request, resp, start_time)
            if (stream := self.stream) and stream.missing_bytes > 0:
                self._fail_stream(stream, ValueError("the response has fewer bytes than its Content-Length"))
            return finished
        except ConnectionError:
            raise
        except Exception as error:  # of the iterator or the file that the body is
            if not (stream := self.stream):
                raise
            self._fail_stream(stream, error)
            return resp, True
        finally:
            self._sending = None
            release(resp)
            if on_sent := request.pop(ON_SENT, None):
                on_sent()

    def _fail_stream(self, stream: Stream, error: Exception) -> None:
        """Cut a stream that has failed after its handler has returned it."""
        kind = problem_type_of(type(error))
        if kind.status == HTTPStatus.INTERNAL_SERVER_ERROR:
            log.error("unforeseen_error", exc_info=error)
        stream.cut(kind.name)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        request_id = request_id_of(request.headers)
        if status < 500:
            error: Exception = exc if isinstance(exc, _KNOWN_ERRORS) else web.HTTPBadRequest()
            # Not the message: it quotes the request, which may hold secrets.
            log.info("bad_request", reason=type(exc).__name__, request_id=request_id)
        else:
            error = exc if isinstance(exc, Exception) else RuntimeError(message)
            log.error("unforeseen_error", exc_info=exc, request_id=request_id)
        if request.writer.output_size > 0:
            raise ConnectionError("a part of the response is sent already")
        response = without_middlewares(error, request_id)
        response.headers[hdrs.SERVER] = SERVER
        response.force_close()
        count_unreadable(response.status)
        return response

    def log_exception(self, *args: Any, **kwargs: Any) -> None:
        """Log errors that aiohttp cannot handle, except failures of a body that no handler reads."""
        if not isinstance(kwargs.get("exc_info"), _BODY_ERRORS):
            super().log_exception(*args, **kwargs)
