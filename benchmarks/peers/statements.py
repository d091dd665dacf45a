"""The statements of the Python peers on asyncpg, and their pool."""

import os

import asyncpg

COLUMNS = "id, name, description, price_cents, created_at, updated_at"
READ = f"SELECT {COLUMNS} FROM items WHERE id = $1"
LIST = f"SELECT {COLUMNS} FROM items WHERE id > $1 ORDER BY id LIMIT $2"
CREATE = f"INSERT INTO items (name, description, price_cents) VALUES ($1, $2, $3) RETURNING {COLUMNS}"
REPLACE = f"""
UPDATE items SET name = $2, description = $3, price_cents = $4, updated_at = now(), version = version + 1
WHERE id = $1 RETURNING {COLUMNS}
"""


def create_pool() -> asyncpg.Pool:
    """Return a pool with as many connections as the service has; it opens as an asynchronous context."""
    size = int(os.environ["DATABASE_POOL_SIZE"])
    return asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=size, max_size=size)
