"""Runs an application on a port: enforces timeouts on its connections, and shuts down without losing a request.

aiohttp's own shutdown drops requests that are still arriving.
"""

import asyncio
from functools import partial
from typing import Any, cast

import structlog
from aiohttp import web

from chassis.http.aiohttp_internals import AppRunner, ConnectionFactory, Handler, RequestFactory, Server
from chassis.http.dispatch import dispatched
from chassis.server.connection import ClientTimeouts, Connection, checked, client_timeouts, without_middlewares
from chassis.settings import Settings
from chassis.telemetry.health import Health
from chassis.telemetry.request_id import request_id_of

log = structlog.get_logger()

_CHECK_SECONDS = 0.25
_SHUTDOWN_CHECK_SECONDS = 0.02
# For slow clients at shutdown. Together with closing the pool, a shutdown takes 5 s after the drain at most.
_SHUTDOWN_CLIENT_SECONDS = 2
# Of all clients together: unsent responses are held in memory.
_MAX_UNSENT_BYTES = 64 * 1024**2


class _Server(Server):
    def __init__(
        self,
        make_connection: ConnectionFactory,
        timeouts: ClientTimeouts,
        handler: Handler,
        make_request: RequestFactory,
        **options: Any,
    ) -> None:
        super().__init__(make_connection, handler, make_request, **options)
        self._timeouts = timeouts
        self._checking = asyncio.create_task(self._check_connections())

    async def _check_connections(self) -> None:
        timeouts = self._timeouts
        interval = min(_CHECK_SECONDS, timeouts.head / 2, timeouts.body / 2, timeouts.response / 2)
        while True:  # one task for all connections: a timer for each would make every request slower
            await asyncio.sleep(interval)
            now = asyncio.get_running_loop().time()
            for connection in self._open():
                connection.enforce_timeouts(now, timeouts)
            self._limit_unsent()

    def _limit_unsent(self) -> None:
        """Disconnect the slowest readers while there are more unsent bytes than allowed."""
        total = sum(connection.unsent_bytes for connection in self._open())
        if total > _MAX_UNSENT_BYTES:
            for connection in sorted(self._open(), key=lambda each: each.unsent_bytes, reverse=True):
                total -= connection.unsent_bytes
                connection.cut()
                if total <= _MAX_UNSENT_BYTES:
                    break

    def _open(self) -> list[Connection]:
        return cast(list[Connection], self.connections)

    def pre_shutdown(self) -> None:
        """Do nothing: aiohttp's own would have connections ignore what they still receive."""

    async def shutdown(self, timeout: float | None = None) -> None:  # noqa: ASYNC109  (its caller is aiohttp)
        """Close idle connections, wait for requests in flight, and disconnect slow clients.

        Args:
            timeout: seconds to wait for requests in flight, their deadline.
        """
        loop, slow = asyncio.get_running_loop(), set[Connection]()
        started = loop.time()
        while self.connections and (waited := loop.time() - started) < (timeout or 0):
            for connection in self._open():
                if connection.idle:
                    connection.force_close()
                elif connection.stream is None and connection.waits_for_client and waited > _SHUTDOWN_CLIENT_SECONDS:
                    slow.add(connection)
                    connection.cut()
            await asyncio.sleep(_SHUTDOWN_CHECK_SECONDS)
        if slow or self.connections:
            log.warning("connections_cut", slow_clients=len(slow), over_their_deadline=len(self.connections))
        for connection in self._open():
            if stream := connection.stream:
                stream.cut("shutdown")
        self._checking.cancel()
        await super().shutdown(_SHUTDOWN_CHECK_SECONDS)  # cancels what is past its deadline


class Runner(AppRunner):
    """Serves an application.

    Args:
        application: handles the requests.
        health: while it is draining, each response closes its connection.
        settings: of the service.
    """

    def __init__(self, application: web.Application, health: Health, settings: Settings) -> None:
        timeouts = client_timeouts(settings)
        super().__init__(
            application,
            access_log=None,
            keepalive_timeout=settings.keep_alive_timeout_seconds,
            lingering_time=timeouts.body,
            shutdown_timeout=settings.request_timeout_seconds,
            auto_decompress=False,  # see chassis.http.request_body
        )
        self._health = health
        self._timeouts = timeouts

    def make_server(self, handler: Handler, make_request: RequestFactory, options: dict[str, Any]) -> web.Server:
        """Make the server of this port."""
        connection = partial(Connection, self._health)
        handle = dispatched(self.app, handler) if self.app.middlewares else _with_problems(handler)
        return _Server(connection, self._timeouts, handle, checked(make_request), **options)


def _with_problems(handler: Handler) -> Handler:
    """Return a handler whose errors are problem responses, for the internal port, which has no middlewares."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await handler(request)  # type: ignore[no-any-return]
        except web.HTTPException as error:
            return without_middlewares(error, request_id_of(request.headers))

    return handle
