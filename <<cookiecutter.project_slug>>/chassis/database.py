"""Statements on PostgreSQL. A handler gets the database as a parameter: `database: Database`.

Values are passed beside the statement, as `$1`, `$2`, …:

    rows = await database.fetch("SELECT id, name FROM items WHERE name = $1", name)
    async with database.transaction() as connection:
        await connection.execute("DELETE FROM items WHERE id = $1", item_id)
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg

if TYPE_CHECKING:  # a generic type in its stubs only
    from asyncpg.pool import PoolConnectionProxy

Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record] | asyncpg.Connection[asyncpg.Record]"
"""A pooled or a standalone connection."""


class Database(ABC):
    """Runs statements.

    All methods raise `DatabaseUnavailableError` if the database does not answer in time, `OverloadedError` if no
    connection becomes free in time, and asyncpg's own errors if the database refuses the statement.
    """

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
