"""Streams: responses that are sent piece by piece, such as files, exports, server-sent events and WebSockets.

A handler that prepares a response of aiohttp's has begun a stream. From the head of the response on, the stream has no
deadline and is no request in flight. It has one of MAX_STREAMS places, and bounds for its idleness and for a client
that does not read, which `chassis.server.connection` watches.
"""

import asyncio
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from aiohttp import WSCloseCode, hdrs, web

from chassis.concurrency.cancellation import abandon
from chassis.contract import Limits
from chassis.errors import ShuttingDownError, TooManyStreamsError
from chassis.http.aiohttp_internals import is_complete, ping_regularly, release
from chassis.http.cors import allow
from chassis.http.deprecation import headers_of_every_answer
from chassis.http.websockets import count_messages, forget_count
from chassis.settings import Settings
from chassis.telemetry.health import Health, State
from chassis.telemetry.request_id import REQUEST_ID, REQUEST_ID_HEADER
from chassis.telemetry.stream_record import RECORD, StreamRecord

SERVER = "aiohttp"
"""The Server header, without versions."""
EVENT_STREAM = "text/event-stream"
"""The media type of server-sent events (the HTML standard)."""
# For a client to answer that it closes a WebSocket, too, and then for the handler to end.
_CLOSE_SECONDS = 0.75
_WITHOUT_BODY = {204, 304}
_NO_LINGERING = struct.pack("ii", 1, 0)
_ABNORMAL = WSCloseCode.ABNORMAL_CLOSURE
_PINGS = 3  # within the time that a stream may be idle

ORIGINAL: web.RequestKey[web.BaseRequest] = web.RequestKey("original")
"""The request that this one is a clone of, as a middleware makes it. The connection knows the original alone."""
TOKEN_EXPIRES: web.RequestKey[float] = web.RequestKey("token_expires")
"""When the stream has to end because the caller's token expires, in seconds of Unix time."""


def reset(transport: asyncio.Transport) -> None:
    """Disconnect at once, and drop what is unsent.

    By a reset and not by an end, which a client of HTTP/1.0 takes for the end of the body. An end would also wait for
    a client that reads nothing, and keep the unsent bytes in the kernel's memory.
    """
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGERING)
    transport.abort()


class HeadOnlyError(BaseException):
    """Ends a handler that has prepared the response to a HEAD request: nothing follows the head.

    No `Exception`, which the handler or a middleware of the service may take for a failure.
    """

    def __init__(self, response: web.StreamResponse) -> None:
        headers = response.headers.copy()
        headers.pop(hdrs.TRANSFER_ENCODING, None)
        self.response = web.Response(status=response.status, headers=headers)


