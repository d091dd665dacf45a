"""Events: what becomes of orders, kept in a table and sent to all who listen."""

import asyncio
import json
from contextlib import suppress
from typing import Annotated

from aiohttp import web

from app.news import News, publish
from app.orders.models import Order
from chassis.contract import Header
from chassis.database import Database
from chassis.models import Id

_PAGE = 100
_SILENCE_SECONDS = 10


async def record(transaction: Database, order: Order) -> None:
    """Keep in a transaction that an order has a new status."""
    await transaction.execute("SELECT pg_advisory_xact_lock(1)")  # else a smaller id could be committed later
    await transaction.execute("INSERT INTO order_events (order_id, status) VALUES ($1, $2)", order.id, order.status)
    await publish(transaction, "orders", "new")


async def send_order_events(
    request: web.Request, database: Database, news: News, last_event_id: Annotated[Id, Header("Last-Event-ID")] = 0
) -> web.StreamResponse:
    """Send what becomes of orders, as server-sent events"""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    with news.about("orders", size=1) as told:  # many events at once are one query
        while True:
            rows = await database.fetch(
                f"SELECT id, order_id, status FROM order_events WHERE id > $1 ORDER BY id LIMIT {_PAGE}", last_event_id
            )
            for row in rows:
                last_event_id = row["id"]
                event = {"order_id": row["order_id"], "status": row["status"]}
                await response.write(f"id: {last_event_id}\ndata: {json.dumps(event)}\n\n".encode())
            if len(rows) < _PAGE:
                await response.write(b": no more for now\n\n")  # a comment, so that the stream is not idle
                with suppress(TimeoutError):
                    await asyncio.wait_for(told.get(), _SILENCE_SECONDS)
