"""The SQL of items: one function a statement."""

from app.items.models import Item, ItemFields
from chassis.database import Database

_COLUMNS = "id, name, description, price_cents, created_at, updated_at"


async def insert_item(database: Database, fields: ItemFields) -> Item:
    [row] = await database.fetch(
        f"INSERT INTO items (name, description, price_cents) VALUES ($1, $2, $3) RETURNING {_COLUMNS}",
        fields.name,
        fields.description,
        fields.price_cents,
    )
    return Item.model_validate(dict(row))


async def select_items(database: Database, after: int, limit: int) -> list[Item]:
    rows = await database.fetch(f"SELECT {_COLUMNS} FROM items WHERE id > $1 ORDER BY id LIMIT $2", after, limit)
    return [Item.model_validate(dict(row)) for row in rows]


async def select_item(database: Database, item_id: int) -> Item | None:
    row = await database.fetchrow(f"SELECT {_COLUMNS} FROM items WHERE id = $1", item_id)
    return Item.model_validate(dict(row)) if row else None


async def update_item(database: Database, item_id: int, fields: ItemFields) -> Item | None:
    row = await database.fetchrow(
        "UPDATE items SET name = $2, description = $3, price_cents = $4, updated_at = now() "
        f"WHERE id = $1 RETURNING {_COLUMNS}",
        item_id,
        fields.name,
        fields.description,
        fields.price_cents,
    )
    return Item.model_validate(dict(row)) if row else None


async def delete_item(database: Database, item_id: int) -> bool:
    return await database.fetchrow("DELETE FROM items WHERE id = $1 RETURNING id", item_id) is not None
