"""The PostgreSQL server for all subjects: durable as in production, with the same rows before each load."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from benchmarks.load import ROWS
from benchmarks.machine import Cores, pinned
from harness.postgres import Postgres
from harness.usage import cpu_seconds

OPTIONS: Final[dict[str, str | int]] = {
    "fsync": "on",
    "synchronous_commit": "on",
    "shared_buffers": "256MB",
    "max_connections": 400,  # eleven workers with the default pool use 110, and all subjects are connected at once
    "max_wal_size": "8GB",  # large, so that checkpoints happen in `reset`, between loads, and not during some of them
    "checkpoint_timeout": "1h",
}
RESET: Final = (
    "TRUNCATE items, idempotency_keys, idempotency_claims RESTART IDENTITY",
    f"""
    INSERT INTO items (name, description, price_cents)
    SELECT 'Lamp ' || number, 'Bright', 1999 FROM generate_series(1, {ROWS}) AS number
    """,
    "VACUUM ANALYZE items",
    "CHECKPOINT",
)
"""Restores the items with the ids 1 to `ROWS`, vacuums them, and writes all dirty pages to disk."""


class Database:
    """A PostgreSQL server on the load's cores, with a migrated database."""

    def __init__(self, server: Postgres) -> None:
        self._server = server

    @property
    def url(self) -> str:
        return self._server.url

    def cpu_seconds(self) -> float:
        """Return the CPU time of all processes of the server so far."""
        return cpu_seconds(self._server.pid)

    async def reset(self) -> None:
        """Run the statements of `RESET`."""
        async with self._server.connection() as connection:
            for statement in RESET:
                await connection.execute(statement)


async def start(scratch: Path, logs: Path, cores: Cores, started: AsyncExitStack) -> Database:
    """Start a server with an empty database. It stops when `started` closes."""
    server = Postgres(scratch, logs, OPTIONS, pinned(cores.load))
    started.push_async_callback(server.end)
    await server.set_up()
    return Database(server)
