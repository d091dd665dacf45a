"""Serving: sockets, signals, and an end that loses no request."""

import asyncio
import gc
import os
import resource
import signal
import socket
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType

import structlog
from aiohttp import web
from yarl import URL

from chassis.application import Application
from chassis.connection import Patience
from chassis.runner import Runner

log = structlog.get_logger()

_BACKLOG = 1024
"""New connections that wait to be taken up; the system drops one more, and its client asks again a second later."""


class Stop:
    """The wish to end: `requested` starts the drain, `hurry` leaves it out, or cuts it short."""

    def __init__(self) -> None:
        self.requested = asyncio.Event()
        self.hurry = asyncio.Event()

    def request(self, *, hurry: bool = False) -> None:
        """Asks for the end."""
        if hurry:
            self.hurry.set()
        self.requested.set()


def stop_on_signals() -> Stop:
    """SIGTERM ends with a drain, SIGINT (Ctrl-C) without, and a second signal of either kind ends the process now."""
    stop, loop = Stop(), asyncio.get_running_loop()

    def first(number: int) -> None:
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(each)
            signal.signal(each, _end_now)
        stop.request(hurry=number == signal.SIGINT)

    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, first, each)
    return stop


def _end_now(number: int, _: FrameType | None) -> None:
    # The system's own handling would do, but for process 1 of a container, which it leaves alone.
    os._exit(128 + number)


def raise_file_limit() -> None:
    """Allows this process as many open files, and so connections, as the system lets it have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY:  # which is more than it takes, on macOS
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def listen(host: str, port: int) -> socket.socket:
    """Opens a listening socket.

    Raises:
        OSError: the address is taken or is none of this machine's; its text names the address.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    both = host == "::" and socket.has_dualstack_ipv6()  # "all addresses" means those of IPv4, too
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG, dualstack_ipv6=both)
    except (OSError, TypeError) as error:  # TypeError: no name of a host at all
        errno = getattr(error, "errno", None) or 0
        reason = os.strerror(errno) if errno > 0 else error  # the text of the former names the address once more
        raise OSError(f"Cannot listen on {host}:{port}: {reason}. Free it, or set HOST, PORT, INTERNAL_PORT.") from None


async def serve(
    application: Application, api: Sequence[socket.socket], internal: Sequence[socket.socket], stop: Stop
) -> None:
    """Serves an application on listening sockets until it is asked to stop.

    The end: unready at once, so that balancers turn away; for the drain, every answer closes its connection and new
    requests are still served; then the listeners close, requests in flight finish within their deadline, clients that
    are slow are left behind, the pool closes, and last the internal port.
    """
    settings = application.settings
    longest = settings.request_timeout_seconds
    patience = Patience(head=settings.header_timeout_seconds, body=settings.body_timeout_seconds, answer=longest)
    internal_runner = Runner(application.internal, application.health, patience, longest)
    api_runner = Runner(application.api, application.health, patience, longest)
    try:
        for runner, sockets in ((internal_runner, internal), (api_runner, api)):
            await runner.setup()
            for each in sockets:
                await web.SockSite(runner, each, backlog=_BACKLOG).start()  # which listens anew
        _settle_memory()
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


def _settle_memory() -> None:
    """Has the garbage collector pass over what stays, and look less often: a request leaves few cycles behind."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)


def _addresses(sockets: Sequence[socket.socket]) -> list[str]:
    names = [each.getsockname() for each in sockets]
    return [str(URL.build(scheme="http", host=name[0], port=name[1])) for name in names]
