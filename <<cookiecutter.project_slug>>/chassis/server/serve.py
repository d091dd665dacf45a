"""Serving an application until a shutdown is requested."""

import asyncio
import gc
from collections.abc import Sequence
from contextlib import suppress
from socket import socket

import structlog
from aiohttp import web
from yarl import URL

from chassis.application import Application
from chassis.server.runner import Runner
from chassis.server.signals import Shutdown
from chassis.server.sockets import BACKLOG, drop_dead_clients, limit_unsent

log = structlog.get_logger()


async def serve(
    application: Application, api: Sequence[socket], internal: Sequence[socket], shutdown: Shutdown
) -> None:
    """Serve an application on listening sockets until a shutdown is requested.

    The shutdown has these steps:

    1. Readiness fails, so that load balancers stop sending new connections.
    2. The drain: requests are still answered, and each answer closes its connection.
    3. The listening sockets close. WebSockets and server-sent events end, and requests in flight and other streams
       finish within the deadline of requests; slow clients are disconnected.
    4. The connection pool closes, and last the internal port.
    """
    settings = application.settings
    internal_runner = Runner(application.internal, application.health, settings)
    api_runner = Runner(application.api, application.health, settings)
    try:
        for runner, sockets in ((internal_runner, internal), (api_runner, api)):
            await runner.setup()
            for each in sockets:
                limit_unsent(each)
                drop_dead_clients(each)
                await web.SockSite(runner, each, backlog=BACKLOG).start()
        _tune_garbage_collector()
        log.info("listening", api=_addresses(api), internal=_addresses(internal))
        await shutdown.requested.wait()
        application.health.drain()
        log.info("draining", seconds=0 if shutdown.immediate.is_set() else settings.drain_seconds)
        with suppress(TimeoutError):
            await asyncio.wait_for(shutdown.immediate.wait(), settings.drain_seconds)
    finally:
        await api_runner.cleanup()
        await internal_runner.cleanup()
    log.info("stopped")


def _tune_garbage_collector() -> None:
    """Exclude what exists now from garbage collection, and collect less often: a request leaves few cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)


def _addresses(sockets: Sequence[socket]) -> list[str]:
    names = [each.getsockname() for each in sockets]
    return [str(URL.build(scheme="http", host=name[0], port=name[1])) for name in names]
