"""Drafts: orders that can still change."""

from app.orders.events import record
from app.orders.queries import cancel_drafts
from chassis.database import Database
from chassis.errors import NotFoundError, ServiceError
from chassis.service import every


class NotADraftError(ServiceError):
    """The order cannot change any more."""


async def lock_draft(transaction: Database, order_id: int) -> None:
    """Keep an order a draft until the transaction ends: whoever wants to change or to place it waits.

    Raises:
        NotFoundError: there is no such order.
        NotADraftError: it is no draft.
    """
    status = await transaction.fetchval("SELECT status FROM orders WHERE id = $1 FOR UPDATE", order_id)
    if status is None:
        raise NotFoundError(f"There is no order {order_id}.")
    if status != "draft":
        raise NotADraftError(f"Order {order_id} is {status}. Only a draft can be changed and placed.")


async def update_total(transaction: Database, order_id: int) -> None:
    """Make the total of a locked draft the sum of its lines."""
    await transaction.execute(
        "UPDATE orders SET total = (SELECT coalesce(sum(quantity * price), 0) FROM lines WHERE order_id = $1), "
        "updated_at = now(), version = version + 1 WHERE id = $1",
        order_id,
    )


@every(60, alone=True)
async def cancel_stale_drafts(database: Database) -> None:
    """Cancel the drafts that nobody has changed for a week."""
    async with database.transaction() as transaction:
        for order in await cancel_drafts(transaction):
            await record(transaction, order)
