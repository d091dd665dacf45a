"""The pool of connections to PostgreSQL; whatever means "not available" is one error."""

import asyncio
from contextlib import suppress
from traceback import walk_tb
from types import TracebackType
from typing import TYPE_CHECKING, Never, Self
from urllib.parse import urlsplit

import asyncpg
import structlog

from chassis.database import Connection, Database
from chassis.errors import DatabaseUnavailableError
from chassis.hosts import CANNOT_CONNECT, Hosts
from chassis.loader import Loader
from chassis.settings import Settings
from chassis.turns import Turns

if TYPE_CHECKING:  # generic in its stubs only
    from asyncpg.pool import PoolConnectionProxy

log = structlog.get_logger()

# The server went away under a statement, or takes no writes any more: true of one connection, it is true of all.
_SERVER_LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.ReadOnlySQLTransactionError,  # a standby, since a failover
    asyncpg.InternalClientError,  # asyncpg's protocol was cut off in the middle
    OSError,  # TimeoutError is one: no answer, though PostgreSQL itself gives up slow statements before
)
# The server is there and cannot do this now; the same request may succeed later.
_NOT_NOW = (
    asyncpg.OperatorInterventionError,  # a statement that took too long, for one
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,  # a deadlock, or a conflict of transactions
    asyncpg.LockNotAvailableError,
)
_SCHEMA_MISSING = (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError)
_CLOSE_TIMEOUT_SECONDS = 2
_SPARE_SECONDS = 60
_LONGEST_IDLE_SECONDS = 240


