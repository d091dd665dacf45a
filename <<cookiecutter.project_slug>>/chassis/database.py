"""Statements on PostgreSQL. A handler gets the database as a parameter: `database: Database`.

Values are passed beside the statement, as `$1`, `$2`, …:

    rows = await database.fetch("SELECT id, name FROM items WHERE name = $1", name)
    async with database.transaction() as connection:
        await connection.execute("DELETE FROM items WHERE id = $1", item_id)
    async with database.stream("SELECT id, name FROM items ORDER BY id") as rows:
        async for row in rows:
            ...
"""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg

if TYPE_CHECKING:  # a generic type in its stubs only
    from asyncpg.pool import PoolConnectionProxy

Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record] | asyncpg.Connection[asyncpg.Record]"
"""A pooled or a standalone connection."""

_CHUNK_ROWS = 200  # docs/decisions/0011 of the template


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

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Acquire a connection and begin a transaction; commit at the end of the block, roll back on an exception."""
        async with self.connection() as connection, connection.transaction():
            yield connection

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
        async with self.connection() as connection, connection.transaction():
            cursor = await connection.cursor(query, *values)
            with closing(Rows(cursor.fetch)) as rows:
                yield rows


class InTransaction(Database):
    """Runs statements on the connection of a transaction that the caller has begun and will end."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Yield the same connection each time; a transaction on it is a savepoint."""
        yield self._connection

    async def fetch(self, query: str, *values: Any) -> list[asyncpg.Record]:
        """Run a statement in a savepoint, so that an error does not end the transaction; one statement at a time."""
        async with self._lock, self._connection.transaction():
            return await self._connection.fetch(query, *values)

    async def fetchrow(self, query: str, *values: Any) -> asyncpg.Record | None:
        """Run a statement in a savepoint, as `fetch` does, and return its first row, or None if there is none."""
        async with self._lock, self._connection.transaction():
            return await self._connection.fetchrow(query, *values)

    @asynccontextmanager
    async def stream(self, query: str, *values: Any) -> AsyncIterator[AsyncIterator[asyncpg.Record]]:
        """Read rows as this transaction sees them. Other statements may run between two rows."""
        async with self._lock, self._connection.transaction():
            statement = await self._connection.prepare(query)
            cursor = await statement.cursor(*values)

        async def fetch(count: int) -> list[asyncpg.Record]:
            async with self._lock, self._connection.transaction():
                return await cursor.fetch(count)

        with closing(Rows(fetch)) as rows:
            yield rows


class Rows(AsyncIterator[asyncpg.Record]):
    """The rows of a stream, one at a time.

    Args:
        fetch: fetches the next rows, up to a number of them; none at the end.
    """

    def __init__(self, fetch: Callable[[int], Awaitable[list[asyncpg.Record]]]) -> None:
        self._fetch = fetch
        self._fetched = deque[asyncpg.Record]()

    async def __anext__(self) -> asyncpg.Record:
        if not self._fetched:
            self._fetched.extend(await self._fetch(_CHUNK_ROWS))
            if not self._fetched:
                raise StopAsyncIteration
        return self._fetched.popleft()

    def close(self) -> None:
        """Refuse to be read from now on."""
        self._fetched.clear()
        self._fetch = _closed


async def _closed(_: int) -> list[asyncpg.Record]:
    raise asyncpg.InterfaceError("The stream is closed. Read its rows inside of its `async with` block.")
