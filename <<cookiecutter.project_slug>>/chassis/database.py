"""What queries run on: PostgreSQL, by whatever connection."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg

if TYPE_CHECKING:  # generic in its stubs only
    from asyncpg.pool import PoolConnectionProxy

Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record] | asyncpg.Connection[asyncpg.Record]"
"""A connection, of the pool or on its own."""


class Database(ABC):
    """What queries run on.

    All methods raise `DatabaseUnavailableError` where the database does not answer, `OverloadedError` where too many
    wait for a connection, and asyncpg's own errors where the database refuses the statement.
    """

    @abstractmethod
    def connection(self) -> AbstractAsyncContextManager[Connection]:
        """A connection, for several statements in a row."""

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection in a transaction: committed at the end of the block, rolled back by an exception."""
        async with self.connection() as connection, connection.transaction():
            yield connection

    async def fetch(self, query: str, *values: Any) -> list[asyncpg.Record]:
        """Runs a statement and returns its rows."""
        async with self.connection() as connection:
            return await connection.fetch(query, *values)

    async def fetchrow(self, query: str, *values: Any) -> asyncpg.Record | None:
        """Runs a statement and returns its first row, or None where it has none."""
        async with self.connection() as connection:
            return await connection.fetchrow(query, *values)

    async def load(self, query: str, key: object) -> asyncpg.Record | None:
        """Reads the row of a key, or None where there is none; reads of several requests may leave as one statement.

        Args:
            query: takes keys as an array and returns each row's key first: `SELECT id, … WHERE id = ANY ($1)`.
            key: the row's.
        """
        rows = await self.fetch(query, [key])
        return rows[0] if rows else None


class InTransaction(Database):
    """The connection of a transaction that somebody else began and will end."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """The same connection each time; a transaction on it is a savepoint."""
        yield self._connection

    async def fetch(self, query: str, *values: Any) -> list[asyncpg.Record]:
        """As on a connection of its own: one that is refused spoils nothing, and several at once take turns."""
        async with self._turn, self._connection.transaction():
            return await self._connection.fetch(query, *values)

    async def fetchrow(self, query: str, *values: Any) -> asyncpg.Record | None:
        """As on a connection of its own."""
        async with self._turn, self._connection.transaction():
            return await self._connection.fetchrow(query, *values)
