"""A read-only replica: reads that may lag run on it while it is usable, and on the primary otherwise."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from typing import Any, Never, Self, TypeVar
from urllib.parse import parse_qs, urlsplit

import asyncpg
import structlog
from pydantic import SecretStr

from chassis.database import Connection, Database
from chassis.errors import DatabaseUnavailableError, OverloadedError, UnavailableError
from chassis.postgres.connection_pool import ConnectionPool
from chassis.postgres.replica_connections import ReplicaPool, ReplicaState, ReplicaStreamPool
from chassis.settings import Settings

log = structlog.get_logger()

_POSITION = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint"

_Entered = TypeVar("_Entered")


class Replica(Database):
    """The database for reads that may lag, used as an asynchronous context manager.

    Its monitor reads the primary's position and probes the replica, once a second. No read waits for a probe.

    Args:
        settings: the service's settings.
        address: the address of the replica.
        primary: the database for reads while the replica is not usable.

    Attributes:
        state: whether reads go to the replica, and its lag.
        connections: the connections of statements.
        streams: the connections of streams.
    """

    def __init__(self, settings: Settings, address: SecretStr, primary: Database) -> None:
        self._primary = primary
        self.state = ReplicaState(settings)
        # A connection of its own: otherwise a primary whose pool is exhausted would look like a lag of the replica, and
        # get the reads of the replica as well.
        self._monitor_pool = ConnectionPool(settings, 1)
        self._monitor_timeout = settings.database_connect_timeout_seconds
        of_replica = settings.model_copy(update={"database_url": with_credentials(address, settings.database_url)})
        self.connections = ReplicaPool(self.state, of_replica, settings.database_pool_size)
        self.streams = ReplicaStreamPool(self.state, of_replica)

    async def __aenter__(self) -> Self:
        for pool in self._pools:
            await pool.__aenter__()
        self._monitor = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._monitor.cancel()
        await asyncio.wait([self._monitor])
        await asyncio.gather(*(pool.__aexit__() for pool in self._pools))

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Acquire a connection to the replica, or to the primary if the replica has none."""
        async with AsyncExitStack() as block:
            yield await self._enter(block, self.connections.connection(), self._primary.connection())

    async def fetch(self, query: str, *values: Any) -> list[asyncpg.Record]:
        """Run a statement on the replica, or on the primary if the replica does not answer it; return the rows."""
        if self.state.usable:
            with suppress(UnavailableError):
                async with self.connections.connection() as connection:
                    return await connection.fetch(query, *values)
        return await self._primary.fetch(query, *values)

    async def fetchrow(self, query: str, *values: Any) -> asyncpg.Record | None:
        """Run a statement as `fetch` does, and return its first row, or None if there is none."""
        if self.state.usable:
            with suppress(UnavailableError):
                async with self.connections.connection() as connection:
                    return await connection.fetchrow(query, *values)
        return await self._primary.fetchrow(query, *values)

    async def load(self, query: str, key: object) -> asyncpg.Record | None:
        """Fetch one row by its key from the primary: who has just written a row reads it by its key."""
        return await self._primary.load(query, key)

    @asynccontextmanager
    async def stream(self, query: str, *values: Any) -> AsyncIterator[AsyncIterator[asyncpg.Record]]:
        """Read rows from the replica, or from the primary if the replica does not begin the stream."""
        async with AsyncExitStack() as block:
            yield await self._enter(block, self.streams.stream(query, *values), self._primary.stream(query, *values))

    async def _enter(
        self,
        block: AsyncExitStack,
        on_replica: AbstractAsyncContextManager[_Entered],
        on_primary: AbstractAsyncContextManager[_Entered],
    ) -> _Entered:
        if self.state.usable:
            with suppress(UnavailableError):
                return await block.enter_async_context(on_replica)
        return await block.enter_async_context(on_primary)

    @property
    def _pools(self) -> tuple[ConnectionPool, ...]:
        return self._monitor_pool, self.connections, self.streams

    async def _watch(self) -> Never:
        logged: bool | None = None
        while True:
            await self._sample_primary()
            await self._probe()
            if self.state.usable != logged:
                logged = self.state.usable
                self._log()
            await asyncio.sleep(self.state.interval_seconds)

    async def _sample_primary(self) -> None:
        asked_at = time.monotonic()
        try:
            async with self._monitor_pool.connection() as connection:
                position = await connection.fetchval(_POSITION, timeout=self._monitor_timeout)
        except Exception as error:  # whatever it is: the lag grows, and its log line has the reason
            await self._monitor_pool.expire()  # it may have reached a standby during a failover
            self.state.primary_error = f"{error.__cause__ or error!r}"
        else:
            self.state.primary_error = ""
            self.state.positions.add(asked_at, position)

    async def _probe(self) -> None:
        """Acquire a connection, which checks it. Reads keep to the primary until this succeeds."""
        try:
            async with self.connections.connection():
                self.state.recover()
        except OverloadedError:
            pass  # reads use all connections, and check them
        except DatabaseUnavailableError:
            pass  # the state has the reason

    def _log(self) -> None:
        if self.state.usable:
            log.info("replica_usable", database=self.connections.address)
        else:
            log.warning("replica_not_usable", database=self.connections.address, reason=self.state.problem)


def with_credentials(address: SecretStr, primary: SecretStr) -> SecretStr:
    """Return the replica's address, with the user and the password of the primary's if it names no user.

    A standby has the roles of its primary.
    """
    url = urlsplit(address.get_secret_value())
    credentials = urlsplit(primary.get_secret_value()).netloc.rpartition("@")[0]
    if not credentials or "@" in url.netloc or "user" in parse_qs(url.query):
        return address
    return SecretStr(url._replace(netloc=f"{credentials}@{url.netloc}").geturl())
