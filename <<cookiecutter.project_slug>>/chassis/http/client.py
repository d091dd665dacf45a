"""The HTTP client for other services: one session per process, with timeouts, that forwards the request id.

Of aiohttp's `speedups`, aiodns is installed and Brotli is not; see docs/decisions/0011 of the template.
"""

from asyncio import CancelledError
from collections.abc import Sequence
from types import SimpleNamespace

from aiohttp import (
    ClientConnectorError,
    ClientResponseError,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    InvalidURL,
    TraceConfig,
    TraceRequestStartParams,
)
from structlog.contextvars import get_contextvars

from chassis.telemetry.request_id import REQUEST_ID_HEADER

_CONNECT_SECONDS = 1


def client_session(timeout_seconds: float, traced_by: Sequence[TraceConfig] = ()) -> ClientSession:
    """Make the session. A handler gets it as `client: ClientSession`.

    A call raises `aiohttp.ClientError` or TimeoutError. If the handler does not catch it, the response is a 503.

    Args:
        timeout_seconds: the time limit of a call, including the response's body.
        traced_by: further observers of calls.
    """
    with_request_id = TraceConfig()
    with_request_id.on_request_start.append(_add_request_id)
    return ClientSession(
        timeout=ClientTimeout(total=timeout_seconds, sock_connect=min(_CONNECT_SECONDS, timeout_seconds)),
        trace_configs=[with_request_id, *traced_by],
        raise_for_status=True,
        cookie_jar=DummyCookieJar(),  # one request's cookies must not be sent for another
    )


def cause_of(error: BaseException) -> BaseException:
    """Return what tells an operator most: the cause of an error, or the error itself.

    A call that cannot connect names the host, and its cause does not. The cause of a time limit is only a cancellation.
    """
    if isinstance(error, ClientConnectorError) or isinstance(error.__cause__, CancelledError):
        return error
    return error.__cause__ or error


def reason_of(error: BaseException) -> str:
    """Describe an error for a log line, without the headers and the query of a call, which may hold secrets."""
    if isinstance(error, ClientResponseError):
        return f"{type(error).__name__}: {error.status} from {error.request_info.url.origin()}"
    return type(error).__name__ if isinstance(error, InvalidURL) else f"{type(error).__name__}: {error}"


async def _add_request_id(_: ClientSession, __: SimpleNamespace, call: TraceRequestStartParams) -> None:
    bound = get_contextvars()
    if request_id := bound.get("request_id") or bound.get("run_id"):  # of a request, or of a command
        call.headers.setdefault(REQUEST_ID_HEADER, request_id)
