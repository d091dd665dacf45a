"""Rows that are fetched in chunks and read one at a time."""

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg

_CHUNK_ROWS = 200  # docs/decisions/0011 of the template


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
