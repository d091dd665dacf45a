"""The handlers of orders. A handler's signature is the contract of its route; see chassis/contract.py."""

from app.orders import queries
from app.orders.drafts import lock_draft
from app.orders.models import Order, OrderFields, OrderQuery
from chassis.conditional import IfMatch
from chassis.database import Database
from chassis.errors import NotFoundError, PreconditionFailedError
from chassis.models import Id, Patch
from chassis.pagination import Page


async def create_order(body: OrderFields, database: Database) -> Order:
    """Create an order"""
    return await queries.insert_order(database, body)


async def list_orders(query: OrderQuery, database: Database) -> Page[Order]:
    """List orders"""
    return await queries.select_orders(database, query)


async def read_order(order_id: Id, database: Database) -> Order:
    """Read an order"""
    order = await queries.select_order(database, order_id)
    if order is None:
        raise NotFoundError(f"There is no order {order_id}.")
    return order


async def patch_order(order_id: Id, if_match: IfMatch, body: Patch[OrderFields], database: Database) -> Order:
    """Change some fields of an order"""
    async with database.transaction() as transaction:
        await lock_draft(transaction, order_id)
        order = await queries.patch_order(transaction, order_id, if_match, body)
    if order is None:
        raise PreconditionFailedError
    return order