class Stream(StreamRecord):
    """A stream that has a place.

    Args:
        request: the request.
        response: its response.
        limits: of its route.
        settings: of the service.
        task: sends the stream: it runs the handler, or sends the response that the handler has returned.
        seconds_to_head: from the head of the request to that of the response.
        close: frees the place.

    Attributes:
        by_handler: True if the handler sends the stream itself.
        ending: True if the service has asked the handler to end.
        missing_bytes: of the body, as long as it is shorter than its Content-Length.
    """

    def __init__(
        self,
        request: web.Request,
        response: web.StreamResponse,
        limits: Limits,
        settings: Settings,
        task: "asyncio.Task[Any]",
        seconds_to_head: float,
        close: Callable[["Stream"], None],
    ) -> None:
        super().__init__(request, response, seconds_to_head)
        self._idle_seconds = limits.idle_seconds or settings.stream_idle_timeout_seconds
        self._send_seconds = limits.send_seconds or settings.stream_send_timeout_seconds
        self._close = close
        self._task = task
        self.by_handler = False
        self.ending = False
        self.missing_bytes = 0
        self._cleanup_seconds = settings.request_timeout_seconds
        self._timer: asyncio.TimerHandle | None = None
        self._active_at = self._taken_at = asyncio.get_running_loop().time()
        self._seen = (0, 0)
        self._unsent = 0

    def start(self) -> None:
        super().start()
        if isinstance(self.response, web.FileResponse):
            return  # the kernel may send it, past the writer that counts
        with_body = self.request.method != hdrs.METH_HEAD and self.response.status not in _WITHOUT_BODY
        if with_body and (length := self._writer.length):
            self.missing_bytes = length
            self._writer.on_body_write = self._count_body

    def _count_body(self, size: int, _: int) -> None:
        self.missing_bytes -= size

    @property
    def endless(self) -> bool:
        """True if the client knows that the stream can end at any time, and comes back."""
        return self.messages is not None or self.response.content_type == EVENT_STREAM

    def overdue(self, now: float, received_at: float, unsent_bytes: int) -> str:
        """Return why the stream has to be aborted, or an empty text.

        Args:
            now: the event loop's time.
            received_at: when the client has last sent something.
            unsent_bytes: that the client has not taken.
        """
        if not unsent_bytes or unsent_bytes < self._unsent:
            self._taken_at = now
        self._unsent = unsent_bytes
        if unsent_bytes:
            self._active_at = now  # it is the client's turn
            return "slow-client" if now - self._taken_at > self._send_seconds else ""
        seen = self.bytes, self.messages or 0
        if seen != self._seen:
            self._seen, self._active_at = seen, now
        return "idle" if now - max(self._active_at, received_at) > self._idle_seconds else ""

    def cut(self, reason: str) -> None:
        """Disconnect at once, because the rest of the response cannot be sent.

        Args:
            reason: for the log and the metric.
        """
        if not self.aborted and not self.client_left:
            self.abort(reason)
        if transport := self.request.transport:
            reset(transport)

    def lost(self) -> None:
        """Cancel what sends the stream, because the connection is lost.

        If both sides have ended the stream before, the handler may clean up, for as long as a request may take.
        """
        if self.ending:
            return
        if self._is_complete():
            self._set_timer(self._cleanup_seconds, self._task.cancel)
            return
        self.client_left = not self.aborted
        self._task.cancel()

    def _is_complete(self) -> bool:
        response = self.response
        if isinstance(response, web.WebSocketResponse):
            return response.closed and response.close_code != _ABNORMAL
        return is_complete(response)

    async def finish(self, code: int, message: bytes, reason: str) -> None:
        """End the stream: properly if its client comes back, otherwise by cutting it.

        Args:
            code: with which a WebSocket is closed.
            message: sent with the code.
            reason: why a stream is cut that the client would take for complete.
        """
        if not self.endless or not self.by_handler:
            self.cut(reason)
            return
        self.ending = True
        if isinstance(self.response, web.WebSocketResponse):
            with suppress(TimeoutError, RuntimeError):  # a RuntimeError if the handshake is not complete
                await asyncio.wait_for(self.response.close(code=code, message=message), _CLOSE_SECONDS)
            await asyncio.wait({self._task}, timeout=_CLOSE_SECONDS)  # a handler that reads messages ends by itself
        self._task.cancel()

    def abandon(self) -> None:
        """Let the process end without a handler that ignores that it is cancelled."""
        for task in (self._task, self.request.task):
            if task and not task.done():
                abandon(task)

    def expire_at(self, unix_time: float) -> None:
        """End the stream at this time, because the caller's token has expired."""
        self._set_timer(unix_time - time.time(), self._expire)

    def _set_timer(self, seconds: float, function: Callable[[], object]) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, function)

    def _expire(self) -> None:
        self._expiring = asyncio.ensure_future(
            self.finish(WSCloseCode.POLICY_VIOLATION, b"the token has expired", "token-expired")
        )

    def end(self, seconds: float) -> None:
        super().end(seconds)
        if self._timer:
            self._timer.cancel()
        self._close(self)
        # Or the cycles of these objects wait for the garbage collector.
        self._writer.on_body_write = None
        self.request.pop(RECORD, None)
        forget_count(self.response)
        release(self.response)


