"""The connections of a port: looked after while they live, and ended without losing a request or waiting for the slow.

aiohttp's own shutdown drops what is still on its way to it, be it the rest of a request that was let in.
"""

import asyncio
from typing import Any, cast

import structlog
from aiohttp import hdrs, web

from chassis.connection import SERVER, Connection, Patience, checked, without_middlewares
from chassis.health import Health, State
from chassis.observe import request_id_of

log = structlog.get_logger()

# Longer than load balancers keep idle connections (60 s is their usual default), so that it is never this side that
# closes one while a request is on its way.
_KEEP_ALIVE_SECONDS = 75
_LOOK_SECONDS = 0.25
_ENDING_LOOK_SECONDS = 0.02
# For clients that are slow when the service ends; with what the pool may take, it stays within 5 s after the drain.
_ENDING_PATIENCE_SECONDS = 2
# Of all clients together: what they were sent and do not read is memory.
_MOST_UNREAD_BYTES = 64 * 1024**2


class _Server(web.Server):
    def __init__(self, patience: Patience, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._patience = patience
        self._looking = self._loop.create_task(self._look())

    def __call__(self) -> Connection:
        return Connection(self, loop=self._loop, **self._kwargs)

    async def _look(self) -> None:
        patience = self._patience
        pause = min(_LOOK_SECONDS, patience.head / 2, patience.body / 2, patience.answer / 2)
        while True:  # a few times a second for all, which costs a request nothing
            await asyncio.sleep(pause)
            now = self._loop.time()
            for connection in self._open():
                connection.end_overdue(now, patience)
            self._bound_unread()

    def _bound_unread(self) -> None:
        total = sum(connection.unread_bytes for connection in self._open())
        if total > _MOST_UNREAD_BYTES:
            for connection in sorted(self._open(), key=lambda each: each.unread_bytes, reverse=True):
                total -= connection.unread_bytes
                connection.abort()
                if total <= _MOST_UNREAD_BYTES:
                    break

    def _open(self) -> list[Connection]:
        return cast(list[Connection], self.connections)

    def pre_shutdown(self) -> None:
        """Does nothing: from here on aiohttp's own would have connections drop what comes."""

    async def shutdown(self, timeout: float | None = None) -> None:  # noqa: ASYNC109  (its caller is aiohttp)
        """Ends connections that are idle, waits for those that are being answered, at most for the time that a request
        may take, and leaves slow clients behind."""
        begun, slow = self._loop.time(), set[Connection]()
        while self.connections and (waited := self._loop.time() - begun) < (timeout or 0):
            for connection in self._open():
                if connection.idle:
                    connection.force_close()
                elif connection.awaits_client and waited > _ENDING_PATIENCE_SECONDS:
                    slow.add(connection)
                    connection.abort()
            await asyncio.sleep(_ENDING_LOOK_SECONDS)
        if slow or self.connections:
            log.warning("connections_cut", slow_clients=len(slow), over_their_deadline=len(self.connections))
        self._looking.cancel()
        await super().shutdown(_ENDING_LOOK_SECONDS)  # cancels what is over its time


class Runner(web.AppRunner):
    """Serves an application.

    Args:
        application: what answers.
        health: tells whether the service is draining: then each answer is its connection's last.
        patience: with slow clients.
        longest_request_seconds: what a request that is in flight at the end may still take.
    """

    def __init__(
        self, application: web.Application, health: Health, patience: Patience, longest_request_seconds: float
    ) -> None:
        super().__init__(
            application,
            access_log=None,
            keepalive_timeout=_KEEP_ALIVE_SECONDS,
            lingering_time=patience.body,
            shutdown_timeout=longest_request_seconds,
            auto_decompress=False,  # see chassis.bodies
        )
        self._health = health
        self._patience = patience

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            try:
                response = await made.request_handler(request)
            except web.HTTPException as error:  # the internal port has no middleware that answers it
                response = without_middlewares(error, request_id_of(request.headers))
            response.headers[hdrs.SERVER] = SERVER
            # What follows a broken body is no request, and what follows the wish for another protocol may be none.
            if (
                request.content.exception() is not None
                or request.method == hdrs.METH_CONNECT
                or "websocket" in request.headers.get(hdrs.UPGRADE, "").lower()
            ):
                response.force_close()
            if self._health.state is State.DRAINING:
                # Both are needed: the one closes the connection, the other tells the client not to reuse it.
                response.force_close()
                response.headers[hdrs.CONNECTION] = "close"
            return response

        return _Server(self._patience, handle, request_factory=checked(made.request_factory), **self._kwargs)
