"""The SQL of items, one function per statement."""

from app.items.models import Item, ItemFields, ItemQuery
from chassis.conditional import IfMatch
from chassis.database import Database
from chassis.models import Patch
from chassis.pagination import Listing, Page

_COLUMNS = "id, name, description, price_cents, created_at, updated_at, version"
_MATCHES = "($2::bigint[] IS NULL OR version = ANY ($2))"
_ITEMS = Listing(
    Item,
    f"SELECT {_COLUMNS} FROM items",
    key="id",
    filters={"name": "name = ANY ($)", "price_cents_gte": "price_cents >= $", "price_cents_lt": "price_cents < $"},
)


async def insert_item(database: Database, fields: ItemFields) -> Item:
    [row] = await database.fetch(
        f"INSERT INTO items (name, description, price_cents) VALUES ($1, $2, $3) RETURNING {_COLUMNS}",
        fields.name,
        fields.description,
        fields.price_cents,
    )
    return Item.from_row(row)


async def select_items(database: Database, query: ItemQuery) -> Page[Item]:
    return await _ITEMS.page(database, query)


async def select_item(database: Database, item_id: int) -> Item | None:
    row = await database.load(f"SELECT {_COLUMNS} FROM items WHERE id = ANY ($1)", item_id)
    return Item.from_row(row) if row else None


async def update_item(database: Database, item_id: int, if_match: IfMatch, fields: ItemFields) -> Item | None:
    row = await database.fetchrow(
        "UPDATE items SET name = $3, description = $4, price_cents = $5, updated_at = now(), version = version + 1 "
        f"WHERE id = $1 AND {_MATCHES} RETURNING {_COLUMNS}",
        item_id,
        if_match.versions,
        fields.name,
        fields.description,
        fields.price_cents,
    )
    return Item.from_row(row) if row else None


async def patch_item(database: Database, item_id: int, if_match: IfMatch, patch: Patch[ItemFields]) -> Item | None:
    row = await database.fetchrow(
        "UPDATE items SET (name, description, price_cents) = "
        "(SELECT name, description, price_cents FROM jsonb_populate_record(items, $3::jsonb)), "
        f"updated_at = now(), version = version + 1 WHERE id = $1 AND {_MATCHES} RETURNING {_COLUMNS}",
        item_id,
        if_match.versions,
        patch.to_json(),
    )
    return Item.from_row(row) if row else None


async def delete_item(database: Database, item_id: int, if_match: IfMatch) -> bool:
    query = f"DELETE FROM items WHERE id = $1 AND {_MATCHES} RETURNING id"
    return await database.fetchrow(query, item_id, if_match.versions) is not None
