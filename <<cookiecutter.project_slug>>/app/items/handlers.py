"""What can be done with items. A signature is the contract of its route: see chassis/endpoint.py."""

from app.items import queries
from app.items.models import Item, ItemFields
from chassis.database import Database
from chassis.errors import NotFoundError
from chassis.models import Id
from chassis.pagination import Page, PageQuery


async def create_item(body: ItemFields, database: Database) -> Item:
    """Create an item"""
    return await queries.insert_item(database, body)


async def list_items(query: PageQuery, database: Database) -> Page[Item]:
    """List items, oldest first"""
    rows = await queries.select_items(database, after=query.cursor, limit=query.limit + 1)
    return Page[Item].cut(rows, query.limit, key=lambda item: item.id)


async def read_item(item_id: Id, database: Database) -> Item:
    """Read an item"""
    return _found(await queries.select_item(database, item_id), item_id)


async def replace_item(item_id: Id, body: ItemFields, database: Database) -> Item:
    """Replace what is said of an item"""
    return _found(await queries.update_item(database, item_id, body), item_id)


async def delete_item(item_id: Id, database: Database) -> None:
    """Delete an item"""
    if not await queries.delete_item(database, item_id):
        raise _not_found(item_id)


def _found(item: Item | None, item_id: int) -> Item:
    if item is None:
        raise _not_found(item_id)
    return item


def _not_found(item_id: int) -> NotFoundError:
    return NotFoundError(f"There is no item {item_id}.")
