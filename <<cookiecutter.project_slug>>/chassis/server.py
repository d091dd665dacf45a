"""Serving: sockets, signals, and an end that loses no request."""

import asyncio
import os
import signal
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import structlog
from aiohttp import hdrs, http_exceptions, web
from aiohttp.web_protocol import RequestHandler
from yarl import URL

from chassis.application import Application
from chassis.observe import REQUEST_ID_HEADER, request_id_of
from chassis.problems import problem_response

log = structlog.get_logger()

# Longer than load balancers keep idle connections (60 s is their usual default), so that it is never this side that
# closes one while a request is on its way.
_KEEP_ALIVE_SECONDS = 75
_SERVER = "aiohttp"  # without versions


class Stop:
    """The wish to end: `requested` starts the drain, `hurry` cuts it short."""

    def __init__(self) -> None:
        self.requested = asyncio.Event()
        self.hurry = asyncio.Event()

    def request(self, *, hurry: bool = False) -> None:
        """Asks for the end; asking again, or with `hurry`, leaves the drain out."""
        if hurry or self.requested.is_set():
            self.hurry.set()
        self.requested.set()


def stop_on_signals() -> Stop:
    """SIGTERM ends with a drain; SIGINT (Ctrl-C), or a second signal of either kind, without."""
    stop, loop = Stop(), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.request)
    loop.add_signal_handler(signal.SIGINT, lambda: stop.request(hurry=True))
    return stop


def listen(host: str, port: int) -> socket.socket:
    """Opens a listening socket.

    Raises:
        OSError: the address is taken or is none of this machine's; its text names the address.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    both = host == "::" and socket.has_dualstack_ipv6()  # "all addresses" means those of IPv4, too
    try:
        return socket.create_server((host, port), family=family, backlog=1024, dualstack_ipv6=both)
    except (OSError, TypeError) as error:  # TypeError: no name of a host at all
        errno = getattr(error, "errno", None) or 0
        reason = os.strerror(errno) if errno > 0 else error  # the text of the former names the address once more
        raise OSError(f"Cannot listen on {host}:{port}: {reason}. Free it, or set HOST, PORT, INTERNAL_PORT.") from None


async def serve(
    application: Application, api: Sequence[socket.socket], internal: Sequence[socket.socket], stop: Stop
) -> None:
    """Serves an application on listening sockets until it is asked to stop.

    The end: unready at once, so that balancers turn away; for the drain, every answer closes its connection and new
    requests are still served; then the listeners close, requests in flight finish within their deadline, the pool
    closes, and last the internal port.
    """
    settings = application.settings
    internal_runner = _Runner(application.internal, access_log=None)
    api_runner = _Runner(
        application.api,
        access_log=None,
        keepalive_timeout=_KEEP_ALIVE_SECONDS,
        shutdown_timeout=settings.request_timeout_seconds,
    )
    try:
        for runner, sockets in ((internal_runner, internal), (api_runner, api)):
            await runner.setup()
            for each in sockets:
                await web.SockSite(runner, each).start()
        log.info("listening", api=_addresses(api), internal=_addresses(internal))
        await stop.requested.wait()
        application.health.drain()
        log.info("draining", seconds=0 if stop.hurry.is_set() else settings.drain_seconds)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.hurry.wait(), settings.drain_seconds)
    finally:
        await api_runner.cleanup()
        await internal_runner.cleanup()
    log.info("stopped")


def _addresses(sockets: Sequence[socket.socket]) -> list[str]:
    names = [each.getsockname() for each in sockets]
    return [str(URL.build(scheme="http", host=name[0], port=name[1])) for name in names]


def _without_middlewares(error: Exception, request_id: str) -> web.StreamResponse:
    response = problem_response(error, request_id)
    response.headers[REQUEST_ID_HEADER] = request_id
    return response


class _Handler(RequestHandler):
    """A connection whose parser errors, which reach no middleware, become the same problems as all others."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        request_id = request_id_of(request.headers)
        if status < 500:
            known = isinstance(exc, http_exceptions.LineTooLong | http_exceptions.ContentEncodingError)
            error: Exception = exc if known and isinstance(exc, Exception) else web.HTTPBadRequest()
            # Without the message, which holds a piece of the request, be it a secret.
            log.info("bad_request", reason=type(exc).__name__, request_id=request_id)
        else:
            error = exc if isinstance(exc, Exception) else RuntimeError(message)
            log.error("unforeseen_error", exc_info=exc, request_id=request_id)
        if request.writer.output_size > 0:
            raise ConnectionError("a part of the answer is sent already")
        response = _without_middlewares(error, request_id)
        response.headers[hdrs.SERVER] = _SERVER
        response.force_close()
        return response

    def log_exception(self, *args: Any, **kwargs: Any) -> None:
        """Logs what aiohttp cannot handle; what is left of a body that is not encoded as it says is no such thing."""
        if not isinstance(kwargs.get("exc_info"), web.RequestPayloadError):
            super().log_exception(*args, **kwargs)


class _Server(web.Server):
    def __call__(self) -> RequestHandler:
        return _Handler(self, loop=self._loop, **self._kwargs)


class _Runner(web.AppRunner):
    async def _make_server(self) -> web.Server:
        made = await super()._make_server()

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            try:
                response = await made.request_handler(request)
            except web.HTTPException as error:  # an Expect that is refused before the middlewares
                response = _without_middlewares(error, request_id_of(request.headers))
            response.headers[hdrs.SERVER] = _SERVER
            return response

        return _Server(handle, request_factory=made.request_factory, **self._kwargs)
