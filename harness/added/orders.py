"""Orders, whose handler calls another service between its statements; a baked service gets them as `app.orders`."""

from aiohttp import ClientSession

from app.items.models import Item, ItemFields
from app.items.queries import insert_item
from app.settings import Settings
from chassis.contract import Route
from chassis.database import Database


async def create_order(body: ItemFields, settings: Settings, client: ClientSession, database: Database) -> Item:
    """Reserve the money, store an item, and take the money"""
    await _call(client, f"{settings.payments_url}/reservations")
    item = await insert_item(database, body)
    await _call(client, f"{settings.payments_url}/payments")
    await database.fetch("UPDATE items SET description = 'paid' WHERE id = $1", item.id)
    return item


async def _call(client: ClientSession, url: str) -> None:
    async with client.post(url) as response:
        await response.read()


ROUTES = [Route("POST", "/v1/orders", create_order, status=201)]
