"""A service with metrics and spans of its own: `python -m tests.chassis.observed`, or Gunicorn's `…:app`."""

import asyncio
import time
from decimal import Decimal
from enum import Enum

from chassis.application import Application, create_application
from chassis.command_line import main
from chassis.contract import Route
from chassis.database import Database
from chassis.observability import counter, gauge, histogram, span
from chassis.settings import Settings, load_settings

PLACED = counter("orders", "Orders that were placed, by channel.", ["channel"])
QUEUED = gauge("orders_queued", "Orders that wait.")
KNOWN = gauge("orders_known", "Orders in the table.", processes="max")
PICKING = histogram("order_picking_seconds", "Time to pick an order.", buckets=[1, 60])


class Channel(Enum):
    """A channel."""

    WEB = "web"


async def place(seconds: int, database: Database) -> None:
    """Place an order."""
    PLACED.labels("web").inc()
    QUEUED.set(2)
    KNOWN.set(7)
    PICKING.observe(seconds)
    with span(
        "reserve stock", channel=Channel.WEB, lines=3, parts=["a", 1], price=Decimal("1.5"), nothing=None
    ) as reserving:
        await database.fetch("SELECT 1")
        reserving.set(reserved=True)


async def fail() -> None:
    with span("reserve stock"):
        raise RuntimeError("out of stock")


async def block(milliseconds: int) -> None:
    """Block the event loop."""
    time.sleep(milliseconds / 1000)  # noqa: ASYNC251
    await asyncio.sleep(0)


ROUTES = [
    Route("POST", "/orders/{seconds}", place),
    Route("POST", "/failures", fail),
    Route("POST", "/block/{milliseconds}", block),
]


def app() -> Application:
    """Return the application, for a process manager that creates the service itself."""
    return create_application(ROUTES, load_settings(Settings))


if __name__ == "__main__":
    main(Settings, ROUTES)
