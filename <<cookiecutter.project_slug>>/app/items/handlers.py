"""The handlers of items. A handler's signature is the contract of its route; see chassis/contract.py."""

from app.items import queries
from app.items.models import Item, ItemFields, ItemQuery
from chassis.conditional import IfMatch
from chassis.database import Database
from chassis.errors import NotFoundError, PreconditionFailedError
from chassis.models import Id, Patch
from chassis.pagination import Page


async def create_item(body: ItemFields, database: Database) -> Item:
    """Create an item"""
    return await queries.insert_item(database, body)


async def list_items(query: ItemQuery, database: Database) -> Page[Item]:
    """List items"""
    return await queries.select_items(database, query)


async def read_item(item_id: Id, database: Database) -> Item:
    """Read an item"""
    item = await queries.select_item(database, item_id)
    if item is None:
        raise NotFoundError(f"There is no item {item_id}.")
    return item


async def replace_item(item_id: Id, if_match: IfMatch, body: ItemFields, database: Database) -> Item:
    """Replace an item"""
    item = await queries.update_item(database, item_id, if_match, body)
    if item is None:
        await read_item(item_id, database)
        raise PreconditionFailedError
    return item


async def patch_item(item_id: Id, if_match: IfMatch, body: Patch[ItemFields], database: Database) -> Item:
    """Change some fields of an item"""
    item = await queries.patch_item(database, item_id, if_match, body)
    if item is None:
        await read_item(item_id, database)
        raise PreconditionFailedError
    return item


async def delete_item(item_id: Id, if_match: IfMatch, database: Database) -> None:
    """Delete an item"""
    if not await queries.delete_item(database, item_id, if_match):
        await read_item(item_id, database)
        raise PreconditionFailedError
