"""A pool of connections to PostgreSQL; all errors that mean "not available" become DatabaseUnavailableError."""

import asyncio
from contextlib import suppress
from traceback import walk_tb
from types import TracebackType
from typing import TYPE_CHECKING, Never, Self
from urllib.parse import urlsplit

import asyncpg
import structlog

from chassis.concurrency.semaphore import FifoSemaphore
from chassis.database import Connection
from chassis.errors import DatabaseUnavailableError, OverloadedError
from chassis.postgres import refusals
from chassis.postgres.failover import CANNOT_CONNECT, FailoverConnector
from chassis.settings import Settings

if TYPE_CHECKING:  # generic in its stubs only
    from asyncpg.pool import PoolConnectionProxy

log = structlog.get_logger()

# The server was lost, or accepts no writes any more. This affects all connections, not only the one that failed.
_SERVER_LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.ReadOnlySQLTransactionError,  # the server is a standby after a failover
    asyncpg.InternalClientError,  # the connection was cut in the middle of asyncpg's protocol
    OSError,  # includes TimeoutError: PostgreSQL ends slow statements earlier, so the server does not respond
)
# The server responds but cannot execute the statement now; the same request may succeed later.
_TEMPORARY_ERRORS = (
    asyncpg.OperatorInterventionError,  # such as a statement timeout
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,  # a deadlock or a serialization failure
    asyncpg.InvalidCachedStatementError,  # a migration has changed the columns of a statement in a transaction
    asyncpg.LockNotAvailableError,
)
_SCHEMA_MISSING = (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError)
_CLOSE_TIMEOUT_SECONDS = 2
_SPARE_SECONDS = 60
_AFTER_DEADLINE_SECONDS = 1  # so that a deadline rolls back before PostgreSQL closes the connection
_LONGEST_IDLE_SECONDS = 240


