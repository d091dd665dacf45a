"""Placing an order: its total is paid, then it is placed. Both may be repeated, whatever fails in between."""

import structlog
from aiohttp import ClientError, ClientSession

from app.orders.drafts import NotADraftError
from app.orders.events import record
from app.orders.handlers import read_order
from app.orders.models import Order
from app.orders.queries import change_status
from app.payments import PaymentDeclinedError, charge
from app.settings import Settings
from chassis.database import Database
from chassis.models import Id
from chassis.observability import counter, histogram
from chassis.service import every

log = structlog.get_logger()
PLACED = counter("orders_placed", "Orders that were placed.")
DECLINED = counter("order_payments_declined", "Payments of orders that were declined.")
VALUE = histogram("order_value", "Totals of placed orders.", buckets=[10, 100, 1_000, 10_000])


async def place_order(order_id: Id, database: Database, client: ClientSession, settings: Settings) -> Order:
    """Pay and place an order

    The payment service is called between two transactions, so that neither waits for it. Meanwhile the order is in the
    status `placing`, in which nobody can change it, and with it the amount.
    """
    order = await read_order(order_id, database)
    if order.status == "draft" and order.total > 0:
        order = await change_status(database, order, "placing") or await read_order(order_id, database)
    if order.status == "placing":
        return await _pay(order, database, client, settings)
    if order.status != "placed":
        raise NotADraftError(
            f"Order {order_id} is {order.status} with a total of {order.total}. Only a draft with a total of more than "
            "0 can be placed, and not while it is changed."
        )
    return order


async def _pay(order: Order, database: Database, client: ClientSession, settings: Settings) -> Order:
    try:
        await charge(order, client, settings)
    except PaymentDeclinedError:
        DECLINED.inc()
        await change_status(database, order, "draft")
        raise
    async with database.transaction() as transaction:
        if placed := await change_status(transaction, order, "placed"):
            await record(transaction, placed)
    if placed is None:  # another request has placed it
        return await read_order(order.id, database)
    PLACED.inc()
    VALUE.observe(float(placed.total))
    return placed


@every(60, alone=True)
async def finish_placing(database: Database, client: ClientSession, settings: Settings) -> None:
    """Place the orders whose clients have not come back after an error."""
    rows = await database.fetch(
        "SELECT id FROM orders WHERE status = 'placing' AND updated_at < now() - interval '5 minutes' "
        "ORDER BY random() LIMIT 100"  # orders that fail again and again do not keep others from their turn
    )
    for row in rows:
        order = await read_order(row["id"], database)
        try:
            if order.status == "placing":  # a draft again if its payment was declined meanwhile
                await _pay(order, database, client, settings)
        except (PaymentDeclinedError, ClientError, TimeoutError) as error:
            log.warning("order_not_placed", order_id=order.id, reason=f"{type(error).__name__}: {error}")
