"""A client's connection: every wait for the client is bounded, and a request that cannot be read is a problem, too.

aiohttp waits for the rest of a request, and for its answer to be read, for as long as the client likes.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import structlog
from aiohttp import HttpVersion10, HttpVersion11, StreamReader, hdrs, http_exceptions, web
from aiohttp.http import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import RequestHandler, _ErrInfo

from chassis.errors import RequestTimeoutError
from chassis.metrics import OPEN_CONNECTIONS
from chassis.observe import REQUEST_ID_HEADER, request_id_of
from chassis.problems import problem_response
from chassis.telemetry import count_unreadable
from chassis.writing import is_ordinary, write_ordinary

log = structlog.get_logger()

SERVER = "aiohttp"
"""The Server header, without versions."""


@dataclass(frozen=True)
class Patience:
    """How long a client may keep the service waiting, in seconds and in all, however busily it sends or reads.

    Attributes:
        head: for a request's head, from its first byte on.
        body: for its body, from the head on.
        answer: for reading what it was sent.
    """

    head: float
    body: float
    answer: float


_VERSIONS = {HttpVersion10, HttpVersion11}
# Errors of a request that cannot be read which have a problem of their own; every other one is a "bad-request".
_KNOWN_ERRORS = (RequestTimeoutError, http_exceptions.LineTooLong, web.HTTPExpectationFailed)
_CLIENT_ERRORS = (ValueError, http_exceptions.HttpProcessingError, web.HTTPException)

RequestFactory = Callable[..., web.BaseRequest]


def without_middlewares(error: Exception, request_id: str) -> web.StreamResponse:
    """The response for an exception that reaches no middleware."""
    response = problem_response(error, request_id)
    response.headers[REQUEST_ID_HEADER] = request_id
    return response


def checked(make_request: RequestFactory) -> RequestFactory:
    """Wraps aiohttp's request factory: it refuses what the parser lets pass and aiohttp would answer wrongly.

    aiohttp answers a request of HTTP/0.9 as one of HTTP/1.1, and repeats an unknown Expect in its answer, which fails
    where the header holds bytes that are not UTF-8.
    """

    def make(message: RawRequestMessage, *arguments: Any) -> web.BaseRequest:
        if message.version not in _VERSIONS:
            raise http_exceptions.BadHttpMessage("Unknown version of HTTP")
        if hdrs.EXPECT in message.headers and message.headers[hdrs.EXPECT].lower() != "100-continue":
            raise web.HTTPExpectationFailed
        return make_request(message, *arguments)

    return make


class Connection(RequestHandler):
    """A connection that knows what it waits for, and since when."""

    __slots__ = ("_body", "_body_since", "_head_since", "_rest_is_lost", "_unread_since", "_upgrade_asked", "_wire")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_since: float | None = None
        self._body: StreamReader | None = None  # whose rest is to come
        self._body_since = 0.0
        self._upgrade_asked = self._rest_is_lost = False
        self._unread_since: float | None = None
        self._wire: asyncio.Transport | None = None  # kept when aiohttp has let go of it but it is not closed yet

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._wire = cast(asyncio.Transport, transport)
        OPEN_CONNECTIONS.inc()
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        heads, body_bytes = self._request_count, self._body.total_bytes if self._body is not None else 0
        super().data_received(data)
        if self._upgraded or self._payload_parser is not None:
            self._head_since = self._body = None  # it is the connection's last request
        elif self._request_count != heads and self._messages:
            message, body = self._messages[-1]
            self._head_since = None
            if isinstance(message, _ErrInfo):
                if self._body is not None:
                    # aiohttp would leave the request waiting for its body, and answer the error after it.
                    self._messages.pop()
                    self._give_up_body(web.RequestPayloadError(message.message))
            else:
                self._upgrade_asked = hdrs.UPGRADE in message.headers
                if self._upgrade_asked:
                    self._rest_is_lost = data.count(b"\r\n\r\n") > self._request_count - heads
                if body.is_eof():
                    self._body = None
                    self._look_behind(data, int(message.headers.get(hdrs.CONTENT_LENGTH, 0)))
                else:
                    self._body, self._body_since = body, self._loop.time()
        elif self._body is not None:
            if self._body.is_eof():
                self._look_behind(data, self._body.total_bytes - body_bytes)
                self._body = None
        elif self._head_since is None and data.strip(b"\r\n"):  # empty lines are nothing (RFC 9112, section 2.2)
            self._head_since = self._loop.time()

    def _look_behind(self, data: bytes, body_bytes: int) -> None:
        """Notes what came along with the end of a request: the beginning of the next one's head.

        Behind a wish for another protocol aiohttp's parser drops it, so the request is the connection's last.

        Args:
            data: that ended the request.
            body_bytes: how many of them are its body.
        """
        if data.endswith(b"\r\n\r\n") and not self._upgrade_asked:
            return
        rest = data[data.rfind(b"\r\n\r\n") + 4 :] if b"\r\n\r\n" in data else data
        if len(rest.rstrip(b"\r\n")) > body_bytes:
            if self._upgrade_asked:
                self._rest_is_lost = True
            else:
                self._head_since = self._loop.time()

    def connection_lost(self, exc: BaseException | None) -> None:
        OPEN_CONNECTIONS.dec()
        self._give_up_body(ConnectionResetError("the client has gone"))  # or its rest would be waited for
        super().connection_lost(exc)

    def _give_up_body(self, reason: Exception) -> None:
        """Tells whoever reads the body, be it the handler; the request is the connection's last."""
        if self._body is not None:
            self._body.set_exception(reason)
        self._body = None
        self._close = True

    async def start(self) -> None:
        """Answers the connection's requests, one after the other, and closes the connection, whatever ends this task.

        aiohttp makes the request outside of its own error handling, and an error there, such as a ValueError for
        `GET http://xn--/`, would end the task and leave the connection open.
        """
        try:
            await super().start()
        except Exception as error:
            await self._answer_unreadable(error)
        finally:
            if self._wire is not None:
                self._wire.close()

    async def _answer_unreadable(self, error: Exception) -> None:
        status = 400 if isinstance(error, _CLIENT_ERRORS) else 500
        self._messages.clear()  # nothing that came after this request is answered
        self._messages.append((_ErrInfo(status=status, exc=error, message=""), EMPTY_PAYLOAD))
        try:
            await super().start()
        except Exception:
            log.exception("unforeseen_error")

    @property
    def idle(self) -> bool:
        """No part of a request is known to have come, and none is being answered."""
        return self._waiter is not None and not self._messages and not self.awaits_client

    @property
    def awaits_client(self) -> bool:
        """The client has the next move: the rest of its request, or reading the answer."""
        if self.unread_bytes:
            return True
        if self._current_request is None:
            return self._head_since is not None or self._body is not None
        return self._current_request.content is self._body and not self._reading_paused

    @property
    def unread_bytes(self) -> int:
        """What the client was sent and has not taken, as far as this process still holds it."""
        return self._wire.get_write_buffer_size() if self._wire is not None else 0

    def abort(self) -> None:
        """Ends the connection without waiting for the client, as closing it would."""
        if self._wire is not None:
            self._wire.abort()

    def end_overdue(self, now: float, patience: Patience) -> None:
        """Ends a wait for the client that has taken too long."""
        if not self.unread_bytes:
            self._unread_since = None
        elif self._unread_since is None:
            self._unread_since = now
        elif now - self._unread_since > patience.answer:
            self.abort()
        if self._reading_paused:  # it is this side that does not take what the client sends
            self._body_since = now
        elif self._body is not None and now - self._body_since > patience.body:
            self._give_up_body(RequestTimeoutError())
        if self._head_since is not None and now - self._head_since > patience.head:
            self._head_since = None
            self._close = True
            self._messages.append((_ErrInfo(status=408, exc=RequestTimeoutError(), message=""), EMPTY_PAYLOAD))
            if self._waiter is not None and not self._waiter.done():
                self._waiter.set_result(None)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        if self._rest_is_lost:
            resp.force_close()
        if self._upgraded or not is_ordinary(resp, request):
            return await super().finish_response(request, resp, start_time)
        try:
            await write_ordinary(resp, request)
        except ConnectionError:
            return resp, True
        return resp, False

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
            # Without the message, which holds a piece of the request, be it a secret.
            log.info("bad_request", reason=type(exc).__name__, request_id=request_id)
        else:
            error = exc if isinstance(exc, Exception) else RuntimeError(message)
            log.error("unforeseen_error", exc_info=exc, request_id=request_id)
        if request.writer.output_size > 0:
            raise ConnectionError("a part of the answer is sent already")
        response = without_middlewares(error, request_id)
        response.headers[hdrs.SERVER] = SERVER
        response.force_close()
        count_unreadable(response.status)
        return response

    def log_exception(self, *args: Any, **kwargs: Any) -> None:
        """Logs what aiohttp cannot handle; a rest of a body that nobody wanted and that never came right is no such."""
        if not isinstance(kwargs.get("exc_info"), web.RequestPayloadError | RequestTimeoutError | ConnectionError):
            super().log_exception(*args, **kwargs)
