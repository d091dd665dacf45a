"""The handler of prices."""

from app.prices.cache import PriceCache
from app.prices.models import Price, Sku
from chassis.database import Database
from chassis.errors import NotFoundError


async def read_price(sku: Sku, database: Database, cache: PriceCache) -> Price:
    """Read the price of a SKU, which can be a minute old"""
    if price := await cache.get(sku):
        return price
    row = await database.load("SELECT sku, price FROM prices WHERE sku = ANY ($1)", sku)
    if row is None:
        raise NotFoundError(f"There is no price of {sku}.")
    price = Price(sku=row["sku"], price=row["price"])
    await cache.put(price)
    return price