class ConnectionPool:
    """A connection pool, used as an asynchronous context manager.

    Connections are made on first use, so a service starts while its database is down. Every wait is bounded.

    asyncpg's pool opens connections and closes failed ones. This class keeps the idle ones and does not reset them: see
    docs/decisions/0011 of the template. Session state therefore outlives a request. Change it in a transaction only,
    with `SET LOCAL` or `pg_advisory_xact_lock`; the `client` fixture of the tests checks this.

    Args:
        max_size: the most connections that it may have.

    Attributes:
        servers_lost: how many times the server was lost so far.
        reads_only: whether a refused write is a programming error. Elsewhere it means that the server is a standby now.
    """

    reads_only = False

    def __init__(self, settings: Settings, max_size: int) -> None:
        self._dsn = settings.database_url.get_secret_value()
        self._connect_timeout = settings.database_connect_timeout_seconds
        self._schema_is_current = False
        self.max_size = max_size
        # A stack: connections that are not needed stay at the bottom.
        self._idle_connections: list[PoolConnectionProxy[asyncpg.Record]] = []
        self.servers_lost = 0
        self._unused = 0  # idle connections not needed since the last trim
        # asyncpg's own queue is not FIFO.
        self._permits = FifoSemaphore(self.max_size, settings.database_acquire_timeout_seconds)
        timeouts = {
            "lock_timeout": settings.database_lock_timeout_seconds,
            "statement_timeout": settings.database_statement_timeout_seconds,
            # A process that stops or loses its network in a transaction must not keep its locks.
            "idle_in_transaction_session_timeout": settings.request_timeout_seconds + _AFTER_DEADLINE_SECONDS,
        }
        connector = FailoverConnector(self._dsn)
        self._pool: asyncpg.Pool[asyncpg.Record] = asyncpg.create_pool(
            connect=lambda *_, **options: connector.connect(**options),
            min_size=0,
            max_size=self.max_size,
            max_inactive_connection_lifetime=_LONGEST_IDLE_SECONDS,
            timeout=self._connect_timeout,
            command_timeout=settings.database_command_timeout_seconds,
            server_settings={name: f"{seconds * 1000:.0f}" for name, seconds in timeouts.items()},
        )

    async def __aenter__(self) -> Self:
        await self._pool
        self._trim_task = asyncio.create_task(self._trim_idle())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._trim_task.cancel()
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT_SECONDS):
                await self._return_oldest(len(self._idle_connections))
                await self._pool.close()
        except TimeoutError:
            log.warning("database_pool_terminated", reason=f"not closed within {_CLOSE_TIMEOUT_SECONDS} s")
            self._pool.terminate()

    @property
    def address(self) -> str:
        """The database's address without its password, for logs."""
        url = urlsplit(self._dsn)
        host = url.netloc.rpartition("@")[2]
        return f"{url.scheme}://{host}{url.path}"

    @property
    def size(self) -> int:
        return self._pool.get_size()

    @property
    def idle(self) -> int:
        """The number of open connections that are not in use."""
        return self._pool.get_idle_size() + sum(not is_lost(each) for each in self._idle_connections)

    @property
    def waiting(self) -> int:
        return self._permits.waiting

    def mark_schema_current(self) -> None:
        """Treat missing tables and columns as programming errors from now on, not as an outdated schema."""
        self._schema_is_current = True

    def connection(self) -> "_PooledConnection":
        """Return an `async with` block that holds a connection of the pool."""
        return _PooledConnection(self)

    async def acquire(self) -> "PoolConnectionProxy[asyncpg.Record]":
        """Acquire a connection; the caller has to release it.

        Raises:
            OverloadedError: all connections are in use, and none became free in time.
            DatabaseUnavailableError: no connection is open, and none can be made.
        """
        try:
            await self._permits.acquire()
        except OverloadedError:
            refusals.ALL_IN_USE.inc()
            raise
        while self._idle_connections:
            connection = self._idle_connections.pop()
            self._unused = min(self._unused, len(self._idle_connections))
            if not is_lost(connection):
                return connection
            terminate(connection)
        return await self._connect()

    async def release(
        self, connection: "PoolConnectionProxy[asyncpg.Record]", servers_lost: int, failure: BaseException | None
    ) -> None:
        """Release a connection, and translate the error that its block raised.

        Args:
            servers_lost: the value of `servers_lost` when the connection was acquired.
            failure: the exception that ended the block, or None.

        Raises:
            DatabaseUnavailableError: `failure` means that the database is not available.
        """
        lost = failure is not None and is_lost(connection)
        try:
            if failure is None and servers_lost == self.servers_lost and _is_outside_transaction(connection):
                self._idle_connections.append(connection)  # `acquire` finds out whether it is lost
                return
            await self._return_to_asyncpg(connection)  # asyncpg's pool closes connections to a lost server
            if failure is not None:
                raise failure
        except Exception as error:
            if await self.means_unavailable(error, lost=lost):
                raise DatabaseUnavailableError from error
            raise
        finally:
            self._permits.release()

    async def means_unavailable(self, error: Exception, *, lost: bool) -> bool:
        """Tell whether an error means that the database is not available; expire all connections to a lost server.

        Args:
            lost: whether the connection on which the error occurred is closed.
        """
        if self.reads_only and isinstance(error, asyncpg.ReadOnlySQLTransactionError):
            return False
        if isinstance(error, _SERVER_LOST):
            if isinstance(error, OSError) and not _raised_by_asyncpg(error):
                return False  # raised by the caller's own code in the block
            await self.expire()
            return True
        if isinstance(error, _SCHEMA_MISSING):
            return not self._schema_is_current
        # On an open connection, an InterfaceError is a programming error.
        return isinstance(error, _TEMPORARY_ERRORS) or (lost and isinstance(error, asyncpg.InterfaceError))

    async def expire(self) -> None:
        """Close all connections: the idle ones now, those in use when they are released."""
        self.servers_lost += 1
        await self._pool.expire_connections()
        while self._idle_connections:
            terminate(self._idle_connections.pop())

    async def _connect(self) -> "PoolConnectionProxy[asyncpg.Record]":
        try:
            return await self._pool.acquire()  # waits only while a new connection is made, which has a timeout
        except BaseException as error:
            self._permits.release()
            if not isinstance(error, CANNOT_CONNECT):
                raise
            refusals.CANNOT_CONNECT.inc()
            raise DatabaseUnavailableError from error

    async def _return_oldest(self, count: int) -> None:
        """Return the `count` connections that have been idle longest to asyncpg's pool."""
        returned, self._idle_connections = self._idle_connections[:count], self._idle_connections[count:]
        for connection in returned:
            with suppress(*CANNOT_CONNECT):  # the connection is not needed any more
                await self._return_to_asyncpg(connection)

    async def _return_to_asyncpg(self, connection: "PoolConnectionProxy[asyncpg.Record]") -> None:
        with suppress(asyncpg.InternalClientError):  # lost in the meantime; asyncpg's pool has it back already
            await self._pool.release(connection, timeout=self._connect_timeout)

    async def _trim_idle(self) -> Never:
        """Return connections that were idle for a whole interval to asyncpg's pool, which closes them."""
        while True:
            await asyncio.sleep(_SPARE_SECONDS)
            await self._return_oldest(self._unused)
            self._unused = len(self._idle_connections)


class _PooledConnection:
    """Context manager for a connection of the pool; a class for speed, see docs/decisions/0011 of the template."""

    __slots__ = ("_connection", "_pool", "_servers_lost")

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool

    async def __aenter__(self) -> Connection:
        self._connection = await self._pool.acquire()
        self._servers_lost = self._pool.servers_lost
        return self._connection

    async def __aexit__(
        self, _: type[BaseException] | None, failure: BaseException | None, __: TracebackType | None
    ) -> None:
        await self._pool.release(self._connection, self._servers_lost, failure)


def terminate(connection: Connection) -> None:
    """Close a connection to a lost server without sending anything to it, as sending may block."""
    with suppress(asyncpg.InterfaceError):  # asyncpg's pool has it back already
        connection.terminate()


def is_lost(connection: Connection) -> bool:
    """Tell whether a connection is closed."""
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:  # asyncpg's pool has it back already
        return True


def _is_outside_transaction(connection: Connection) -> bool:
    try:
        return not connection.is_in_transaction()
    except asyncpg.InterfaceError:  # asyncpg's pool has it back already
        return False


def _raised_by_asyncpg(error: BaseException) -> bool:
    return any(frame.f_globals.get("__name__", "").startswith("asyncpg.") for frame, _ in walk_tb(error.__traceback__))
