"""The SQL of orders, one function per statement."""

import json

from app.orders.models import Order, OrderFields, OrderQuery
from chassis.conditional import IfMatch
from chassis.database import Database
from chassis.models import Patch
from chassis.pagination import Listing, Page

_COLUMNS = "id, customer_id, tags, metadata, status, total, placed_at, created_at, updated_at, version"
_MATCHES = "($2::bigint[] IS NULL OR version = ANY ($2))"
_ORDERS = Listing(
    Order,
    f"SELECT {_COLUMNS} FROM orders",
    key="id",
    filters={"status": "status = ANY ($)"},
)


async def insert_order(database: Database, fields: OrderFields) -> Order:
    [row] = await database.fetch(
        f"INSERT INTO orders (customer_id, tags, metadata) VALUES ($1, $2, $3) RETURNING {_COLUMNS}",
        fields.customer_id,
        fields.tags,
        json.dumps(fields.metadata),
    )
    return Order.from_row(row)


async def select_orders(database: Database, query: OrderQuery) -> Page[Order]:
    return await _ORDERS.page(database, query)


async def select_order(database: Database, order_id: int) -> Order | None:
    row = await database.load(f"SELECT {_COLUMNS} FROM orders WHERE id = ANY ($1)", order_id)
    return Order.from_row(row) if row else None


async def change_status(database: Database, order: Order, status: str) -> Order | None:
    """Return the order with its new status, or None if it has changed since it was read."""
    row = await database.fetchrow(
        "UPDATE orders SET status = $3, placed_at = CASE $3 WHEN 'placed' THEN now() ELSE placed_at END, "
        f"updated_at = now(), version = version + 1 WHERE id = $1 AND version = $2 RETURNING {_COLUMNS}",
        order.id,
        order.version,
        status,
    )
    return Order.from_row(row) if row else None


async def cancel_drafts(database: Database) -> list[Order]:
    """Cancel up to 100 drafts that have not changed for a week."""
    rows = await database.fetch(
        "UPDATE orders SET status = 'cancelled', updated_at = now(), version = version + 1 "
        "WHERE id IN (SELECT id FROM orders WHERE status = 'draft' AND updated_at < now() - interval '7 days' "
        f"LIMIT 100 FOR UPDATE SKIP LOCKED) RETURNING {_COLUMNS}"
    )
    return Order.from_rows(rows)


async def patch_order(database: Database, order_id: int, if_match: IfMatch, patch: Patch[OrderFields]) -> Order | None:
    row = await database.fetchrow(
        "UPDATE orders SET (customer_id, tags, metadata) = (SELECT customer_id, tags, metadata "
        "FROM jsonb_populate_record(orders, $3::jsonb)), updated_at = now(), version = version + 1 "
        f"WHERE id = $1 AND {_MATCHES} RETURNING {_COLUMNS}",
        order_id,
        if_match.versions,
        patch.to_json(),
    )
    return Order.from_row(row) if row else None
