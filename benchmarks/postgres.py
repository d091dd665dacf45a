"""The settings of the PostgreSQL server for all subjects, durable as in production, and its rows before each load."""

from typing import Final

from benchmarks.load import ROWS

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
