"""Statements on PostgreSQL. A handler gets the database as a parameter: `database: Database`.

Values are passed beside the statement, as `$1`, `$2`, …:

    rows = await database.fetch("SELECT id, name FROM items WHERE name = $1", name)
    async with database.transaction() as transaction:  # a Database, too: pass it to query functions
        await transaction.execute("DELETE FROM items WHERE id = $1", item_id)
    async with database.stream("SELECT id, name FROM items ORDER BY id") as rows:
        async for row in rows:
            ...
"""

import asyncio
import inspect
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, closing, contextmanager
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import asyncpg

from chassis.concurrency.rows import Rows
from chassis.concurrency.transaction_block import TransactionBlock
from chassis.errors import DatabaseUnavailableError

if TYPE_CHECKING:  # a generic type in its stubs only
    from asyncpg.pool import PoolConnectionProxy

Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record] | asyncpg.Connection[asyncpg.Record] | Transaction"
"""A pooled or a standalone connection, or a transaction, which has what a connection has."""

Isolation: TypeAlias = Literal["read_committed", "repeatable_read", "serializable"]
"""PostgreSQL's isolation levels. The database's default is `read_committed`, unless it is configured otherwise."""

# A savepoint that is rolled back can be tried again after these. A deadlock has released its locks, and asyncpg has
# forgotten a statement whose columns a migration has changed.
_CONFLICTS_OF_A_SAVEPOINT = (asyncpg.DeadlockDetectedError, asyncpg.InvalidCachedStatementError)

# The savepoint in whose block the present task is, so that statements on an outer transaction do not wait for it.
_INNERMOST = ContextVar["Transaction | None"]("innermost", default=None)


class Database(ABC):
    """Runs statements.

    All methods raise `DatabaseUnavailableError` if the database does not answer in time, `OverloadedError` if no
    connection becomes free in time, and asyncpg's own errors if the database refuses the statement.
    """

    @property
    def replica(self) -> "Database":
        """The database for reads that may be up to `DATABASE_REPLICA_MAX_LAG_SECONDS` out of date.

        Its reads run on the server of `DATABASE_REPLICA_URL` while that is usable, and on the primary otherwise, as
        `load` always does. The replica refuses statements that write. In a transaction it is the transaction itself.
        """
        return self

    @abstractmethod
    def connection(self) -> AbstractAsyncContextManager[Connection]:
        """Acquire a connection in an `async with` block, for several statements in a row.

        The statements are not a transaction; see `transaction`.
        """

    def transaction(
        self, *, isolation: Isolation | None = None, readonly: bool = False, retry: int = 0
    ) -> "TransactionBlock[Transaction]":
        """Return a transaction, for an `async with` block, or for a function: `transaction(retry=3).run(function)`.

        `run(function, *args)` gives the function the transaction and the arguments, and returns what it returns. After
        a conflict with other transactions (a serialization failure or a deadlock) it carries the function out again,
        within the deadline of the request. So let the function do nothing that cannot be rolled back.

        Inside of another transaction it is a savepoint.

        Args:
            isolation: the isolation level; None for the database's default, or for that of the outer transaction.
            readonly: whether PostgreSQL refuses statements that write.
            retry: how often `run` carries the function out again.

        Raises:
            asyncpg.InterfaceError: the outer transaction has another isolation level, or a statement of a read-only
                transaction writes.
        """
        return TransactionBlock(partial(self._begin, isolation, readonly), retry, self._conflict, self._on_retry)

    async def execute(self, query: str, *values: Any) -> str:
        """Run a statement whose rows are not needed.

        Args:
            query: the statement, with `$1`, `$2`, … for the values.
            values: the values.

        Returns:
            What PostgreSQL says of it, such as `UPDATE 3`.
        """
        async with self.connection() as connection:
            return await connection.execute(query, *values)

    async def fetch(self, query: str, *values: Any) -> list[asyncpg.Record]:
        """Run a statement and return its rows.

        Args:
            query: the statement, with `$1`, `$2`, … for the values.
            values: the values.

        Returns:
            The rows; an empty list if the statement returns none.
        """
        async with self.connection() as connection:
            return await connection.fetch(query, *values)

    async def fetchrow(self, query: str, *values: Any) -> asyncpg.Record | None:
        """Run a statement and return its first row.

        Args:
            query: the statement, with `$1`, `$2`, … for the values.
            values: the values.

        Returns:
            The first row, or None if there is none.
        """
        async with self.connection() as connection:
            return await connection.fetchrow(query, *values)

    async def fetchval(self, query: str, *values: Any) -> Any:
        """Run a statement and return the first value of its first row.

        Args:
            query: the statement, with `$1`, `$2`, … for the values.
            values: the values.

        Returns:
            The value, or None if there is no row.
        """
        row = await self.fetchrow(query, *values)
        return row[0] if row else None

    async def load(self, query: str, key: object) -> asyncpg.Record | None:
        """Fetch one row by its key.

        Concurrent calls with the same query are sent as one statement while all connections are busy.

        Args:
            query: a SELECT with one parameter, an array of keys, and the key as first column:
                `SELECT id, name FROM items WHERE id = ANY ($1)`.
            key: the key of the row.

        Returns:
            The row, or None if there is none.
        """
        rows = await self.fetch(query, [key])
        return rows[0] if rows else None

    @asynccontextmanager
    async def stream(self, query: str, *values: Any) -> AsyncIterator[AsyncIterator[asyncpg.Record]]:
        """Read the rows of a statement one at a time in an `async with` block, with few of them in memory.

        The rows are a snapshot: changes that are committed meanwhile do not show. The stream holds a connection until
        the block ends, one of `DATABASE_STREAM_POOL_SIZE`. A pause of more than `DATABASE_STREAM_IDLE_TIMEOUT_SECONDS`
        between two rows ends the stream with `DatabaseUnavailableError`.

        Args:
            query: the statement, which only reads, with `$1`, `$2`, … for the values.
            values: the values.

        Returns:
            A context manager that yields the rows as an asynchronous iterator.
        """
        async with self.transaction() as transaction, transaction.stream(query, *values) as rows:
            yield rows

    def _on_retry(self, error: Exception) -> None:  # noqa: B027  (only the pool counts)
        """Note that a transaction is carried out again after an error."""

    def _conflict(self, error: Exception) -> Exception | None:
        """Return the reason of an error, if a transaction that is carried out again may succeed."""
        reason = error.__cause__ if isinstance(error, DatabaseUnavailableError) else error
        return reason if isinstance(reason, (asyncpg.SerializationError, *_CONFLICTS_OF_A_SAVEPOINT)) else None

    @asynccontextmanager
    async def _begin(self, isolation: Isolation | None, readonly: bool) -> AsyncGenerator["Transaction"]:
        async with (
            self.connection() as connection,
            connection.transaction(isolation=isolation, readonly=readonly),
            Transaction(connection, self)._block(readonly) as transaction,
        ):
            yield transaction


