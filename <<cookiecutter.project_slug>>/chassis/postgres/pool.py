"""The database of a service: a pool of connections, and another one for streams."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import asyncpg

from chassis.database import Database
from chassis.postgres.batched_reads import BatchedReads
from chassis.postgres.connection_pool import ConnectionPool
from chassis.postgres.replica import Replica
from chassis.postgres.stream_pool import StreamPool
from chassis.settings import Settings
from chassis.telemetry.metrics import TRANSACTION_RETRIES

_REASONS: dict[type[Exception], str] = {
    asyncpg.SerializationError: "serialization_failure",
    asyncpg.DeadlockDetectedError: "deadlock",
}


class Pool(ConnectionPool, Database):
    """The connections of a service, used as an asynchronous context manager.

    Streams have connections of their own: a slow reader of a stream keeps its connection for long, and takes none from
    statements.

    Attributes:
        streams: the connections of streams.
        read_replica: the replica, if the settings name one.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, settings.database_pool_size)
        self.streams = StreamPool(settings)
        address = settings.database_replica_url
        self.read_replica = Replica(settings, address, self) if address else None
        self._batched_reads = BatchedReads(self.connection) if settings.database_coalesce_reads else None

    async def __aenter__(self) -> Self:
        await self.streams.__aenter__()
        await super().__aenter__()
        if self.read_replica:
            await self.read_replica.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        closing = [super().__aexit__(), self.streams.__aexit__()]
        await asyncio.gather(*closing, *([self.read_replica.__aexit__()] if self.read_replica else []))

    @property
    def replica(self) -> Database:
        return self.read_replica or self

    def mark_schema_current(self) -> None:
        super().mark_schema_current()
        self.streams.mark_schema_current()

    async def load(self, query: str, key: object) -> asyncpg.Record | None:
        if self._batched_reads is None:
            return await super().load(query, key)
        return await self._batched_reads.load(query, key)

    @asynccontextmanager
    async def stream(self, query: str, *values: Any) -> AsyncIterator[AsyncIterator[asyncpg.Record]]:
        async with self.streams.stream(query, *values) as rows:
            yield rows

    def _on_retry(self, error: Exception) -> None:
        TRANSACTION_RETRIES.labels(_REASONS.get(type(error), "statement_changed")).inc()

    async def expire(self) -> None:
        """Close all connections, those of streams too: they would go on reading from a server that is a standby now."""
        await super().expire()
        await self.streams.expire()
