"""Batched reads (the DataLoader pattern): reads by key that wait for a connection at the same time are one statement.

A read that is alone is sent at once, and no read waits for a timer. docs/benchmarks.md of the template has the figures.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

import asyncpg

from chassis.database import Connection
from chassis.errors import OverloadedError, UnavailableError
from chassis.postgres import refusals

_MAX_KEYS = 100  # in a statement

_Waiter: TypeAlias = "asyncio.Future[asyncpg.Record | None]"
_Batch: TypeAlias = list[tuple[object, _Waiter]]


class BatchedReads:
    """Reads rows by their keys.

    Args:
        connection: acquires a connection, which may take a while.
    """

    def __init__(self, connection: Callable[[], AbstractAsyncContextManager[Connection]]) -> None:
        self._connection = connection
        self._open_batches: dict[str, _Batch] = {}  # by query; a batch that is sent takes no more keys
        self._tasks = set[asyncio.Task[None]]()  # asyncio itself holds weak references only
        self._under_way = 0  # reads that are not answered yet

    async def load(self, query: str, key: object) -> asyncpg.Record | None:
        """Fetch one row by its key, as `Database.load` does."""
        self._under_way += 1
        try:
            return await (self._load_alone(query, key) if self._under_way == 1 else self._load_batched(query, key))
        finally:
            self._under_way -= 1

    async def _load_alone(self, query: str, key: object) -> asyncpg.Record | None:
        async with self._connection() as connection:
            rows = await connection.fetch(query, [key])
        for row in rows:
            if row[0] == key:  # PostgreSQL may find further keys equal, such as those of another case
                return row
        return None

    async def _load_batched(self, query: str, key: object) -> asyncpg.Record | None:
        batch = self._open_batches.get(query)
        if batch is None or len(batch) == _MAX_KEYS:
            batch = self._open_batches[query] = []
            task = asyncio.create_task(self._answer(query, batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        waiter: _Waiter = asyncio.get_running_loop().create_future()
        batch.append((key, waiter))
        return await waiter

    async def _answer(self, query: str, batch: _Batch) -> None:
        """Answer all waiters of a batch; some may have given up."""
        try:
            rows = await self._fetch(query, batch)
        except Exception as error:
            if len(batch) > 1 and not isinstance(error, UnavailableError):
                for each in batch:  # one key may be the reason, and the other reads must not fail because of it
                    await self._answer(query, [each])
                return
            if isinstance(error, OverloadedError):
                refusals.ALL_IN_USE.inc(len(batch) - 1)  # the pool has counted the batch as one
            for _, waiter in batch:
                if not waiter.done():
                    waiter.set_exception(error)
        else:
            for key, waiter in batch:
                if not waiter.done():
                    waiter.set_result(rows.get(key))

    async def _fetch(self, query: str, batch: _Batch) -> dict[object, asyncpg.Record]:
        try:
            async with self._connection() as connection:
                self._close(query, batch)
                return {row[0]: row for row in await connection.fetch(query, [key for key, _ in batch])}
        finally:
            self._close(query, batch)

    def _close(self, query: str, batch: _Batch) -> None:
        """Close the batch when it is sent: a later read must see what was committed meanwhile."""
        if self._open_batches.get(query) is batch:
            del self._open_batches[query]
