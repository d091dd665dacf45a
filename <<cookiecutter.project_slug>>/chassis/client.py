"""Calls to other services: one session a process, with timeouts, whose requests carry the id of the one they belong to.

Of aiohttp's `speedups` aiodns is installed: it resolves names on the event loop, where the default takes one of four
threads, which the database's connections need, too. Brotli is not: services rarely answer each other in it, and it is
4 MB of the image.
"""

from collections.abc import Sequence
from types import SimpleNamespace

from aiohttp import (
    ClientResponseError,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    InvalidURL,
    TraceConfig,
    TraceRequestStartParams,
)
from structlog.contextvars import get_contextvars

from chassis.observe import REQUEST_ID_HEADER

_CONNECT_SECONDS = 1


def client_session(timeout_seconds: float, traced_by: Sequence[TraceConfig] = ()) -> ClientSession:
    """Makes the session. A handler gets it as `client: ClientSession`.

    What it raises, `aiohttp.ClientError` and TimeoutError, is answered with a 503 where the handler lets it pass.

    Args:
        timeout_seconds: longest time for a call, the answer's body included.
        traced_by: what else is told of each call.
    """
    with_request_id = TraceConfig()
    with_request_id.on_request_start.append(_add_request_id)
    return ClientSession(
        timeout=ClientTimeout(total=timeout_seconds, sock_connect=min(_CONNECT_SECONDS, timeout_seconds)),
        trace_configs=[with_request_id, *traced_by],
        raise_for_status=True,
        cookie_jar=DummyCookieJar(),  # what one request is given must not be sent with another's call
    )


def reason_of(error: BaseException) -> str:
    """What an error says, for a log line: without the headers and the query of a call, which may hold secrets."""
    if isinstance(error, ClientResponseError):
        return f"{type(error).__name__}: {error.status} from {error.request_info.url.origin()}"
    return type(error).__name__ if isinstance(error, InvalidURL) else f"{type(error).__name__}: {error}"


async def _add_request_id(_: ClientSession, __: SimpleNamespace, call: TraceRequestStartParams) -> None:
    if request_id := get_contextvars().get("request_id"):
        call.headers.setdefault(REQUEST_ID_HEADER, request_id)
