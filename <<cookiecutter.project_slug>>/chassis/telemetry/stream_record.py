"""What a stream has sent and how it ended, for its lines in the log and for the metrics.

{"method":"GET","route":"/v1/events","status":200,"request_id":"…","event":"stream_started", …}
{"method":"GET","route":"/v1/events","status":200,"reason":"idle","request_id":"…","event":"stream_aborted", …}
"""

from contextvars import copy_context

import structlog
from aiohttp import Payload, web

from chassis.telemetry.labels import method_of, route_of
from chassis.telemetry.metrics import (
    ACTIVE_REQUESTS,
    ACTIVE_STREAMS,
    STREAM_DURATION,
    STREAMS_ABORTED,
    request_duration,
)

log = structlog.get_logger()


class StreamRecord:
    """What a stream has sent, and how it ended.

    Args:
        request: the request.
        response: its response.
        seconds_to_head: from the head of the request to that of the response.

    Attributes:
        started: True from the head of the response on.
        messages: of a WebSocket, sent and received.
        message_bytes: of these messages.
        aborted: why the service has cut the connection; empty if it has not.
        client_left: True if the client has disconnected before the end.
    """

    def __init__(self, request: web.Request, response: web.StreamResponse, seconds_to_head: float) -> None:
        self.request, self.response = request, response
        self.started, self.aborted, self.client_left = False, "", False
        self.messages: int | None = 0 if isinstance(response, web.WebSocketResponse) else None
        self.message_bytes = 0
        self._seconds_to_head, self._context = seconds_to_head, copy_context()
        self._writer = request.writer

    @property
    def bytes(self) -> int:
        """The bytes sent, the head and the marks between chunks included; for a WebSocket those of its messages."""
        return self._writer.output_size if self.messages is None else self.message_bytes

    def count_message(self, data: object) -> None:
        """Count a message of a WebSocket."""
        self.messages = (self.messages or 0) + 1
        if isinstance(data, str | bytes | bytearray | memoryview):
            self.message_bytes += len(data)

    def start(self) -> None:
        """Log the stream, and measure the time to its head."""
        self.started = True
        method, route, status = method_of(self.request), route_of(self.request), self.response.status
        request_duration(method, route, f"{status // 100}xx").observe(self._seconds_to_head)
        ACTIVE_REQUESTS.dec()
        ACTIVE_STREAMS.inc()
        self._context.run(log.info, "stream_started", method=method, route=route, status=status)

    def abort(self, reason: str) -> None:
        """Log that the service cuts the stream, and count it.

        Args:
            reason: a problem type, or what the client or the service did; one of few.
        """
        self.aborted = reason
        method, route, status = method_of(self.request), route_of(self.request), self.response.status
        STREAMS_ABORTED.labels(method, route, reason).inc()
        self._context.run(log.warning, "stream_aborted", method=method, route=route, status=status, reason=reason)

    def end(self, seconds: float) -> None:
        """Measure a stream that has ended.

        Args:
            seconds: from the head of the request on.
        """
        if self.started:
            ACTIVE_STREAMS.dec()
            ACTIVE_REQUESTS.inc()  # the request log counts it out with all others
            outcome = "client_closed" if self.client_left else "aborted" if self.aborted else "completed"
            STREAM_DURATION.labels(method_of(self.request), route_of(self.request), outcome).observe(seconds)


def is_stream(response: web.StreamResponse) -> bool:
    """True if the body of a response is not in memory as a whole, so that it is sent piece by piece."""
    if type(response) is not web.Response:
        return True
    body = response.body
    return type(body) is not bytes and isinstance(body, Payload)


RECORD: web.RequestKey[StreamRecord] = web.RequestKey("stream_record")
"""The record of the stream that answers a request: a `chassis.http.streams.Stream`, which telemetry does not import."""
