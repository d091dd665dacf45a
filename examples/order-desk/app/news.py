"""What all processes of the service tell each other, by PostgreSQL's NOTIFY."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import asyncpg

from app.settings import Settings
from chassis.database import Database


class News:
    """The queues of this process, by topic."""

    def __init__(self) -> None:
        self._queues = defaultdict[str, set[asyncio.Queue[str | None]]](set)

    @contextmanager
    def about(self, topic: str, size: int = 1_000) -> Iterator[asyncio.Queue[str | None]]:
        """Yield a queue of the messages on a topic. None is its end: messages may have been lost, so begin anew.

        A queue of size 1 has nothing but None: it tells that there were messages.
        """
        queue = asyncio.Queue[str | None](size)
        self._queues[topic].add(queue)
        try:
            yield queue
        finally:
            self._queues[topic].discard(queue)
            if not self._queues[topic]:
                del self._queues[topic]

    def tell(self, topic: str, message: str) -> None:
        """Put a message into the queues of its topic. One that is full gets its end in the last place."""
        for queue in self._queues.get(topic, ()):
            if not queue.full():
                queue.put_nowait(message if queue.qsize() < queue.maxsize - 1 else None)

    def end(self) -> None:
        """End all queues."""
        for queue in [queue for queues in self._queues.values() for queue in queues]:
            if not queue.full():
                queue.put_nowait(None)


async def news() -> AsyncIterator[News]:
    yield News()


async def listen(settings: Settings, news: News) -> None:
    """Receive what any process publishes, until the connection is lost; then the supervisor starts this again."""
    connection = await asyncpg.connect(settings.database_url.get_secret_value(), timeout=5)
    try:
        await connection.add_listener("news", lambda *arguments: news.tell(*str(arguments[3]).split(" ", 1)))
        news.end()  # whoever has waited without this connection may have missed messages
        while True:
            await connection.execute("SELECT 1", timeout=5)
            await asyncio.sleep(5)
    finally:
        connection.terminate()


async def publish(database: Database, topic: str, message: str) -> None:
    """Tell all processes a message of less than 8,000 bytes; in a transaction, at its commit.

    Args:
        database: the database, or a transaction.
        topic: a word without spaces.
        message: any text.
    """
    await database.execute("SELECT pg_notify('news', $1)", f"{topic} {message}")
