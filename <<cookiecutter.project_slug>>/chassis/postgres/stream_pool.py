"""Streams of rows: a server-side cursor in a snapshot, on connections that only streams use."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from typing import Any

import asyncpg

from chassis.concurrency.rows import Rows
from chassis.errors import DatabaseUnavailableError
from chassis.postgres.connection_pool import ConnectionPool, is_lost
from chassis.settings import Settings


class StreamPool(ConnectionPool):
    """The connections of streams. Timeouts of statements hold for each FETCH of rows."""

    reads_only = True

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, settings.database_stream_pool_size)
        # In the transaction: PgBouncer ignores the parameter at the start of a session.
        milliseconds = f"{settings.database_stream_idle_timeout_seconds * 1000:.0f}"
        self._begin = (
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; "
            f"SET LOCAL idle_in_transaction_session_timeout = {milliseconds}"
        )
        self._rollback_timeout = settings.database_connect_timeout_seconds

    @asynccontextmanager
    async def stream(self, query: str, *values: Any) -> AsyncIterator[Rows]:
        """Read the rows of a statement in an `async with` block, as `Database.stream` does."""
        async with self.connection() as connection:
            try:
                await connection.execute(self._begin)
                # Not from asyncpg's cache, as its cursors keep statements that a migration has made invalid.
                statement = await connection.prepare(query)
                cursor = await statement.cursor(*values)

                async def fetch(count: int) -> list[asyncpg.Record]:
                    try:
                        return await cursor.fetch(count)
                    except Exception as error:  # translated here, for a caller that catches it inside of the block
                        if await self.means_unavailable(error, lost=is_lost(connection)):
                            raise DatabaseUnavailableError from error
                        raise

                with closing(Rows(fetch)) as rows:
                    yield rows
            finally:
                if not is_lost(connection):
                    await connection.execute("ROLLBACK", timeout=self._rollback_timeout)  # closes the cursor
