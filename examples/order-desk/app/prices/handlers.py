"""The handler of prices."""

from redis.asyncio import Redis

from app.prices.cache import cached, keep
from app.prices.models import Price, Sku
from chassis.database import Database
from chassis.errors import NotFoundError


async def read_price(sku: Sku, database: Database, redis: Redis) -> Price:
    """Read the price of a SKU, which can be a minute old"""
    if price := await cached(redis, sku):
        return price
    row = await database.load("SELECT sku, price FROM prices WHERE sku = ANY ($1)", sku)
    if row is None:
        raise NotFoundError(f"There is no price of {sku}.")
    price = Price(sku=row["sku"], price=row["price"])
    await keep(redis, price)
    return price