def original_of(request: web.BaseRequest) -> web.BaseRequest:
    """Return the request that this one is a clone of, or itself."""
    original: web.BaseRequest = request.get(ORIGINAL, request)
    return original


def stream_of(request: web.BaseRequest) -> Stream | None:
    """Return the stream that answers a request, if there is one."""
    stream = original_of(request).get(RECORD)
    return stream if isinstance(stream, Stream) else None


class Streams:
    """The streams of a process.

    Args:
        settings: of the service.
        health: no streams begin while it is draining.
    """

    def __init__(self, settings: Settings, health: Health) -> None:
        self._settings, self._health = settings, health
        self._open = set[Stream]()
        self._uploads = 0

    @contextmanager
    def upload(self) -> Iterator[None]:
        """Give a request a place whose handler reads the body piece by piece.

        Raises:
            TooManyStreamsError: there is none.
        """
        self._check_room()
        self._uploads += 1
        try:
            yield
        finally:
            self._uploads -= 1

    def admit(
        self,
        request: web.Request,
        response: web.StreamResponse,
        limits: Limits,
        task: "asyncio.Task[Any]",
        seconds_to_head: float,
    ) -> Stream:
        """Give a response a place.

        Args:
            request: the request.
            response: its response.
            limits: of its route.
            task: sends the response.
            seconds_to_head: from the head of the request to that of the response.

        Raises:
            ShuttingDownError: the service is draining, and the end of the response is not known beforehand.
            TooManyStreamsError: there is no place.
        """
        length_known = isinstance(response, web.FileResponse) or response.content_length is not None
        if self._health.state is State.DRAINING and not length_known:
            raise ShuttingDownError
        self._check_room()
        stream = Stream(request, response, limits, self._settings, task, seconds_to_head, self._open.discard)
        self._open.add(stream)
        request[RECORD] = stream
        if response.content_type == EVENT_STREAM:
            response.headers.setdefault(hdrs.CACHE_CONTROL, "no-store")
            response.headers.setdefault("X-Accel-Buffering", "no")  # or nginx holds events back
        if expires := request.get(TOKEN_EXPIRES):
            stream.expire_at(expires)
        return stream

    def _check_room(self) -> None:
        if len(self._open) + self._uploads >= self._settings.max_streams:
            raise TooManyStreamsError

    def begin(self, stream: Stream, limits: Limits) -> None:
        """Begin a stream that a handler sends itself: complete its head.

        Args:
            stream: the stream.
            limits: of its route.
        """
        request, response, headers = stream.request, stream.response, stream.response.headers
        stream.by_handler = True
        headers[hdrs.SERVER] = SERVER
        headers[REQUEST_ID_HEADER] = request[REQUEST_ID]
        headers.update(headers_of_every_answer(request.match_info.handler))
        if self._settings.cors_origins:
            allow(request, response, self._settings.cors_origins)
        if self._health.state is State.DRAINING:
            response.force_close()
            headers[hdrs.CONNECTION] = "close"
        if isinstance(response, web.WebSocketResponse):
            idle = limits.idle_seconds or self._settings.stream_idle_timeout_seconds
            max_bytes = limits.body_bytes or self._settings.max_body_bytes
            ping_regularly(response, idle / _PINGS, max_bytes)
            count_messages(response, stream)

    async def finish(self, _: web.Application) -> None:
        """End the streams that know no end, before the service stops."""
        endless = [stream for stream in self._open if stream.endless]
        message = b"the service is shutting down"
        await asyncio.gather(*(each.finish(WSCloseCode.GOING_AWAY, message, "shutdown") for each in endless))

    async def abandon(self, _: web.Application) -> None:
        """Abandon what is not over when the service has stopped."""
        for stream in self._open:
            stream.abandon()