class Pool(Database):
    """A pool of connections, used as an asynchronous context manager.

    Entering it connects to nothing: connections are made when they are first needed, so that a service starts while its
    database is away. Every wait is bounded.

    asyncpg's pool makes the connections, and takes back those that something went wrong on. Sound ones stay here in
    between: to return them and to take them out again takes longer than a query, and a round trip that resets the
    session. So a session's state outlives its request, and nobody may change it but in a transaction, with `SET LOCAL`
    or `pg_advisory_xact_lock`; the tests look for it.

    Attributes:
        max_size: connections that it may have.
        servers_lost: how often a server went away so far.
    """

    def __init__(self, settings: Settings) -> None:
        self._dsn = settings.database_url.get_secret_value()
        self._connect_timeout = settings.database_connect_timeout_seconds
        self._schema_is_current = False
        self.max_size = settings.database_pool_size
        # The last used first, so that what a lull leaves over is known.
        self._sound: list[PoolConnectionProxy[asyncpg.Record]] = []
        self.servers_lost = 0
        self._spare = 0  # of them nobody has needed since the last look
        self._loader = Loader(self.connection) if settings.database_coalesce_reads else None
        self._turns = Turns(self.max_size, settings.database_acquire_timeout_seconds)  # asyncpg's own queue is not fair
        timeouts = {
            "lock_timeout": settings.database_lock_timeout_seconds,
            "statement_timeout": settings.database_statement_timeout_seconds,
            # A process that is stopped, or cut off, in a transaction must not keep its locks.
            "idle_in_transaction_session_timeout": settings.request_timeout_seconds,
        }
        hosts = Hosts(self._dsn)
        self._pool: asyncpg.Pool[asyncpg.Record] = asyncpg.create_pool(
            connect=lambda *_, **options: hosts.connect(**options),
            min_size=0,
            max_size=self.max_size,
            max_inactive_connection_lifetime=_LONGEST_IDLE_SECONDS,
            timeout=self._connect_timeout,
            command_timeout=settings.database_command_timeout_seconds,
            server_settings={name: f"{seconds * 1000:.0f}" for name, seconds in timeouts.items()},
        )

    async def __aenter__(self) -> Self:
        await self._pool
        self._looking = asyncio.create_task(self._return_spare())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._looking.cancel()
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT_SECONDS):
                await self._return(len(self._sound))
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
        """Connections that it has."""
        return self._pool.get_size()

    @property
    def idle(self) -> int:
        """Connections that nobody uses."""
        return self._pool.get_idle_size() + len(self._sound)

    @property
    def waiting(self) -> int:
        """Requests that wait for a connection."""
        return self._turns.waiting

    def mark_schema_current(self) -> None:
        """The schema is known not to be behind: from now on, what is missing in it is a mistake of the code's."""
        self._schema_is_current = True

    def connection(self) -> "_Loan":
        """A connection of the pool, for the time of an `async with` block."""
        return _Loan(self)

    async def lend(self) -> "PoolConnectionProxy[asyncpg.Record]":
        """A connection, when it is the caller's turn; it has to be taken back.

        Raises:
            OverloadedError: all are in use, and none became free in time.
            DatabaseUnavailableError: there is none, and none can be made.
        """
        await self._turns.take()
        try:
            return await self._take()
        except BaseException:
            self._turns.give_back()
            raise

    async def take_back(
        self, connection: "PoolConnectionProxy[asyncpg.Record]", servers_lost: int, failure: BaseException | None
    ) -> None:
        """Makes room for the next one.

        Args:
            connection: that was lent.
            servers_lost: how many there were then.
            failure: what went wrong with it, or around it.

        Raises:
            DatabaseUnavailableError: `failure` means that.
        """
        lost = _is_lost(connection)
        try:
            stays = failure is None and not lost and servers_lost == self.servers_lost
            if stays and not connection.is_in_transaction():
                self._sound.append(connection)
                return
            await self._release(connection)  # to asyncpg's pool, which ends those to a server that is lost
            if failure is not None:
                raise failure
        except _SERVER_LOST as error:
            if isinstance(error, OSError) and not _is_of_asyncpg(error):
                raise  # the code between, which does other things, too
            self.servers_lost += 1
            await self._pool.expire_connections()
            while self._sound:
                _end(self._sound.pop())
            raise DatabaseUnavailableError from error
        except _NOT_NOW as error:
            raise DatabaseUnavailableError from error
        except _SCHEMA_MISSING as error:
            if self._schema_is_current:
                raise
            raise DatabaseUnavailableError from error
        except asyncpg.InterfaceError as error:
            if not lost:  # a mistake of the code's
                raise
            raise DatabaseUnavailableError from error
        finally:
            self._turns.give_back()

    async def load(self, query: str, key: object) -> asyncpg.Record | None:
        """As of any database; those that come while all connections are in use leave together."""
        if self._loader is None:
            return await super().load(query, key)
        return await self._loader.load(query, key)

    async def _take(self) -> "PoolConnectionProxy[asyncpg.Record]":
        while self._sound:
            connection = self._sound.pop()
            self._spare = min(self._spare, len(self._sound))
            if not _is_lost(connection):
                return connection
            _end(connection)
        try:
            return await self._pool.acquire()  # at once, or as soon as a new one is made, which has its time
        except CANNOT_CONNECT as error:
            raise DatabaseUnavailableError from error

    async def _return(self, count: int) -> None:
        """Gives the connections that were not used for the longest time back to asyncpg's pool."""
        returned, self._sound = self._sound[:count], self._sound[count:]
        for connection in returned:
            with suppress(*CANNOT_CONNECT):  # nobody needs it any more
                await self._release(connection)

    async def _release(self, connection: "PoolConnectionProxy[asyncpg.Record]") -> None:
        with suppress(asyncpg.InternalClientError):  # it is lost since, and asyncpg's pool has it back already
            await self._pool.release(connection, timeout=self._connect_timeout)

    async def _return_spare(self) -> Never:
        """Gives back what a peak has left over, for asyncpg's pool to close."""
        while True:
            await asyncio.sleep(_SPARE_SECONDS)
            await self._return(self._spare)
            self._spare = len(self._sound)


class _Loan:
    """A connection of the pool for an `async with` block; `asynccontextmanager` would take 6 µs more."""

    __slots__ = ("_connection", "_pool", "_servers_lost")

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def __aenter__(self) -> Connection:
        self._connection = await self._pool.lend()
        self._servers_lost = self._pool.servers_lost
        return self._connection

    async def __aexit__(
        self, _: type[BaseException] | None, failure: BaseException | None, __: TracebackType | None
    ) -> None:
        await self._pool.take_back(self._connection, self._servers_lost, failure)


def _end(connection: Connection) -> None:
    """Ends a connection to a server that is lost, without a word to it that may have to be waited for."""
    with suppress(asyncpg.InterfaceError):  # asyncpg's pool has it back already
        connection.terminate()


def _is_lost(connection: Connection) -> bool:
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:  # the pool has taken it back already
        return True


def _is_of_asyncpg(error: BaseException) -> bool:
    return any(frame.f_globals.get("__name__", "").startswith("asyncpg.") for frame, _ in walk_tb(error.__traceback__))