class Transaction(Database):
    """Runs statements in a transaction, on one connection and one after the other.

    It has all methods of asyncpg's connection, too: `executemany`, `cursor`, `copy_records_to_table`, …

    Args:
        connection: on which the transaction has begun.
        outer: the transaction in which this one is a savepoint, or the database.
    """

    def __init__(self, connection: Connection, outer: Database | None = None) -> None:
        self._connection, self._outer = connection, outer
        self._lock = asyncio.Lock()  # one statement or one savepoint at a time
        self._ended = False
        self._savepoint: Transaction | None = None  # in progress
        self._enclosing = _INNERMOST.get()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Yield this transaction itself."""
        yield self

    def transaction(
        self,
        *,
        isolation: Isolation | None = None,
        readonly: bool = False,
        retry: int = 0,
        deferrable: bool = False,  # noqa: ARG002  (code that has asyncpg's connection may say it)
    ) -> TransactionBlock["Transaction"]:
        """Return a savepoint, as `Database.transaction` does. `deferrable` has no effect on a savepoint."""
        return super().transaction(isolation=isolation, readonly=readonly, retry=retry)

    async def execute(self, query: str, *values: Any, **options: Any) -> str:
        """Run a statement; the options are asyncpg's."""
        result: str = await self._call("execute", query, *values, **options)
        return result

    async def fetch(self, query: str, *values: Any, **options: Any) -> list[asyncpg.Record]:
        """Run a statement and return its rows; the options are asyncpg's."""
        rows: list[asyncpg.Record] = await self._call("fetch", query, *values, **options)
        return rows

    async def fetchrow(self, query: str, *values: Any, **options: Any) -> asyncpg.Record | None:
        """Run a statement and return its first row, or None if there is none; the options are asyncpg's."""
        row: asyncpg.Record | None = await self._call("fetchrow", query, *values, **options)
        return row

    async def fetchval(self, query: str, *values: Any, **options: Any) -> Any:
        """Run a statement and return a value of its first row, the first one by default; the options are asyncpg's."""
        return await self._call("fetchval", query, *values, **options)

    @asynccontextmanager
    async def stream(self, query: str, *values: Any) -> AsyncIterator[AsyncIterator[asyncpg.Record]]:
        """Read rows as this transaction sees them. Other statements may run between two rows."""
        async with self._innermost()._turn() as connection:
            statement = await connection.prepare(query)
            cursor = await statement.cursor(*values)

        async def fetch(count: int) -> list[asyncpg.Record]:
            async with self._innermost()._turn():
                rows: list[asyncpg.Record] = await cursor.fetch(count)
                return rows

        with closing(Rows(fetch)) as rows:
            yield rows

    def _on_retry(self, error: Exception) -> None:
        if self._outer:
            self._outer._on_retry(error)

    def _conflict(self, error: Exception) -> Exception | None:
        # A serialization failure lasts until the outermost transaction ends.
        return error if isinstance(error, _CONFLICTS_OF_A_SAVEPOINT) else None

    def __getattr__(self, name: str) -> Any:
        """Return what else asyncpg's connection has."""
        if name.startswith("_"):
            raise AttributeError(name)
        if inspect.iscoroutinefunction(getattr(asyncpg.Connection, name, None)):
            return partial(self._call, name)
        self._refuse_if_ended()
        return getattr(self._innermost()._connection, name)

    async def _call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        async with self._innermost()._turn() as connection:
            return await getattr(connection, method)(*args, **kwargs)

    @asynccontextmanager
    async def _turn(self) -> AsyncGenerator[Connection]:
        """Wait until no other statement and no savepoint is in progress, and yield the connection."""
        async with self._lock:
            yield await self._ready(None)

    async def _ready(self, isolation: Isolation | None) -> Connection:
        """Return the connection, for a statement or a savepoint.

        Raises:
            asyncpg.InterfaceError: the transaction has ended, or has another isolation level.
        """
        self._refuse_if_ended()
        if isolation:
            present = str(await self._connection.fetchval("SHOW transaction_isolation")).replace(" ", "_")
            if present != isolation:
                raise asyncpg.InterfaceError(
                    f"The transaction is {present}, and cannot become {isolation}: a transaction inside of another one "
                    f"is a savepoint. Begin the outermost one with isolation={isolation!r}; with an Idempotency-Key, "
                    "that is the first one of the handler, before any other statement."
                )
        return self._connection

    @asynccontextmanager
    async def _begin(self, isolation: Isolation | None, readonly: bool) -> AsyncGenerator["Transaction"]:
        """Begin a savepoint. Statements of other tasks wait until it ends."""
        outer, before = self._innermost(), _INNERMOST.get()
        async with outer._lock, AsyncExitStack() as stack:
            connection = await outer._ready(isolation)
            await stack.enter_async_context(connection.transaction())
            if readonly:
                await connection.execute("SET TRANSACTION READ ONLY")  # until the end of the savepoint
            outer._refuse_if_ended()  # meanwhile
            savepoint = outer._savepoint = Transaction(connection, outer)
            _INNERMOST.set(savepoint)
            try:
                async with savepoint._block(readonly):
                    yield savepoint
            finally:
                _INNERMOST.set(before)
                outer._savepoint = None
                if outer._ended:  # and this savepoint with it; the connection may be another transaction's by now
                    stack.pop_all()

    @asynccontextmanager
    async def _block(self, readonly: bool) -> AsyncGenerator["Transaction"]:
        """Yield this transaction, and refuse statements afterwards."""
        try:
            with _writes_refused(readonly):
                yield self
            async with self._innermost()._lock:  # a commit would cut a savepoint of another task in two
                self._refuse_if_ended()
        finally:
            await self._stop()

    async def _stop(self) -> None:
        """Refuse further statements, in savepoints too, and wait for the one in progress.

        It does not wait for savepoints: the block of one may go on for ever, and a deadline cancels only once.
        """
        innermost = self
        innermost._ended = True
        while innermost._savepoint:
            innermost = innermost._savepoint
            innermost._ended = True
        async with innermost._lock:
            pass

    def _refuse_if_ended(self) -> None:
        if self._ended:
            raise asyncpg.InterfaceError("The transaction has ended. Use it inside of its `async with` block.")

    def _innermost(self) -> "Transaction":
        """Return the savepoint of this transaction in whose block the caller is, or this transaction."""
        innermost = _INNERMOST.get()
        while innermost and (innermost._ended or not innermost._is_in(self)):
            innermost = innermost._enclosing
        return innermost or self

    def _is_in(self, transaction: "Transaction") -> bool:
        return self is transaction or (isinstance(self._outer, Transaction) and self._outer._is_in(transaction))


class InTransaction(Transaction):
    """Runs statements in a transaction that the caller has begun and will end; an error does not end it.

    Each statement that is in no `transaction()` block runs in a savepoint.
    """

    @asynccontextmanager
    async def _turn(self) -> AsyncGenerator[Connection]:
        async with self._lock:
            connection = await self._ready(None)
            async with connection.transaction():
                yield connection

    async def _call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        try:
            return await super()._call(method, *args, **kwargs)
        except asyncpg.InvalidCachedStatementError:
            if self._innermost() is not self:
                raise
            return await super()._call(method, *args, **kwargs)  # asyncpg has forgotten the statement


@contextmanager
def _writes_refused(readonly: bool) -> Iterator[None]:
    """Name the mistake of a read-only transaction. In another one, the error means that the server is a standby."""
    try:
        yield
    except asyncpg.ReadOnlySQLTransactionError as error:
        if not readonly:
            raise
        raise asyncpg.InterfaceError("A statement writes in a transaction with readonly=True.") from error
