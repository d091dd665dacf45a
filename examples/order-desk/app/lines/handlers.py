"""The handlers of lines. A handler's signature is the contract of its route; see chassis/contract.py."""

from app.lines import queries
from app.lines.models import Line, LineFields, LineQuery
from app.orders.drafts import lock_draft, update_total
from app.orders.handlers import read_order
from chassis.conditional import IfMatch
from chassis.database import Database
from chassis.errors import NotFoundError, PreconditionFailedError
from chassis.models import Id
from chassis.pagination import Page


async def create_line(order_id: Id, body: LineFields, database: Database) -> Line:
    """Create a line"""
    async with database.transaction() as transaction:
        await lock_draft(transaction, order_id)
        line = await queries.insert_line(transaction, order_id, body)
        await update_total(transaction, order_id)
    return line


async def list_lines(order_id: Id, query: LineQuery, database: Database) -> Page[Line]:
    """List lines"""
    await read_order(order_id, database)
    return await queries.select_lines(database, order_id, query)


async def read_line(order_id: Id, line_id: Id, database: Database) -> Line:
    """Read a line"""
    line = await queries.select_line(database, order_id, line_id)
    if line is None:
        raise NotFoundError(f"There is no line {line_id}.")
    return line


async def delete_line(order_id: Id, line_id: Id, if_match: IfMatch, database: Database) -> None:
    """Delete a line"""
    async with database.transaction() as transaction:
        await lock_draft(transaction, order_id)
        if not await queries.delete_line(transaction, order_id, line_id, if_match):
            await read_line(order_id, line_id, transaction)
            raise PreconditionFailedError
        await update_total(transaction, order_id)
